"""verify-ab finds each difference between two trees, and none between a tree and itself."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcbench.association.calselector import (
    AssociationTree,
    FileEntry,
    NameSets,
    compare_names,
    compare_trees,
    diff_text,
    too_old,
)
from qcbench.blocks import AssociatedLine, CalibrationLine, parse_block
from tests.association.trees import (
    aged,
    change_files,
    crowded_trees,
    name_at,
    plain_trees,
    removed,
    swapped,
    tree_of,
)

BIAS = tree_of("BIAS", 12, 12.5, match="calib_plan")
SCI = tree_of(
    "SCI", 0, mode="Raw2Raw", children=(tree_of("FLAT", 1, 2, match="calib_plan", children=(BIAS,)),)
)
KINDS = {removed: "missing file", swapped: "other file", aged: "other file"}


def kinds(ours: AssociationTree, theirs: AssociationTree) -> list[str]:
    return [item.kind for item in compare_trees(ours, theirs)]


def shuffled(tree: AssociationTree, source: random.Random) -> AssociationTree:
    """The same tree with files and associations in another order."""
    files, children = list(tree.main_files), [shuffled(child, source) for child in tree.children]
    source.shuffle(files)
    source.shuffle(children)
    return replace(tree, main_files=tuple(files), children=tuple(children))


@given(crowded_trees, st.randoms(use_true_random=False))
def test_a_tree_does_not_differ_from_itself_in_any_order(
    tree: AssociationTree, source: random.Random
) -> None:
    assert compare_trees(tree, shuffled(tree, source)) == ()


@given(crowded_trees, crowded_trees)
def test_there_are_as_many_differences_the_other_way_round(
    one: AssociationTree, other: AssociationTree
) -> None:
    turned = {
        "missing file": "additional file", "additional file": "missing file",
        "missing association": "additional association", "additional association": "missing association",
    }  # fmt: skip
    assert Counter(kinds(one, other)) == Counter(turned.get(kind, kind) for kind in kinds(other, one))


@given(crowded_trees, crowded_trees)
def test_trees_without_a_difference_have_the_same_files(one: AssociationTree, other: AssociationTree) -> None:
    if not compare_trees(one, other):
        assert Counter(one.entries()) == Counter(other.entries())


@given(plain_trees(), st.data())
def test_each_file_that_is_removed_swapped_or_aged_is_found(
    tree: AssociationTree, data: st.DataObject
) -> None:
    places = [(i, j) for i, (_, one) in enumerate(tree.walk()) for j in range(len(one.main_files))]
    chosen = data.draw(st.dictionaries(st.sampled_from(places), st.sampled_from(list(KINDS)), min_size=1))
    found = compare_trees(change_files(tree, chosen), tree)
    assert Counter(item.kind for item in found) == Counter(KINDS[change] for change in chosen.values())
    assert Counter(item.path for item in found) == Counter(
        tuple(part.category for part in (*above, one))
        for i, (above, one) in enumerate(tree.walk())
        for place in chosen
        if place[0] == i
    )


@given(plain_trees(), st.data())
def test_each_file_that_is_beyond_the_calibration_plan_is_found(
    tree: AssociationTree, data: st.DataObject
) -> None:
    within = replace(tree, children=tuple(replace(child, match="calib_plan") for child in tree.children))
    limits = dict.fromkeys(["BIAS", "DARK", "FLAT"], 8.0)
    assert too_old(within, limits) == ()
    places = [
        (i, j)
        for i, (_, one) in enumerate(within.walk())
        if one.match == "calib_plan"
        for j in range(len(one.main_files))
    ]
    chosen = data.draw(st.sets(st.sampled_from(places))) if places else set()
    found = too_old(change_files(within, dict.fromkeys(chosen, aged)), limits)
    entries = [one.main_files for _, one in within.walk()]
    assert {item.ours for item in found} == {aged(entries[i][j]).name for i, j in chosen}
    assert len(found) == len(chosen)


def test_a_swap_says_both_names_and_how_much_older_the_file_is() -> None:
    (found,) = compare_trees(change_files(SCI, {(2, 1): aged}), SCI)
    assert (found.kind, found.path) == ("other file", ("SCI", "FLAT", "BIAS"))
    assert (found.ours, found.theirs) == ("TINY.2026-10-20T12:30:00.000", name_at(12.5))
    assert found.text.endswith(", 30.000 d older by its name")
    (turned,) = compare_trees(SCI, change_files(SCI, {(2, 1): aged}))
    assert turned.text.endswith(", 30.000 d younger by its name")


def test_a_name_without_a_time_tells_no_age() -> None:
    ours, theirs = (AssociationTree("A", main_files=(FileEntry("A", name),)) for name in ("x", "y"))
    assert compare_trees(ours, theirs)[0].text == "x here, y there"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"match": "N/A"}, ("validity", "N/A", "calib_plan")),
        ({"match": None}, ("validity", "", "calib_plan")),
        ({"complete": False}, ("completeness", "false", "true")),
        ({"certified": False}, ("certified", "false", "true")),
        ({"type": "other"}, ("type", "other", "main")),
        ({"children": ()}, ("missing association", "", "BIAS")),
        ({"children": (BIAS, BIAS)}, ("additional association", "BIAS", "")),
        ({"category": "SKY"}, ("other category", "SKY", "FLAT")),
    ],
)
def test_other_differences(change: dict[str, object], expected: tuple[str, str, str]) -> None:
    ours = replace(SCI, children=(replace(SCI.children[0], **change),))  # type: ignore[arg-type]
    (found,) = compare_trees(ours, SCI)
    assert (found.kind, found.ours, found.theirs) == expected


def test_raw2raw_against_raw2master_is_said() -> None:
    assert kinds(replace(SCI, mode="Raw2Master"), SCI) == ["mode"]


def test_a_file_of_another_category_is_one_difference() -> None:
    other = change_files(SCI, {(1, 0): lambda entry: replace(entry, category="SKY")})
    (found,) = compare_trees(other, SCI)
    assert (found.kind, found.ours, found.theirs) == ("other category", "SKY", "FLAT")


def test_the_ending_of_a_copy_on_disk_does_not_count() -> None:
    assert compare_trees(change_files(SCI, {(1, 0): lambda e: replace(e, name=f"{e.name}.fits")}), SCI) == ()


def test_associations_of_one_category_are_told_apart_by_their_files() -> None:
    first, second = tree_of("STD", 1, 2, children=(BIAS,)), tree_of("STD", 3, 4)
    ours = tree_of("SCI", 0, children=(second, tree_of("STD", 1, 9, children=(BIAS,))))
    (found,) = compare_trees(ours, tree_of("SCI", 0, children=(first, second)))
    assert (found.ours, found.theirs) == (name_at(9), name_at(2))


@pytest.mark.parametrize("limits", [{}, {"BIAS": 1.0}, {"DARK": 0.0}])
def test_what_has_no_limit_or_keeps_it_is_not_too_old(limits: dict[str, float]) -> None:
    assert too_old(SCI, limits) == ()


def test_masters_and_statics_are_never_too_old() -> None:
    masters = (FileEntry("BIAS", "M.TINY.2001-01-01T00:00:00.000"),)
    tree = replace(
        SCI, children=(replace(BIAS, main_files=masters), replace(tree_of("BPM", -9999), match="N/A"))
    )
    assert too_old(tree, {"BIAS": 1.0, "BPM": 1.0}) == ()


def test_the_age_counts_from_the_nearest_file_that_is_calibrated() -> None:
    above_master = tree_of("SCI", 0, 24, children=(
        AssociationTree("MASTER", main_files=(FileEntry("MASTER", "M.TINY.2001-01-01T00:00:00.000"),), children=(
            tree_of("BIAS", 36, 96, match="calib_plan"),
        )),
    ))  # fmt: skip
    (found,) = too_old(above_master, {"BIAS": 1.0})
    assert (found.kind, found.path, found.ours) == ("validity", ("SCI", "MASTER", "BIAS"), name_at(96))
    assert found.text == f"{name_at(96)} is 3.000 d after what it calibrates; the calibration plan allows 1 d"


def test_names_of_an_ab_are_compared_as_raw_files_and_as_masters() -> None:
    ab = replace(
        parse_block(f"RAWFILE {name_at(0)}.fits SCI\n", "x.ab"),
        associated=(AssociatedLine(f"{name_at(1)}.fits", "ACQ", "OK", 0.0),),
        calibrations=(
            CalibrationLine("MCALIB", "REAL", "TI_MBIA_1.fits", "MASTER_BIAS", "OK", 0.5),
            CalibrationLine("MASSOC", "REAL", "TI_GPHT_1.fits", "PHOT_TABLE", "OK", None),
        ),
    )
    ours = NameSets.of_block(ab, {"TI_MBIA_1.fits": "M.TINY.2026-11-20T00:00:00.000"})
    master = AssociationTree(
        "BIAS", main_files=(FileEntry("MASTER_BIAS", "M.TINY.2026-11-20T00:00:00.000"),), children=(BIAS,)
    )
    theirs = NameSets.of_tree(tree_of("SCI", 0, 2, children=(master,)))
    assert [(item.kind, item.path[0], item.ours or item.theirs) for item in compare_names(ours, theirs)] == [
        ("missing file", "RAWFILE+RASSOC", name_at(2)),
        ("additional file", "RAWFILE+RASSOC", name_at(1)),
        ("additional file", "MCALIB+MASSOC", "TI_GPHT_1"),
    ]
    assert compare_names(ours, ours) == ()


def test_the_diff_file_has_a_line_for_each_difference() -> None:
    hostile = replace(SCI, category="SCI/2x2 #1\n")
    ours = change_files(hostile, {(2, 0): removed, (2, 1): aged})
    assert diff_text(compare_trees(ours, hostile)).splitlines() == [
        "# 2 differences: kind, association, ours, theirs",
        f"other_file SCI%2F2x2%20%231%0A/FLAT/BIAS TINY.2026-10-20T12:30:00.000 {name_at(12)} "
        f"# TINY.2026-10-20T12:30:00.000 here, {name_at(12)} there, 29.979 d older by its name",
        f"missing_file SCI%2F2x2%20%231%0A/FLAT/BIAS - {name_at(12.5)} # {name_at(12.5)} is not here",
    ]
    assert diff_text(()) == "# 0 differences: kind, association, ours, theirs\n"
