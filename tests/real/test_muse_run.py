"""A real MUSE run: its frames are grouped as they were taken, and the rules say what its pipeline really made."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from qcbench.instruments import InstrumentPack, find_pack, product_category
from qcbench.oca import Group, Grouping, Value, classify, group, load_rules, matches
from tests.muse_run import all_headers, raw_headers, read_only

pytestmark = pytest.mark.real

Frames = list[dict[str, Value]]


@pytest.fixture(scope="module")
def pack() -> InstrumentPack:
    return find_pack("muse")


@pytest.fixture(scope="module")
def frames(real_data: Path, pack: InstrumentPack) -> Frames:
    """The headers of the raw frames, classified."""
    return [header | classify(pack.rules, header).assigned for header in raw_headers(real_data)]


@pytest.fixture(scope="module")
def grouping(frames: Frames, pack: InstrumentPack) -> Grouping:
    return group(pack.rules, frames)


def template_of(made: Group) -> str:
    return str(dict(made.key_values)["TPL.START"])


def test_the_143_frames_form_19_groups_by_template_with_the_right_raw_types(
    frames: Frames, grouping: Grouping
) -> None:
    assert len(frames) == 143
    assert not grouping.too_small
    assert not grouping.ungrouped
    templates = {(template_of(made), made.members) for made in grouping.groups}
    assert len(templates) == len({start for start, _ in templates}) == 19
    raw_types = Counter((str(frames[members[0]]["RAW.TYPE"]), len(members)) for _, members in templates)
    assert raw_types == {
        ("BIAS", 11): 4,
        ("DARK", 5): 1,
        ("FLAT", 11): 3,
        ("WAVE", 15): 3,
        ("TWILIGHT", 4): 1,
        ("ILLUM", 1): 5,
        ("STD", 1): 1,
        ("SCIENCE", 6): 1,
    }
    for _, members in templates:
        assert len({frames[index]["RAW.TYPE"] for index in members}) == 1


def test_templates_that_need_two_recipes_are_two_groups_of_the_same_frames(grouping: Grouping) -> None:
    actions = defaultdict(set)
    for made in grouping.groups:
        actions[made.members].add((made.action, made.organizer.group_alias))
    doubles = sorted(sorted(found) for found in actions.values() if len(found) > 1)
    assert doubles == [
        [("LSF", ("TPL_A", "lsf")), ("WAVE", ("TPL_A", "tpl"))],
        [("LSF", ("TPL_A", "lsf")), ("WAVE", ("TPL_A", "tpl"))],
        [("LSF", ("TPL_A", "lsf")), ("WAVE", ("TPL_A", "tpl"))],
        [("SCIENCE", ("TPL_A", "tpl")), ("SCIENCE_CUBE", ("TPL_A", "cube"))],
        [("STD", ("TPL_A", "tpl")), ("STD_FLUX", ("TPL_A", "flux"))],
    ]


def test_a_bias_set_of_another_mode_is_a_group_like_the_others(frames: Frames, grouping: Grouping) -> None:
    modes = [
        {str(frames[index]["INS.MODE"]) for index in made.members}
        for made in grouping.groups
        if made.action == "BIAS"
    ]
    assert sorted(map(sorted, modes)) == [["WFM-AO-N"], ["WFM-AO-N"], ["WFM-AO-N"], ["WFM-NOAO-N"]]


def test_the_12_files_without_dpr_keys_are_general_calibrations(
    real_data: Path, pack: InstrumentPack
) -> None:
    classified = {
        str(header["ARCFILE"]): classify(pack.rules, header).assigned for header in all_headers(real_data)
    }
    general = {name: keys for name, keys in classified.items() if "RAW.TYPE" not in keys}
    assert len(classified) == 155
    assert len(general) == 12
    assert all(name.startswith("M.MUSE.") for name in general)
    # three files have neither OBJECT nor ORIGFILE: nothing in the tables says what they are
    categories = Counter(str(keys["DO.CATG"]) for keys in general.values() if "DO.CATG" in keys)
    assert categories == {
        "ASTROMETRY_REFERENCE": 1,
        "ASTROMETRY_WCS": 1,
        "BADPIX_TABLE": 1,
        "GEOMETRY_TABLE": 1,
        "LINE_CATALOG": 1,
        "LSF_PROFILE": 2,
        "SKY_LINES": 1,
        "VIGNETTING_MASK": 1,
    }
    assert set(categories) <= set(pack.instrument.static)


def predicted(grouping: Grouping, pack: InstrumentPack) -> dict[tuple[str, str], set[str]]:
    """Product categories by template and recipe, as the rules say."""
    found = {}
    for made in grouping.groups:
        action = pack.rules.action(made.action)
        if action.recipe:
            found[template_of(made), action.recipe] = {product_category(item) for item in action.products}
    return found


def really_made(folder: Path, frames: Frames) -> dict[tuple[str, str], set[str]]:
    """Product categories by template and recipe, as the run has them; pixel tables go by the time of their frame."""
    template = {str(frame["ARCFILE"])[5:-5]: str(frame["TPL.START"]) for frame in frames}
    found = defaultdict(set)
    with closing(read_only(folder)) as run:
        for recipe, name, category in run.execute("SELECT recipe_name, name, DPR_TYPE FROM reduced_0_1"):
            found[template.get(name, name), recipe].add(category)
    return found


def test_recipes_and_products_of_calibrations_are_those_of_the_run(
    real_data: Path, frames: Frames, grouping: Grouping, pack: InstrumentPack
) -> None:
    calibrations = {str(frame["TPL.START"]) for frame in frames if frame["DPR.CATG"] == "CALIB"}
    real = {
        place: categories
        for place, categories in really_made(real_data, frames).items()
        if place[0] in calibrations
    }
    # the run did not use its darks
    ours = {
        place: categories
        for place, categories in predicted(grouping, pack).items()
        if place[0] in calibrations and place[1] != "muse_dark"
    }
    assert Counter(recipe for _, recipe in real) == {
        "muse_bias": 4,
        "muse_flat": 3,
        "muse_wavecal": 3,
        "muse_lsf": 3,
        "muse_twilight": 1,
        "muse_scibasic": 1,
        "muse_standard": 1,
    }
    assert ours == real


def test_science_exposures_go_through_the_recipes_of_the_run(
    real_data: Path, frames: Frames, grouping: Grouping, pack: InstrumentPack
) -> None:
    real, ours = really_made(real_data, frames), predicted(grouping, pack)
    (science,) = {template for template, recipe in ours if recipe == "muse_scipost"}
    assert ours[science, "muse_scibasic"] == real[science, "muse_scibasic"]
    assert ours[science, "muse_scipost"] <= real[science, "muse_scipost"]


def test_every_calibration_that_a_group_needs_was_taken_within_its_validity(
    frames: Frames, grouping: Grouping, pack: InstrumentPack
) -> None:
    products = [
        frames[made.members[0]] | {"PRO.CATG": product_category(product)}
        for made in grouping.groups
        for product in pack.rules.action(made.action).products
    ]
    checked = 0
    for made in grouping.groups:
        own = frames[made.members[0]]
        for association in pack.rules.action(made.action).associations:
            if (
                association.source == "calibFiles"
                and association.min_ret
                and association.tag not in pack.instrument.static
            ):
                assert any(matches(association.condition, product, own) for product in products), (
                    made.action,
                    association.tag,
                )
                checked += 1
    assert checked == 33


def test_exposures_on_the_sky_find_an_illumination_flat_of_the_same_hours(
    frames: Frames, grouping: Grouping, pack: InstrumentPack
) -> None:
    for made in grouping.groups:
        for association in pack.rules.action(made.action).associations:
            if association.tag == "ILLUM":
                own = frames[made.members[0]]
                assert any(matches(association.condition, frame, own) for frame in frames), made.action


def test_qc1_tables_ask_for_parameters_that_the_products_of_the_run_have(
    real_data: Path, pack: InstrumentPack
) -> None:
    with closing(read_only(real_data)) as run:
        for name, table in pack.tables.items():
            known = {row[1] for row in run.execute(f'PRAGMA table_info("qc_{table.product}")')}
            for column in table.columns:
                if column.key.startswith("QC.") and name != "muse_dark":
                    key = column.key.replace("{detector}", table.detectors.names[0])
                    assert key.replace(".", "_") in known, (name, key)


@pytest.mark.esorex
def test_the_rules_of_the_installed_pipeline_classify_the_frames_alike(frames: Frames) -> None:
    (path,) = Path("/usr/share/cpl-plugins").glob("muse-*/gasgano/config/muse.oca")
    installed = load_rules(path)
    differing = Counter()
    for frame in frames:
        bare = {key: value for key, value in frame.items() if key not in ("RAW.TYPE", "DO.CATG")}
        theirs = classify(installed, bare).assigned["DO.CATG"]
        if theirs != frame["DO.CATG"]:
            differing[str(frame["DO.CATG"]), str(theirs)] += 1
    # on the mountain a recipe of its own makes ILLUM of them; the offline recipes take the raw frame as ILLUM
    assert differing == {("ILLUM", "ILLUMFLAT"): 5}
