"""The rules of the packs do what was planned: as the installed pipelines want it, but for what is listed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product

import pytest

from qcbench.instruments import InstrumentPack, find_pack
from qcbench.oca import classify
from tests.instruments.pipelines import (
    Header,
    Night,
    groups,
    installed_rules,
    raw_types,
    unknown_to_the_recipe,
    unmet_needs,
    without_source,
)
from tests.instruments.planned import PLANNED, Frame


@dataclass(frozen=True)
class Intended:
    """What a pack means to do otherwise than its pipeline, or than the other packs."""

    pipeline: str | None
    # raw types that are only listed
    without_recipe: set[str]
    # by raw type and DPR.TYPE, the tag that the installed rules give instead of ours
    tags: Mapping[tuple[str, str], str | None] = field(default_factory=dict)
    # raw types of frames that are not grouped as the installed rules do
    grouped_otherwise: set[str] = field(default_factory=set)
    # actions that work on products, by the raw frames of another
    second_steps: set[str] = field(default_factory=set)
    # calibrations that a recipe writes besides what its action predicts
    made_besides: set[tuple[str, str]] = field(default_factory=set)
    # simulated templates that are not called after their raw type
    templates: Mapping[str, str] = field(default_factory=dict)


PACKS = {
    "hawki": Intended(
        pipeline="hawki",
        without_recipe={
            *("STD", "LINEARITY", "DISTORTION", "TECH_STD", "TECH_ASTROMETRY", "TECH_FOCUS", "TECH_FLAT"),
            *("ACQUISITION", "TEST"),
        },
        tags={
            # theirs are of recipes that are gone; hawki_detector_noise wants DARK and FLAT_TWILIGHT
            ("DETECTOR_NOISE", "DARK,DETCHECK"): "DETLIN_DARK",
            ("DETECTOR_NOISE", "FLAT,LAMP,DETCHECK"): "DETLIN_LAMP",
            # they look at DPR.TYPE alone; no frame shall be unclassified
            ("TEST", "OTHER"): None,
        },
        # no rule of theirs takes these tags
        grouped_otherwise={"DETECTOR_NOISE"},
        templates={
            "OBJECT": "SCI_IMAGE",
            "DETNOISE_DARK": "DETECTOR_NOISE",
            "DETNOISE_FLAT": "DETECTOR_NOISE",
        },
    ),
    "naco": Intended(
        pipeline="naco",
        without_recipe={
            *("ACQUISITION", "TEST", "DETECTOR_MONITOR"),
            *("SPC_STD", "POL_LAMP_FLAT", "POL_STD", "CORO_LAMP_FLAT", "CORO_STD"),
            *("SDI_FLAT", "FPI_ARC", "FPI_FLAT"),
            *("SCI_CHOPPING", "SCI_POL_WOLLASTON", "SCI_SPC_JITTER", "SCI_CORO", "SCI_SDI", "SCI_FPI"),
        },
        # they know acquisitions on the sky only; no frame shall be unclassified
        tags={("ACQUISITION", "OBJECT"): None},
    ),
    "uves": Intended(
        pipeline="uves",
        without_recipe={
            *("ACQUISITION", "TEST"),
            *("SKY_FLAT_BLUE", "SKY_FLAT_RED"),
            *("SCREEN_FLAT_BLUE", "LINEARITY_BLUE"),
            *("SCREEN_FLAT_RED", "LINEARITY_RED"),
            *("SFLAT_MOS_RED", "FFLAT_MOS_RED", "NFLAT_MOS_RED", "ORDERDEF_MOS_RED"),
            *("FMTCHK_MOS_RED", "WAVE_MOS_RED", "SCI_MOS_RED"),
        },
        tags={
            # no response comes of stars without known fluxes
            ("STD_TELL_BLUE", "STD,TELLURIC"): "STANDARD_BLUE",
            ("STD_TELL_RED", "STD,TELLURIC"): "STANDARD_RED",
            # they have a raw type there, and DO.CLASS for the tag
            ("SOLAR_SPEC_ECH_BLUE", "SKY,RADIAL_VELOCITY"): None,
            ("SOLAR_SPEC_ECH_RED", "SKY,RADIAL_VELOCITY"): None,
        },
    ),
    "giraffe": Intended(
        pipeline="giraf",
        without_recipe={
            *("ACQUISITION", "TEST", "DETECTOR_MONITOR"),
            *("IMAGE_FLAT", "SKY_FLAT", "SIMCAL", "SLITLAMP"),
        },
        # the flat recipe refuses their tag: it knows FIBER_FLAT alone
        tags={("NASMYTH_FLAT", "LAMP,FLAT,NASMYTH"): "NASMYTH_FLAT"},
    ),
    "muse": Intended(
        pipeline="muse",
        without_recipe={"LINEARITY", "ILLUM", "THRUPUT", "ACQ", "TEST"},
        # on the mountain a recipe of its own (muse_illum) makes ILLUM of the raw frame; the offline recipes take
        # the raw one
        tags={("ILLUM", "FLAT,LAMP,ILLUM"): "ILLUMFLAT"},
        # sky and object are reduced by different recipes
        grouped_otherwise={"SKY", "SCIENCE"},
        second_steps={"STD_FLUX", "ASTROMETRY_FIT", "SKY_MODEL", "SCIENCE_CUBE"},
        templates={"OBJECT": "SCIENCE"},
    ),
    "vimos": Intended(
        pipeline="vimos",
        without_recipe={
            *("ACQ", "SCREEN_FLAT", "LINEARITY", "ASTROMETRY"),
            *("FOCUS", "CENTER", "FLEXURE", "MASK_TO_CCD", "IMG_ARC", "TEST"),
            *("MOS_IMAGE_FLAT", "IFU_IMAGE_FLAT", "SPEC_TEC"),
        },
        # The installed rules are for older imaging recipes (vmim...), which are no longer installed; ours have the
        # tags of the recipes that took their place (vimos_ima_...). They know no acquisition but through slits.
        tags={
            ("SKYFLAT", "FLAT,SKY"): "IMG_SKY_FLAT",
            ("DETNOISE", "BIAS,DETCHECK"): "DETMON_LAMP_OFF",
            ("DETNOISE", "FLAT,LAMP,DETCHECK"): "DETMON_LAMP_ON",
            ("STD_IMG", "STD"): "IMG_STANDARD",
            ("SCI_IMG", "OBJECT"): "IMG_SCIENCE",
            ("SCI_PRE", "OBJECT"): "IMG_PREIMAGING",
            ("ACQ", "OBJECT"): None,
            # they know tests of some kinds only
            ("TEST", "OTHER"): None,
        },
        # theirs take all quadrants of spectroscopy together, ours each by itself; theirs take exposures of imaging
        # one by one, where the newer recipes take the four quadrants together
        grouped_otherwise={
            *("STD_IMG", "SCI_IMG", "BIAS_SPEC", "DARK_SPEC"),
            *("MOS_CAL", "SCI_MOS", "IFU_CAL"),
        },
        templates={
            f"{raw_type}_{kind}": raw_type if raw_type == "DETNOISE" else f"{raw_type}_CAL"
            for raw_type, kinds in (
                ("DETNOISE", ("BIAS", "FLAT")),
                ("MOS", ("FLAT", "ARC")),
                ("IFU", ("FLAT", "ARC")),
            )
            for kind in kinds
        },
    ),
    # no package of Debian has the pipeline
    "fors2": Intended(
        pipeline=None,
        without_recipe={"ACQ"},
        templates={
            f"{mode}_{kind}": f"LAMP_{mode}" for mode, kind in product(("LSS", "MOS", "MXU"), ("FLAT", "ARC"))
        },
    ),
}
INSTALLED = [name for name, intended in PACKS.items() if intended.pipeline]
# the recipes of the others don't name all their tags in their help
TOLD_BY_HELP = ["hawki", "muse", "vimos"]
# tags of what a recipe takes where that is not the frames of the raw type: pixel tables are products
TAKEN: dict[str, dict[str, list[str]]] = {
    "hawki": {},
    "muse": {
        "LSF": ["ARC", "ARC_LSF"],
        "STD_FLUX": [],
        "ASTROMETRY_FIT": [],
        "SKY_MODEL": [],
        "SCIENCE_CUBE": [],
    },
    "vimos": {},
}


def frames_of(*names: str) -> list[object]:
    return [
        pytest.param(name, frame, id=f"{name}-{frame.raw_type}-{frame.type}-{frame.tech}")
        for name in names
        for frame in PLANNED[name]
    ]


def tag_of_the_installed_rules(name: str, keys: Header) -> object:
    return classify(installed_rules(str(PACKS[name].pipeline)), keys).assigned.get("DO.CATG")


def expected_tag(name: str, raw_type: object, kind: object, tag: object) -> object:
    return PACKS[name].tags.get((str(raw_type), str(kind)), tag)


@pytest.fixture(params=PACKS)
def pack(request: pytest.FixtureRequest) -> InstrumentPack:
    return find_pack(request.param)


@pytest.mark.parametrize(("name", "frame"), frames_of(*PACKS))
def test_a_frame_gets_its_raw_type_and_its_tag(name: str, frame: Frame) -> None:
    assert classify(find_pack(name).rules, frame.keys).assigned == {
        "RAW.TYPE": frame.raw_type,
        "DO.CATG": frame.tag,
    }


@pytest.mark.esorex
@pytest.mark.parametrize(("name", "frame"), frames_of(*INSTALLED))
def test_the_installed_rules_give_the_same_tag(name: str, frame: Frame) -> None:
    expected = expected_tag(name, frame.raw_type, frame.type, frame.tag)
    assert tag_of_the_installed_rules(name, frame.keys) == expected


def test_every_tag_that_is_listed_as_different_is_one(pack: InstrumentPack) -> None:
    ours = {(frame.raw_type, frame.type): frame.tag for frame in PLANNED[pack.name]}
    assert {place for place, tag in PACKS[pack.name].tags.items() if ours[place] == tag} == set()


def test_every_raw_type_is_tried_here_and_has_an_action(pack: InstrumentPack) -> None:
    actions = {action.name for action in pack.rules.actions}
    assert {frame.raw_type for frame in PLANNED[pack.name]} == raw_types(pack)
    assert actions == raw_types(pack) | PACKS[pack.name].second_steps


def test_the_actions_without_a_recipe_are_listed(pack: InstrumentPack) -> None:
    found = {action.name for action in pack.rules.actions if action.recipe is None}
    assert found == PACKS[pack.name].without_recipe


def test_simulated_frames_are_what_the_night_says(
    pack: InstrumentPack, night_of: Callable[[str], Night]
) -> None:
    night, names = night_of(pack.name), PACKS[pack.name].templates
    truth = dict(zip(night.truth["arcfile"], night.truth["raw_type"], strict=True))
    found = {str(keys["ARCFILE"]): keys["RAW.TYPE"] for keys in night.frames}
    assert found == {name: names.get(str(raw_type), raw_type) for name, raw_type in truth.items()}


@pytest.mark.esorex
@pytest.mark.parametrize("name", INSTALLED)
def test_simulated_frames_get_the_tag_of_the_installed_rules(
    name: str, night_of: Callable[[str], Night]
) -> None:
    night = night_of(name)
    for bare, keys in zip(night.headers, night.frames, strict=True):
        expected = expected_tag(name, keys["RAW.TYPE"], keys["DPR.TYPE"], keys["DO.CATG"])
        assert tag_of_the_installed_rules(name, bare) == expected, keys["ARCFILE"]


@pytest.mark.esorex
@pytest.mark.parametrize("name", INSTALLED)
def test_the_groups_are_those_of_the_installed_rules(name: str, night_of: Callable[[str], Night]) -> None:
    night = night_of(name)
    ours = groups(night.pack.rules, night.headers)
    theirs = groups(installed_rules(str(PACKS[name].pipeline)), night.headers)
    raw_type = {str(keys["ARCFILE"]): str(keys["RAW.TYPE"]) for keys in night.frames}
    otherwise = {raw_type[frame] for members in ours ^ theirs for frame in members}
    assert otherwise == PACKS[name].grouped_otherwise


@pytest.mark.esorex
@pytest.mark.parametrize("name", TOLD_BY_HELP)
def test_recipes_know_the_tags_that_they_are_given(name: str) -> None:
    for action in find_pack(name).rules.actions:
        if action.recipe:
            own = [frame.tag for frame in PLANNED[name] if frame.raw_type == action.name]
            tags = TAKEN[name].get(action.name, own)
            assert unknown_to_the_recipe(action, tags) == set(), action.name


def test_every_calibration_that_is_not_general_is_made_by_an_action(pack: InstrumentPack) -> None:
    assert without_source(pack) == PACKS[pack.name].made_besides


def test_a_night_calibrates_itself(pack: InstrumentPack, night_of: Callable[[str], Night]) -> None:
    assert unmet_needs(pack, night_of(pack.name).frames) == []
