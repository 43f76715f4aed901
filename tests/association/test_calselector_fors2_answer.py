"""Our service answers for the frames of a real calSelector answer (FORS2) what the archive's service answered."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import select

from qcbench.association import create_abs
from qcbench.association.calselector import (
    CalSelector,
    compare_trees,
    list_rules,
    read_rules,
    read_tree,
    refresh,
    store_rules,
)
from qcbench.core.dates import dfo_date, utc_now
from qcbench.store import AssociationBlock, Frame, Product
from qcbench.workbench import Workbench, make_workbench
from tests.fors2_tree import NAME, rebuilt_headers

pytestmark = pytest.mark.real

SCIENCE = "FORS2.2021-01-02T00:59:12.533"
NOW = dt.datetime(2021, 2, 1, tzinfo=dt.UTC)


def frame_of(keys: dict[str, object]) -> Frame:
    mjd = float(str(keys["MJD-OBS"]))
    return Frame(
        arcfile=keys["ARCFILE"],
        instrument="fors2",
        dfo_date=dfo_date(mjd),
        mjd_obs=mjd,
        exptime=keys["EXPTIME"],
        uri=keys["ARCFILE"],
        size=2880,
        stamp="1",
        header_sha256="0" * 64,
        dpr_catg=keys["DPR.CATG"],
        dpr_type=keys["DPR.TYPE"],
        tpl_start=keys["TPL.START"],
        tpl_nexp=keys["TPL.NEXP"],
        keys=keys,
        loaded_at=utc_now(),
    )


@pytest.fixture
def bench(real_data: Path, tmp_path: Path) -> Workbench:
    """The 51 files of the answer: raw frames whose ABs are certified, and general calibrations."""
    bench = make_workbench(tmp_path / "bench", ("fors2",), {})
    headers = rebuilt_headers(real_data)
    raw = {name: keys for name, keys in headers.items() if "DPR.CATG" in keys}
    with bench.store.write() as session:
        session.add_all(frame_of(dict(keys)) for keys in raw.values())
    for date in sorted({dfo_date(float(str(keys["MJD-OBS"]))) for keys in raw.values()}):
        create_abs(bench, "fors2", date, now=NOW)
    with bench.store.write() as session:
        for ab in session.scalars(select(AssociationBlock)):
            ab.state = "certified"
        for name in headers.keys() - raw.keys():
            keys = dict(headers[name])
            values = {"pro_catg": keys["PRO.CATG"], "mjd_obs": keys["MJD-OBS"], "location": "general"}
            session.add(Product(instrument="fors2", position=0, pipefile=f"{name}.fits", keys=keys, **values))
    return bench


def test_raw2raw_is_the_tree_of_the_archive(bench: Workbench, real_data: Path) -> None:
    number = store_rules(bench, "fors2", read_rules(bench.pack("fors2")), dt.date(2015, 5, 20))
    refresh(bench, number)
    assert [item.n_datasets for item in list_rules(bench, ["fors2"])] == [6]
    ours = CalSelector(bench).answer(SCIENCE, "raw2raw").tree
    assert (ours.n_associations, len(ours.distinct_files)) == (22, 51)
    theirs = read_tree(real_data / "calselector-fors2" / NAME)
    assert compare_trees(ours, theirs) == ()
    # in the order of the service, too
    assert list(ours.entries()) == list(theirs.entries())
    assert [text for _, one in ours.walk() for text in one.messages] == []
