"""What the header of a product says of where it comes from."""

from __future__ import annotations

import hashlib

import pytest
from astropy.io import fits


@pytest.fixture
def sof(detector):
    return detector.frames("DARK", 3)


@pytest.fixture
def product(sof, run_recipe):
    return run_recipe("dark", sof, as_recipe="cam_dark_combine", thresh=4).product("MASTER_DARK")


def test_the_header_names_recipe_frames_and_parameters_as_cpl_does(product):
    header = fits.getheader(product)
    wanted = {
        "CATG": "MASTER_DARK", "TYPE": "REDUCED", "TECH": "IMAGE", "SCIENCE": False, "DATANCOM": 3,
        "ANCESTOR": "TEST.DARK_0", "REC1 ID": "cam_dark_combine", "REC1 RAW3 NAME": "DARK_2.fits",
        "REC1 RAW3 CATG": "DARK", "REC1 PARAM5 NAME": "thresh", "REC1 PARAM5 VALUE": "4.0",
    }  # fmt: skip
    assert {key: header[f"ESO PRO {key}"] for key in wanted} == wanted
    assert header["ESO PRO REC1 DRS ID"].startswith("qcbench-")
    assert header["PIPEFILE"] == "master_dark.fits"


def test_the_header_of_the_first_raw_frame_is_inherited_without_its_name_and_checksums(product):
    header = fits.getheader(product)
    assert (header["INSTRUME"], header["ESO DET DIT"], header["MJD-OBS"]) == ("TESTCAM", 10.0, 60000.0)
    assert "ARCFILE" not in header


def test_checksums_and_the_md5_of_the_data_are_right(product):
    with fits.open(product, checksum=True) as hdus:
        assert [hdu.verify_checksum() for hdu in hdus] == [1, 1, 1]
        assert [hdu.verify_datasum() for hdu in hdus] == [1, 1, 1]
        places = [hdus.fileinfo(i) for i in range(3)]
        content = product.read_bytes()
        data = b"".join(content[place["datLoc"] : place["datLoc"] + place["datSpan"]] for place in places)
        assert hdus[0].header["DATAMD5"] == hashlib.md5(data).hexdigest()


def test_every_qc_key_has_a_comment_that_starts_with_its_unit(product):
    cards = [
        card for hdu in fits.open(product) for card in hdu.header.cards if card.keyword.startswith("ESO QC")
    ]
    assert len(cards) > 20
    assert [card.keyword for card in cards if not card.comment.startswith("[")] == []


def test_the_same_input_twice_gives_the_same_file_but_for_the_date(sof, run_recipe):
    def lines(path):
        content = path.read_bytes()
        cards = [content[i : i + 80] for i in range(0, len(content), 80)]
        return [card for card in cards if not card.startswith((b"DATE ", b"CHECKSUM", b"DATASUM"))]

    first = run_recipe("dark", sof, out="first").product("MASTER_DARK")
    second = run_recipe("dark", sof, out="second").product("MASTER_DARK")
    assert lines(first) == lines(second)


def test_names_that_the_job_gives_are_used(sof, run_recipe):
    result = run_recipe("dark", sof, names={"MASTER_DARK": "darkcomb.fits"})
    assert result.product("MASTER_DARK") == result.folder / "darkcomb.fits"


def test_long_archive_names_of_frames_are_kept_whole(detector, run_recipe):
    name = "A" * 90
    header = fits.getheader(run_recipe("dark", [(detector.frame(name), "DARK")]).product("MASTER_DARK"))
    assert header["ESO PRO REC1 RAW1 NAME"] == f"{name}.fits"


def test_products_of_an_earlier_recipe_step_do_not_pass_on_their_own_keys(sof, run_recipe):
    with fits.open(sof[0][0], mode="update") as hdus:
        hdus[0].header["HIERARCH ESO PRO CATG"] = "OLD"
        hdus[1].header["HIERARCH ESO QC STALE"] = 1.0
    result = run_recipe("dark", sof)
    assert fits.getheader(result.product("MASTER_DARK"))["ESO PRO CATG"] == "MASTER_DARK"
    assert "STALE" not in result.qc("MASTER_DARK", 1)


def test_odd_cards_of_a_raw_header_do_not_stop_a_recipe(detector, run_recipe):
    path = detector.frame("odd", TELESCOP="'; DROP TABLE <b>")
    content = path.read_bytes()
    cards = [
        b"INSTRUME= NaN",
        b"EXPTIME =  1 2 three",
        b"ARCFILE = 'never closed",
        b"DATE-OBS no equals sign",
    ]
    for key, card in zip((b"INSTRUME", b"EXPTIME", b"ARCFILE", b"MJD-OBS"), cards, strict=True):
        place = content.index(key)
        content = content[:place] + card.ljust(80) + content[place + 80 :]
    path.write_bytes(content)
    result = run_recipe("dark", [(path, "DARK"), (path, "DARK"), (path, "DARK")])
    assert result.code == 0
    header = fits.getheader(result.product("MASTER_DARK"))
    assert header["TELESCOP"] == "'; DROP TABLE <b>"
    assert "PARTICLE_RATE" not in result.qc("MASTER_DARK", 1)
