"""MUSE: its groups, the modes that serve each other, and the tables of what muse_bias measures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.io import fits

from qcbench.instruments import InstrumentPack, find_pack
from qcbench.oca import matches
from tests.instruments.pipelines import Header, Night, observe, run_recipe, unmet_needs


@pytest.fixture(scope="module")
def pack() -> InstrumentPack:
    return find_pack("muse")


@pytest.fixture(scope="module")
def night(night_of: Callable[[str], Night]) -> Night:
    return night_of("muse")


def test_a_night_is_grouped_by_template(night: Night) -> None:
    groups = night.groups_by_action()
    assert {action: [len(made.members) for made in found] for action, found in groups.items()} == {
        "BIAS": [11],
        "DARK": [3],
        "FLAT": [11],
        "ILLUM": [1, 1],
        "WAVE": [15],
        "LSF": [15],
        "TWILIGHT": [4],
        "STD": [1],
        "STD_FLUX": [1],
        "ASTROMETRY": [1],
        "ASTROMETRY_FIT": [1],
        "SKY": [1],
        "SKY_MODEL": [1],
        "SCIENCE": [2],
        "SCIENCE_CUBE": [2],
    }


def test_arcs_of_a_wide_field_serve_a_mode_with_adaptive_optics_but_not_another_range(
    pack: InstrumentPack, night: Night
) -> None:
    def mode(name: str) -> list[Header]:
        return [
            keys | {"INS.MODE": name} if keys["RAW.TYPE"] == "TWILIGHT" else keys
            for keys in night.frames
            if keys["RAW.TYPE"] in ("BIAS", "FLAT", "WAVE", "TWILIGHT")
        ]

    assert unmet_needs(pack, mode("WFM-AO-N")) == [("TWILIGHT", "MASTER_FLAT")]
    assert unmet_needs(pack, mode("WFM-NOAO-E")) == [
        ("TWILIGHT", "MASTER_FLAT"),
        ("TWILIGHT", "TRACE_TABLE"),
        ("TWILIGHT", "WAVECAL_TABLE"),
    ]


@pytest.mark.parametrize(("mode", "taken"), [("WFM-AO-N", True), ("NFM-AO-N", True), ("WFM-NOAO-N", False)])
def test_lines_of_the_laser_go_with_observations_with_adaptive_optics(
    pack: InstrumentPack, mode: str, taken: bool
) -> None:
    (lines,) = (
        association
        for association in pack.rules.action("SCIENCE_CUBE").associations
        if association.tag == "RAMAN_LINES"
    )
    assert matches(lines.condition, {"PRO.CATG": "RAMAN_LINES"}, {"INS.MODE": mode}) is taken


@pytest.mark.long
@pytest.mark.esorex
def test_muse_bias_finds_the_readout_noise_of_an_ifu(pack: InstrumentPack, tmp_path: Path) -> None:
    night = observe(pack, tmp_path, None, ["BIAS"], nexp=3)
    run_recipe("muse_bias", ((path, "BIAS") for path in night.files("BIAS")), tmp_path / "run", "--nifu=6")
    with fits.open(tmp_path / "run" / "MASTER_BIAS-06.fits") as product:
        header = product[0].header
    for quadrant in range(1, 5):
        assert header[f"ESO QC BIAS MASTER{quadrant} RON"] == pytest.approx(night.truth["ron"][0], rel=0.1)
    for column in pack.tables["muse_bias"].columns:
        assert f"ESO {column.key.replace('.', ' ')}" in header, column.name
