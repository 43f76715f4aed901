"""Eight real frames of EFOSC2 go the whole way: classified, processed, scored, reported, certified, archived."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits
from sqlalchemy import select

from qcbench.certification import decide, queue
from qcbench.store import AssociationBlock, Product
from qcbench.workbench import Workbench
from qcbench.workflow import auto_daily
from tests.nights import real_efosc2_workbench

pytestmark = pytest.mark.real

FLATS = {
    "EF_MSKF_120411A_B639.fits",
    "EF_MSKF_120411A_R642.fits",
    "EF_MSKF_120411A_V641.fits",
    "EF_MSKF_120411A_i705.fits",
}


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Workbench:
    bench = real_efosc2_workbench(tmp_path_factory.mktemp("efosc2"), real_data)
    auto_daily(bench, through="scored", show=False)
    for item in queue(bench):
        decide(bench, item.ab_name, "certified", by="tester", comment="looked at the report: real and usable")
    auto_daily(bench, through="ingested", show=False)
    return bench


def abs_of(bench: Workbench) -> list[AssociationBlock]:
    with bench.store.read() as session:
        return list(session.scalars(select(AssociationBlock).order_by(AssociationBlock.mjd_obs)))


def test_all_eight_abs_end_in_the_archive(archived):
    assert [ab.state for ab in abs_of(archived)] == ["ingested"] * 8
    assert [ab.raw_type for ab in abs_of(archived)] == ["SKY_FLAT"] * 4 + ["ARC"] * 4


def test_each_has_its_report_and_its_scores(archived):
    with archived.store.read() as session:
        for ab in session.scalars(select(AssociationBlock)):
            assert ab.scores
            assert Path(ab.report_path).is_file()


def test_products_have_names_that_people_can_read(archived):
    with archived.store.read() as session:
        names = set(session.scalars(select(Product.final_name).where(Product.pro_catg == "MASTER_SKY_FLAT")))
        arcs = list(session.scalars(select(Product.final_name).where(Product.pro_catg == "ARC_SPECTRUM")))
    assert names == FLATS
    assert len(set(arcs)) == 4
    assert all(name.startswith("EF_PARC_1208") or name.startswith("EF_PARC_1209") for name in arcs)


def test_the_archive_holds_the_real_pixels(archived):
    with archived.store.read() as session:
        flat = session.scalars(select(Product).where(Product.final_name == "EF_MSKF_120411A_B639.fits")).one()
    with fits.open(archived.settings.archive_path / "products" / f"{flat.dp_id}.fits") as hdus:
        assert hdus[0].data.shape == (1015, 1008)
        assert hdus[0].header["ORIGFILE"] == flat.final_name
        assert hdus[0].header["ARCFILE"].startswith("M.EFOSC.2012-04-11T22:51:24")
        assert hdus[0].header["ESO INS FILT1 NAME"] == "B#639"
