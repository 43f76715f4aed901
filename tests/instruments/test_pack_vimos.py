"""VIMOS: four quadrants together for imaging, one by one for spectroscopy; and what its recipes measure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qcbench.fits import read_header
from qcbench.instruments import InstrumentPack, find_pack
from qcbench.oca import group
from qcbench.qc1 import measure
from tests.instruments.pipelines import Header, Night, classified, observe, run_recipe, unmet_needs


@pytest.fixture(scope="module")
def pack() -> InstrumentPack:
    return find_pack("vimos")


@pytest.fixture(scope="module")
def night(night_of: Callable[[str], Night]) -> Night:
    return night_of("vimos")


def only_its_own_filter(pack: InstrumentPack, keys: Header, name: str) -> Header:
    """Give keys as the real instrument writes them: a quadrant knows its own filter alone."""
    bare = {key: value for key, value in keys.items() if not key.startswith("INS.FILT")}
    return classified(pack.rules, bare | {f"INS.FILT{keys['OCS.CON.QUAD']}.NAME": name})


def test_imaging_takes_all_quadrants_together_and_spectroscopy_each_by_itself(night: Night) -> None:
    for action, found in night.groups_by_action().items():
        quadrants = [{night.frames[index]["OCS.CON.QUAD"] for index in made.members} for made in found]
        together = action.endswith("_IMG") or action in ("SKYFLAT", "DETNOISE")
        assert quadrants == ([{1, 2, 3, 4}] if together else [{1}, {2}]), action


@pytest.mark.parametrize("raw_type", ["SKYFLAT", "STD_IMG"])
def test_a_template_of_two_filters_makes_a_group_of_each(
    pack: InstrumentPack, night: Night, raw_type: str
) -> None:
    taken = [keys for keys in night.frames if keys["RAW.TYPE"] == raw_type]
    in_r = [only_its_own_filter(pack, keys, "R") for keys in taken]
    in_v = [only_its_own_filter(pack, keys, "V") for keys in taken]
    frames = [*in_r, *in_v]
    found = group(pack.rules, frames).groups
    assert [len(made.members) for made in found] == [len(taken), len(taken)]
    for made, name in zip(found, ("R", "V"), strict=True):
        assert {frames[index]["INS.FILT.NAME"] for index in made.members} == {name}
        assert {frames[index]["OCS.CON.QUAD"] for index in made.members} == {1, 2, 3, 4}


def test_a_flat_of_another_filter_does_not_serve_whatever_quadrant_comes_first(
    pack: InstrumentPack, night: Night
) -> None:
    imaging = [keys for keys in night.frames if str(keys["RAW.TYPE"]) in ("SKYFLAT", "STD_IMG", "DARK_IMG")]
    imaging += [keys for keys in night.frames if str(keys["RAW.TYPE"]) in ("BIAS_IMG", "DETNOISE")]
    # the standard star starts with the second quadrant, the flat with the first
    shifted = [
        keys | {"MJD-OBS": float(str(keys["MJD-OBS"])) - 0.0001}
        if keys["RAW.TYPE"] == "STD_IMG" and keys["OCS.CON.QUAD"] == 2
        else keys
        for keys in imaging
    ]
    same = [only_its_own_filter(pack, keys, "R") for keys in shifted]
    other = [
        only_its_own_filter(pack, keys, "V" if keys["RAW.TYPE"] == "STD_IMG" else "R") for keys in shifted
    ]
    assert unmet_needs(pack, same) == []
    assert unmet_needs(pack, other) == [
        ("STD_IMG", "MASTER_TWILIGHT_FLAT"),
        ("STD_IMG", "MASTER_CONF"),
    ]


@pytest.mark.long
@pytest.mark.esorex
def test_imaging_recipes_take_simulated_frames_and_measure_what_the_tables_ask(
    pack: InstrumentPack, tmp_path: Path
) -> None:
    night = observe(pack, tmp_path, None, ["BIAS_IMG", "DARK_IMG"], nexp=3)
    frames = {
        kind: [
            (path, str(keys["DO.CATG"]))
            for path, keys in zip(night.paths.values(), night.frames, strict=True)
            if keys["RAW.TYPE"] == kind
        ]
        for kind in ("BIAS_IMG", "DARK_IMG")
    }
    run_recipe("vimos_ima_bias", frames["BIAS_IMG"], tmp_path / "bias")
    bias = tmp_path / "bias" / "biascomb.fits"
    run_recipe("vimos_ima_dark", [*frames["DARK_IMG"], (bias, "MASTER_BIAS")], tmp_path / "dark")
    for table, product in (("vimos_bias_img", bias), ("vimos_dark_img", tmp_path / "dark" / "darkcomb.fits")):
        rows = measure(read_header(product), pack.tables[table])
        assert [row.detector for row in rows] == ["CCD-59B", "CCD-59A", "CCD-60A", "CCD-60B"]
        asked = {column.name for column in pack.tables[table].columns if column.kind != "FILTER"}
        for row in rows:
            assert all(row.values[name] is not None for name in asked), table


@pytest.mark.long
@pytest.mark.esorex
def test_vmbias_finds_the_readout_noise_of_a_quadrant(pack: InstrumentPack, tmp_path: Path) -> None:
    night = observe(pack, tmp_path, None, ["BIAS_SPEC"], nexp=3)
    frames = [
        (path, "BIAS")
        for path, keys in zip(night.paths.values(), night.frames, strict=True)
        if keys["OCS.CON.QUAD"] == 2
    ]
    run_recipe("vmbias", frames, tmp_path / "run")
    (row,) = measure(read_header(tmp_path / "run" / "master_bias.fits"), pack.tables["vimos_bias_spec"])
    assert row.values["quadrant"] == 2
    assert row.values["ron"] == pytest.approx(night.ron("BIAS_SPEC", "CCD-59A/spec"), rel=0.05)
    assert all(value is not None for value in row.values.values())
