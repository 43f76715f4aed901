"""The rules of FORS2 give the files of a real calSelector answer the same types, groups and cascade."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from qcbench.instruments import InstrumentPack, find_pack, product_category
from qcbench.oca import Group, Grouping, Value, classify, group, matches, preferred
from tests.fors2_tree import Node, read_tree, rebuilt_headers

pytestmark = pytest.mark.real

# What an answer says of one association: category, names of its files, how it matches, and what is below it.
Shape = tuple[str, frozenset[str], str, frozenset["Shape"]]


@pytest.fixture(scope="module")
def pack() -> InstrumentPack:
    return find_pack("fors2")


@pytest.fixture(scope="module")
def tree(real_data: Path) -> Node:
    return read_tree(real_data)


@pytest.fixture(scope="module")
def files(real_data: Path, pack: InstrumentPack) -> list[dict[str, Value]]:
    """The rebuilt headers, classified."""
    return [keys | classify(pack.rules, keys).assigned for keys in rebuilt_headers(real_data).values()]


@pytest.fixture(scope="module")
def grouping(files: list[dict[str, Value]], pack: InstrumentPack) -> Grouping:
    return group(pack.rules, files)


def name_of(keys: dict[str, Value]) -> str:
    return str(keys["ARCFILE"]).removesuffix(".fits")


def test_the_answer_has_22_associations_and_51_files(tree: Node, files: list[dict[str, Value]]) -> None:
    assert len(list(tree.walk())) == 22
    assert len({name for node in tree.walk() for _, name in node.files}) == len(files) == 51


def test_every_file_gets_the_category_that_the_answer_gives_it(
    tree: Node, files: list[dict[str, Value]]
) -> None:
    theirs = {name: category for node in tree.walk() for category, name in node.files}
    assert {name_of(keys): keys["DO.CATG"] for keys in files} == theirs


def test_raw_types_are_the_categories_of_the_associations(tree: Node, files: list[dict[str, Value]]) -> None:
    theirs = {name: node.category for node in tree.walk() for _, name in node.files}
    # a general calibration has no raw type: the answer names its association after its category
    ours = {name_of(keys): keys.get("RAW.TYPE", keys["DO.CATG"]) for keys in files}
    assert ours == theirs


def test_groups_are_the_sets_of_files_of_the_associations(
    tree: Node, files: list[dict[str, Value]], grouping: Grouping, pack: InstrumentPack
) -> None:
    ours = {frozenset(name_of(files[index]) for index in made.members) for made in grouping.groups}
    theirs = {
        frozenset(name for _, name in node.files)
        for node in tree.walk()
        if node.category not in pack.instrument.static
    }
    assert ours == theirs
    assert Counter(made.action for made in grouping.groups) == {
        "BIAS": 2,
        "FLAT_SKY": 1,
        "STD_IMA": 3,
        "SCI_IMG_2x2_low": 1,
    }
    assert {files[index]["DO.CATG"] for index in grouping.ungrouped} <= set(pack.instrument.static)


@dataclass(frozen=True)
class _Maker:
    """What may calibrate: a general calibration, or the product that a group of raw files would make."""

    keys: dict[str, Value]
    group: Group | None


class _Cascade:
    """The cascade of raw files below a group, as the rules and the closest in time give it."""

    def __init__(self, pack: InstrumentPack, files: list[dict[str, Value]], grouping: Grouping):
        self.pack, self.files = pack, files
        general = [keys for keys in files if keys["DO.CATG"] in pack.instrument.static]
        self.makers = [_Maker(keys, None) for keys in general] + [
            _Maker(self.keys_of(made) | {"PRO.CATG": product_category(product)}, made)
            for made in grouping.groups
            for product in pack.rules.action(made.action).products
        ]

    def keys_of(self, made: Group) -> dict[str, Value]:
        """Keys of the first file, at the mean time of all."""
        members = [self.files[index] for index in made.members]
        times = [float(str(keys["MJD-OBS"])) for keys in members]
        return members[0] | {"MJD-OBS": sum(times) / len(times)}

    def below(self, made: Group) -> frozenset[Shape]:
        own = self.keys_of(made)
        found = set()
        for association in self.pack.rules.action(made.action).associations:
            fitting = [one for one in self.makers if matches(association.condition, one.keys, own)]
            fitting.sort(key=lambda one: abs(float(str(one.keys["MJD-OBS"])) - float(str(own["MJD-OBS"]))))
            for maker in fitting[: association.max_ret]:
                planned = preferred(association.condition, maker.keys, own)
                found.add(self.shape(maker, "calib_plan" if planned else "extended"))
        return frozenset(found)

    def shape(self, maker: _Maker, match: str) -> Shape:
        if maker.group is None:
            return str(maker.keys["DO.CATG"]), frozenset({name_of(maker.keys)}), "N/A", frozenset()
        names = frozenset(name_of(self.files[index]) for index in maker.group.members)
        return str(maker.keys["RAW.TYPE"]), names, match, self.below(maker.group)


def shape_of(node: Node) -> Shape:
    names = frozenset(name for _, name in node.files)
    return node.category, names, node.match, frozenset(shape_of(below) for below in node.below)


def test_the_cascade_below_the_science_frame_is_that_of_the_answer(
    tree: Node, files: list[dict[str, Value]], grouping: Grouping, pack: InstrumentPack
) -> None:
    (science,) = [made for made in grouping.groups if made.action == "SCI_IMG_2x2_low"]
    assert _Cascade(pack, files, grouping).below(science) == shape_of(tree)[3]
