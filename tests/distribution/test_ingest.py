"""ingest-products and the audit behind it (handbook 4.1.4, 5.5.5)."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from qcbench.archive import LocalArchive
from qcbench.certification import decide
from qcbench.core.errors import ArchiveError, FrameError
from qcbench.core.files import sha256
from qcbench.distribution import audit, ingest_products, rename_products
from qcbench.distribution.headers import write_names
from qcbench.distribution.ingestion import wanted_ids
from qcbench.fits import check_frame
from qcbench.store import Product
from tests.builders import (
    DATE,
    INSTRUMENT,
    add_ab,
    add_product,
    find_ab,
    flags_of,
    mjd_at,
    state_of,
    use_archive,
    write_fits,
)
from tests.distribution.conftest import products_of

DARK_ID = "M.TINY.2026-11-19T22:00:00.000"


class FailingArchive(LocalArchive):
    """An archive that refuses some ids."""

    refused = frozenset({DARK_ID})

    def ingest(self, dp_id: str, file: Path, sha256: str) -> bool:
        if dp_id in self.refused:
            raise ArchiveError(f"{dp_id}: the archive is down. Call again later")
        return super().ingest(dp_id, file, sha256)


def test_products_go_in_under_their_archive_name_and_carry_both_names(night):
    night.up_to("renamed")
    result = ingest_products(night.bench, INSTRUMENT, DATE)
    assert result.products == ("TI_MDRK_261119A_DIT10.fits", "TI_MFLT_261119A_Ks.fits")
    assert result.ingested == (night.dark, night.flat)
    stored = night.bench.archive.products / f"{DARK_ID}.fits"
    header = fits.getheader(stored)
    assert (header["ORIGFILE"], header["ARCFILE"]) == ("TI_MDRK_261119A_DIT10.fits", DARK_ID)
    found = check_frame(stored, ("ORIGFILE",))
    assert (found.problems, found.remarks) == ((), ())
    with night.bench.store.read() as session:
        product = find_ab(session, night.dark).products[0]
        assert (product.dp_id, product.sha256, product.location) == (DARK_ID, sha256(stored), "archive")


def test_products_that_the_pack_keeps_out_of_the_archive_stay_where_they_are(night):
    night.up_to("ingested")
    assert [item[:2] for item in products_of(night.bench, night.flat)] == [
        ("MASTER_FLAT", "archive"),
        ("FLAT_PREVIEW", "calib"),
    ]
    assert state_of(night.bench, night.flat) == "ingested"


def test_a_second_call_sends_nothing(night):
    night.up_to("ingested")
    result = ingest_products(night.bench, INSTRUMENT, DATE)
    assert (result.products, result.ingested, result.problems) == ((), (), ())
    assert flags_of(night.bench, "cal_I") == ["cal_Ingested"]


def test_what_fails_is_an_event_and_a_second_call_finishes(night):
    night.up_to("renamed")
    use_archive(night.bench, FailingArchive(night.bench.settings.archive_path))
    result = ingest_products(night.bench, INSTRUMENT, DATE)
    assert result.ingested == (night.flat,)
    assert result.problems == ((night.dark, f"{DARK_ID}: the archive is down. Call again later"),)
    assert state_of(night.bench, night.dark) == "renamed"
    assert flags_of(night.bench, "ingest") == ["ingest_failed"]
    assert not flags_of(night.bench, "cal_I")
    use_archive(night.bench, LocalArchive(night.bench.settings.archive_path))
    assert ingest_products(night.bench, INSTRUMENT, DATE).ingested == (night.dark,)
    assert flags_of(night.bench, "cal_I") == ["cal_Ingested"]
    assert audit(night.bench) == []


def test_a_lost_product_is_a_problem_of_its_ab_alone(night):
    night.up_to("renamed")
    (night.bench.data(INSTRUMENT).calib(DATE) / "TI_MDRK_261119A_DIT10.fits").unlink()
    result = ingest_products(night.bench, INSTRUMENT, DATE)
    assert result.ingested == (night.flat,)
    assert "there is no such file" in result.problems[0][1]


def test_two_products_of_one_moment_get_ids_a_millisecond_apart(bench):
    with bench.store.write() as session:
        for number, hours in enumerate((1, 1, 2)):
            ab = add_ab(
                session,
                hours,
                state="renamed",
                name=f"TINY.{number}_tpl.ab",
                prod_root=f"r.{number}",
                frames=[],
            )
            path = write_fits(bench.data(INSTRUMENT).calib(DATE) / f"{number}.fits", level=number)
            add_product(session, ab, "MASTER_DARK", location="calib", path=str(path), final_name=path.name)
    ingest_products(bench, INSTRUMENT, DATE)
    assert list(bench.archive.list_products()) == [
        "M.TINY.2026-11-19T22:00:00.000",
        "M.TINY.2026-11-19T22:00:00.001",
        "M.TINY.2026-11-19T23:00:00.000",
    ]


def test_the_id_is_the_time_to_the_nearest_millisecond():
    mjd = mjd_at(1) + 0.123 / 86400
    assert list(islice(wanted_ids("TINY", mjd), 2)) == [f"{DARK_ID[:-4]}.123", f"{DARK_ID[:-4]}.124"]


def test_the_same_product_always_becomes_the_same_bytes(tmp_path):
    first = write_fits(tmp_path / "a" / "x.fits", PIPEFILE="x")
    second = write_fits(tmp_path / "b" / "x.fits", PIPEFILE="x")
    for path in (first, second, second):
        write_names(path, origfile="TI_X.fits", arcfile="M.TINY.X")
    assert sha256(first) == sha256(second)
    assert {fits.getheader(first).comments[key] for key in ("CHECKSUM", "DATASUM")} == {"set at ingestion"}


def test_pixels_tables_and_compressed_images_come_through_unchanged(tmp_path):
    path = tmp_path / "x.fits"
    scaled = fits.ImageHDU(np.arange(12, dtype=np.uint16).reshape(3, 4), name="UINT")
    table = fits.BinTableHDU.from_columns([fits.Column("A", "5A", array=["a", "bb "])], name="TAB")
    packed = fits.CompImageHDU(np.arange(64, dtype=np.int32).reshape(8, 8), name="COMP")
    primary = fits.PrimaryHDU()
    primary.header["HIERARCH ESO DET DIT"] = 10.0
    fits.HDUList([primary, scaled, table, packed]).writeto(path, checksum=True)
    with fits.open(path, disable_image_compression=True) as hdus:
        before = [hdu.header["DATASUM"] for hdu in hdus]
    write_names(path, origfile="TI_X.fits", arcfile="M.TINY.X")
    with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
        assert [hdu.header["DATASUM"] for hdu in hdus] == before
        assert [(hdu.verify_checksum(), hdu.verify_datasum()) for hdu in hdus] == [(1, 1)] * 4
        assert hdus[0].header["ESO DET DIT"] == 10.0


@pytest.mark.parametrize("content", [b"not FITS at all" * 400, b""])
def test_what_is_no_fits_file_is_refused_and_left_as_it_was(tmp_path, content):
    path = tmp_path / "x.fits"
    path.write_bytes(content)
    with pytest.raises(FrameError, match=r"x\.fits"):
        write_names(path, origfile="TI_X.fits", arcfile="M.TINY.X")
    assert path.read_bytes() == content


def test_a_truncated_product_is_refused(tmp_path):
    path = write_fits(tmp_path / "x.fits")
    path.write_bytes(path.read_bytes()[:-2800])
    with pytest.raises(FrameError, match=r"x\.fits"):
        write_names(path, origfile="TI_X.fits", arcfile="M.TINY.X")


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(bytes(content))


def test_the_audit_is_silent_when_all_is_well(night):
    night.up_to("ingested")
    assert audit(night.bench) == audit(night.bench, INSTRUMENT, DATE) == []
    assert not flags_of(night.bench, "audit")


@pytest.mark.parametrize("scope", [(), (INSTRUMENT, DATE)])
def test_the_audit_finds_what_is_missing_damaged_and_unknown(night, scope):
    night.up_to("ingested")
    products = night.bench.archive.products
    (products / f"{DARK_ID}.fits").unlink()
    damage(products / "M.TINY.2026-11-19T23:00:00.000.fits")
    write_fits(products / "M.TINY.2026-11-19T23:30:00.000.fits")
    missing, damaged, unknown = audit(night.bench, *scope)
    assert missing.startswith(f"{DARK_ID} (TI_MDRK_261119A_DIT10.fits of {night.dark})")
    assert "has not got it" in missing
    assert "is not what was ingested" in damaged
    assert unknown.startswith("M.TINY.2026-11-19T23:30:00.000: it is in the archive, but")
    assert flags_of(night.bench, "audit") == ["audit"] * 3


def test_the_audit_of_a_date_leaves_other_dates_alone(night):
    night.up_to("ingested")
    write_fits(night.bench.archive.products / "M.TINY.2026-11-22T23:30:00.000.fits")
    assert audit(night.bench, INSTRUMENT, DATE) == []
    assert len(audit(night.bench)) == 1


def test_a_product_whose_ingestion_was_not_noted_is_found(night):
    night.up_to("ingested")
    with night.bench.store.write() as session:
        session.get_one(Product, find_ab(session, night.dark).products[0].id).location = "calib"
    (problem,) = audit(night.bench)
    assert "does not know it as ingested" in problem


def test_failures_that_last_are_told_in_each_call_but_noted_once(night):
    night.up_to("renamed")
    use_archive(night.bench, FailingArchive(night.bench.settings.archive_path))
    for _ in range(2):
        assert len(ingest_products(night.bench, INSTRUMENT, DATE).problems) == 1
    assert flags_of(night.bench, "ingest_failed") == ["ingest_failed"]


def test_differences_that_last_are_told_in_each_audit_but_noted_once(night):
    night.up_to("ingested")
    products = night.bench.archive.products
    (products / f"{DARK_ID}.fits").unlink()
    for minute in (30, 31):
        write_fits(products / f"M.TINY.2026-11-19T23:{minute}:00.000.fits")
    for _ in range(2):
        assert len(audit(night.bench)) == 3
    assert flags_of(night.bench, "audit") == ["audit"] * 2


def test_of_an_ab_that_lost_a_file_nothing_goes_in_so_that_it_can_still_be_rejected(night):
    night.up_to("moved")
    with night.bench.store.write() as session:
        dark = find_ab(session, night.dark)
        path = write_fits(night.bench.data(INSTRUMENT).calib(DATE) / "second.fits")
        add_product(session, dark, "MASTER_DARK", location="calib", path=str(path), pipefile="second.fits")
    rename_products(night.bench, INSTRUMENT, DATE)
    (night.bench.data(INSTRUMENT).calib(DATE) / "TI_MDRK_261119B_DIT10.fits").unlink()
    result = ingest_products(night.bench, INSTRUMENT, DATE)
    assert result.products == ("TI_MFLT_261119A_Ks.fits",)
    assert "Restore it, then ingest again, or reject its AB" in result.problems[0][1]
    decide(night.bench, night.dark, "rejected", by="ann", comment="lost")
    assert state_of(night.bench, night.dark) == "rejected"
