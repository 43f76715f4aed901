"""GIRAFFE: its cascade, and what its recipes find in the simulated frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qcbench.instruments import find_pack
from qcbench.oca import cascade_of
from tests.instruments.pipelines import Night, classified, measured, observe, run_recipe, unmet_needs


def test_bias_flat_arc_and_science_follow_each_other() -> None:
    cascade = cascade_of(find_pack("giraffe").rules)
    assert not cascade.cycles
    order = ("BIAS", "DARK", "FLAT", "NASMYTH_FLAT", "ARC", "STD", "SCIENCE")
    assert [cascade.depth(action) for action in order] == [0, 1, 2, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("slit", "lamp", "needs"),
    [
        ("Medusa1", "LAMP,FLAT", set()),
        ("Medusa1", "LAMP,FLAT,NASMYTH", {"ARC", "SCIENCE"}),
        ("IFU2", "LAMP,FLAT,NASMYTH", {"ARC", "SCIENCE"}),
        ("Argus", "LAMP,FLAT,NASMYTH", {"ARC"}),
        ("Argus", "LAMP,FLAT", {"SCIENCE"}),
    ],
)
def test_flats_of_the_nasmyth_screen_serve_science_through_argus_alone(
    night_of: Callable[[str], Night], slit: str, lamp: str, needs: set[str]
) -> None:
    night = night_of("giraffe")
    frames = [
        classified(
            night.pack.rules,
            keys | {"INS.SLIT.NAME": slit} | ({"DPR.TYPE": lamp} if keys["RAW.TYPE"] == "FLAT" else {}),
        )
        for keys in night.frames
    ]
    flats = {"FF_LOCCENTROID", "FF_LOCWIDTH", "FF_EXTSPECTRA", "FF_EXTERRORS"}
    unmet = unmet_needs(night.pack, frames)
    assert {action for action, tag in unmet if tag in flats} == needs
    assert {tag for _, tag in unmet} <= flats


@pytest.mark.esorex
@pytest.mark.long
def test_the_recipes_find_the_readout_noise_and_the_dark_current(tmp_path: Path) -> None:
    # the recipes want the whole detector
    night = observe(find_pack("giraffe"), tmp_path, None)
    run_recipe("gimasterbias", ((path, "BIAS") for path in night.files("BIAS")), tmp_path / "bias")
    bias = measured("giraffe", "giraffe_bias", tmp_path / "bias" / "master_bias.fits")
    assert bias["ron_raw"] == pytest.approx(night.ron("BIAS", "CCD"), rel=0.05)
    assert None not in bias.values()

    frames = [(path, "DARK") for path in night.files("DARK")]
    masters = [
        (tmp_path / "bias" / "master_bias.fits", "MASTER_BIAS"),
        (tmp_path / "bias" / "bad_pixel_map.fits", "BAD_PIXEL_MAP"),
    ]
    run_recipe("gimasterdark", [*frames, *masters], tmp_path / "dark")
    dark = measured("giraffe", "giraffe_dark", tmp_path / "dark" / "master_dark.fits")
    assert dark["dark_current"] == pytest.approx(3600.0 * night.of("DARK")["dark_current"][0], abs=0.1)
    assert None not in dark.values()
