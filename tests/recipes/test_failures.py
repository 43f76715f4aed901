"""A recipe that can't do its work says so by its exit code and its last line on stderr."""

from __future__ import annotations

import re

import numpy as np
import pytest
from astropy.io import fits


@pytest.fixture
def sof(detector):
    return detector.frames("DARK", 3)


def last_line(result):
    return result.stderr.strip().splitlines()[-1]


def test_the_last_line_on_stderr_can_be_parsed(sof, run_recipe):
    result = run_recipe("dark", [(path, "OTHER") for path, _ in sof])
    found = re.fullmatch(r"\[1/1\] '(.+)' \((\d+)\) at dark:(\w+):(\d+)", last_line(result))
    assert found
    assert found[1].startswith("The list of 3 frame(s) has no frames with tag: DARK")
    assert int(found[2]) == result.code == 10


def test_a_truncated_file_is_a_read_error(sof, run_recipe):
    content = sof[1][0].read_bytes()
    sof[1][0].write_bytes(content[: len(content) // 2])
    result = run_recipe("dark", sof)
    assert result.code == 6
    assert "DARK_1.fits: error reading from FITS file: it is truncated" in last_line(result)


@pytest.mark.parametrize(
    "content", [b"", b"garbage " * 1000, b"SIMPLE  =                    T" + b"\xff" * 5730]
)
def test_a_file_that_is_not_fits_is_a_read_error(sof, run_recipe, content):
    sof[0][0].write_bytes(content)
    result = run_recipe("dark", sof)
    assert result.code == 6
    assert "DARK_0.fits: error reading from FITS file" in last_line(result)


def test_an_extension_whose_header_rotted_is_not_silently_lost(detector, run_recipe):
    path = detector.frame("one")
    place = fits.open(path).fileinfo(2)["hdrLoc"]
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"\xff" * 160)
    assert run_recipe("dark", [(path, "DARK")]).code == 6


def test_a_file_that_is_not_there_is_told_with_its_name(sof, run_recipe):
    sof[2][0].unlink()
    result = run_recipe("dark", sof)
    assert result.code == 9
    assert "DARK_2.fits" in last_line(result)


def test_a_frame_without_one_of_the_extensions_is_named(detector, sof, run_recipe):
    with fits.open(sof[1][0], mode="update") as hdus:
        del hdus[2]
    result = run_recipe("dark", sof)
    assert result.code == 10
    assert "DARK_1.fits: no image extension CHIP2.INT1; there are CHIP1.INT1" in last_line(result)


def test_frames_of_different_windows_are_not_combined(detector, sof, run_recipe):
    odd = detector.write("odd", *[np.zeros((100, 256), np.int32)] * 2)
    result = run_recipe("dark", [*sof, (odd, "DARK")])
    assert result.code == 1
    assert "256 x 100 pixels, but DARK_0.fits has 256 x 256" in last_line(result)


def test_a_table_is_not_an_image(ccd, run_recipe):
    path = ccd.folder / "table.fits"
    fits.BinTableHDU(np.array([(1, 2.0)], dtype=[("A", "i4"), ("B", "f4")])).writeto(path)
    result = run_recipe("bias", [(path, "BIAS")])
    assert result.code == 1
    assert "no image in this file" in last_line(result)


def test_a_cube_is_refused_and_one_plane_of_a_cube_is_an_image(ccd, run_recipe):
    cube = ccd.write("cube", np.zeros((3, 20, 20), np.float32))
    assert run_recipe("bias", [(cube, "BIAS")]).code == 1
    plane = ccd.write("plane", np.ones((1, 20, 30), np.float32))
    result = run_recipe("bias", [(plane, "BIAS")])
    assert fits.getdata(result.product("MASTER_BIAS")).shape == (20, 30)


def test_frames_of_nothing_but_nan_are_unusable(ccd, run_recipe):
    path = ccd.write("nan", np.full((20, 20), np.nan, np.float32))
    result = run_recipe("bias", [(path, "BIAS")])
    assert result.code == 1
    assert "no finite pixel" in last_line(result)


def test_an_unknown_recipe_is_answered_with_those_there_are(sof, run_recipe):
    result = run_recipe("drak", sof)
    assert result.code == 13
    assert "there are arc, bias, dark, dark_maps, detector_noise, extract, flat, lamp_flat" in last_line(
        result
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"combtype": "mode"}, "give one of median, mean"),
        ({"thresh": "five"}, "give a number"),
        ({"thresh": "nan"}, "give 1 or more"),
        ({"threshold": 5}, "has no parameter 'threshold'"),
        ({"hot_thresh": True}, "give a number"),
    ],
)
def test_a_bad_parameter_is_answered_with_what_is_possible(sof, run_recipe, given, told):
    result = run_recipe("dark", sof, **given)
    assert result.code == 14
    assert told in last_line(result)


def test_a_product_name_can_not_leave_the_output_folder(sof, run_recipe):
    assert run_recipe("dark", sof, names={"MASTER_DARK": "../../evil.fits"}).code == 14


def test_a_failed_run_takes_the_list_of_an_earlier_one_away(sof, run_recipe):
    assert run_recipe("dark", sof).code == 0
    result = run_recipe("dark", sof, combtype="mode")
    assert not (result.folder / "products.json").exists()


def test_two_products_never_share_one_file(detector, run_recipe):
    sof = [(detector.frame("flat", 9000.0), "FLAT")]
    result = run_recipe("flat", sof, product_category="FLAT_A", bpm_category="flat-a")
    assert result.code == 14
    assert "would both be flat_a.fits" in last_line(result)


def test_extensions_of_the_same_name_are_not_mixed_up(detector, run_recipe):
    path = detector.frame("one")
    with fits.open(path, mode="update") as hdus:
        hdus[2].header["EXTNAME"] = "CHIP1.INT1"
    result = run_recipe("dark", [(path, "DARK")])
    assert result.code == 1
    assert "more than one image extension is named CHIP1.INT1" in last_line(result)


def test_an_output_folder_that_can_not_be_written_is_told(sof, run_recipe, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "products.json").mkdir()
    result = run_recipe("dark", sof)
    assert result.code == 7
    assert "products.json: can't be written" in last_line(result)
