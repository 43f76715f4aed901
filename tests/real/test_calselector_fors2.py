"""A real answer of ESO's calSelector service: read, written as it is, compared with itself and with changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcbench.association.calselector import (
    AssociationTree,
    compare_trees,
    gather,
    print_tree,
    read_tree,
    too_old,
)
from tests.association.trees import aged, change_files, removed

pytestmark = pytest.mark.real


@pytest.fixture
def answer(real_data: Path) -> Path:
    (path,) = (real_data / "calselector-fors2").glob("*.xml")
    return path


@pytest.fixture
def tree(answer: Path) -> AssociationTree:
    return read_tree(answer)


def test_it_has_22_associations_and_51_distinct_files(tree: AssociationTree) -> None:
    assert tree.n_associations == 22
    assert len(tuple(tree.entries())) == 190
    assert len(tree.distinct_files) == len(gather(tree)) == 51
    assert (tree.category, tree.mode, tree.certified, tree.complete) == (
        "SCI_IMG_2x2_low",
        "Raw2Raw",
        True,
        True,
    )
    assert tree.main_files[0].name == gather(tree)[0].dp_id == "FORS2.2021-01-02T00:59:12.533"
    assert [child.category for child in tree.children] == [
        "FLAT_SKY",
        "STD_IMA",
        "STD_IMA",
        "STD_IMA",
        "BIAS",
    ]


def test_it_is_written_as_the_service_wrote_it(answer: Path, tree: AssociationTree) -> None:
    assert print_tree(tree) == answer.read_text(encoding="utf-8")


def test_it_does_not_differ_from_itself(tree: AssociationTree) -> None:
    assert compare_trees(tree, tree) == ()


def test_each_single_file_that_is_changed_is_found(tree: AssociationTree) -> None:
    for i, (_, one) in enumerate(tree.walk()):
        for j, entry in enumerate(one.main_files[:2]):
            (missing,) = compare_trees(change_files(tree, {(i, j): removed}), tree)
            assert (missing.kind, missing.theirs) == ("missing file", entry.name)
            (older,) = compare_trees(change_files(tree, {(i, j): aged}), tree)
            assert (older.kind, older.theirs) == ("other file", entry.name)


def test_it_is_within_seven_and_a_half_days_and_a_file_made_older_is_not(tree: AssociationTree) -> None:
    limits = {"BIAS": 7.5, "FLAT_SKY": 7.5, "STD_IMA": 1.0}
    assert too_old(tree, limits) == ()
    (found,) = too_old(change_files(tree, {(2, 3): aged}), limits)
    assert found.path == ("SCI_IMG_2x2_low", "FLAT_SKY", "BIAS")
    assert found.ours == "FORS2.2020-11-26T08:55:40.764"
    assert "the calibration plan allows 7.5 d" in found.text
