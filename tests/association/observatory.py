"""An instrument with a cascade of its own, and frames as rows: what association needs, without pixels.

BIAS → FLAT → STD, ARC and science; a sky flat of another day may serve up to five days (two by the calibration plan).
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from astropy.io import fits
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from qcbench.association import create_abs
from qcbench.association.create_ab import CreateResult
from qcbench.core.dates import dfo_bounds, dfo_date, iso_ut, time_of_mjd, utc_now
from qcbench.store import ABCalibration, ABInput, AssociationBlock, Frame, Product
from qcbench.store.models import Base
from qcbench.workbench import Workbench, make_workbench

INSTRUMENT = "toy"
DATE = dt.date(2026, 11, 10)
LATER = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)

RULES = """
if DPR.TYPE == "BIAS" then { RAW.TYPE = "BIAS"; DO.CATG = "BIAS"; }
if DPR.TYPE == "FLAT,SKY" then { RAW.TYPE = "FLAT"; DO.CATG = "FLAT"; }
if DPR.TYPE == "WAVE" then { RAW.TYPE = "ARC"; DO.CATG = "ARC"; }
if DPR.TYPE == "STD" then { RAW.TYPE = "STD"; DO.CATG = "STD"; }
if DPR.TYPE == "ILLUM" then { RAW.TYPE = "ILLUM"; DO.CATG = "ILLUM"; }
if DPR.CATG == "SCIENCE" then { RAW.TYPE = "SCI"; DO.CATG = "SCI"; }
if PRO.CATG like "MASTER_%" then { DO.CATG = PRO.CATG; }

minRet = 3;
select execute(BIAS) from inputFiles where RAW.TYPE == "BIAS" group by TPL.START,DET.BIN as (TPL_A,tpl);
select execute(FLAT) from inputFiles where RAW.TYPE == "FLAT" group by TPL.START,DET.BIN,INS.FILT as (TPL_A,tpl);
select execute(ARC) from inputFiles where RAW.TYPE == "ARC" group by ARCFILE;
select execute(STD) from inputFiles where RAW.TYPE == "STD" group by TPL.START,DET.BIN,INS.FILT as (TPL_A,tpl);
select execute(SCI) from inputFiles where RAW.TYPE == "SCI" group by TPL.START,DET.BIN,INS.FILT as (TPL_A,tpl);

action BIAS
{
  recipe make_bias;
  product MASTER_BIAS { PRO.CATG = "MASTER_BIAS"; }
}
action FLAT
{
  select file as MASTER_BIAS from calibFiles where DO.CATG == "MASTER_BIAS" and inputFile.DET.BIN == DET.BIN
    and MJD-OBS between inputFile.MJD-OBS - 7 and inputFile.MJD-OBS + 7
    and MJD-OBS tryBetween inputFile.MJD-OBS - 1.5 and inputFile.MJD-OBS + 1.5;
  recipe make_flat;
  product MASTER_FLAT { PRO.CATG = "MASTER_FLAT"; }
}
action ARC
{
  select file as MASTER_BIAS from calibFiles where DO.CATG == "MASTER_BIAS" and inputFile.DET.BIN == DET.BIN
    and MJD-OBS between inputFile.MJD-OBS - 7 and inputFile.MJD-OBS + 7;
  select file as LINE_CATALOG from calibFiles where PRO.CATG == "LINE_CATALOG";
  recipe make_arc;
  product WAVE_MAP { PRO.CATG = "WAVE_MAP"; }
}
action STD
{
  select file as MASTER_FLAT from calibFiles where DO.CATG == "MASTER_FLAT" and inputFile.DET.BIN == DET.BIN
    and inputFile.INS.FILT == INS.FILT
    and MJD-OBS between inputFile.MJD-OBS - 5 and inputFile.MJD-OBS + 5
    and MJD-OBS tryBetween inputFile.MJD-OBS - 2 and inputFile.MJD-OBS + 2;
  minRet = 0; maxRet = 2;
  select file as ILLUM from inputFiles where RAW.TYPE == "ILLUM"
    and MJD-OBS between inputFile.MJD-OBS - 0.5 and inputFile.MJD-OBS + 0.5;
  minRet = 0; maxRet = 1;
  select file as SKY_RASSOC from rawFiles where RAW.TYPE == "FLAT" and inputFile.INS.FILT == INS.FILT
    and MJD-OBS between inputFile.MJD-OBS - 1 and inputFile.MJD-OBS + 1;
  recipe make_std;
  product ZEROPOINT { PRO.CATG = "ZEROPOINT"; }
}
action SCI
{
  select file as MASTER_BIAS from calibFiles where DO.CATG == "MASTER_BIAS" and inputFile.DET.BIN == DET.BIN
    and MJD-OBS between inputFile.MJD-OBS - 7 and inputFile.MJD-OBS + 7;
  minRet = 0; maxRet = 1;
  select file as ZEROPOINT_MASSOC from calibFiles where PRO.CATG == "ZEROPOINT" and inputFile.INS.FILT == INS.FILT
    and MJD-OBS between inputFile.MJD-OBS - 7 and inputFile.MJD-OBS + 7;
  recipe make_sci;
  product SCI_IMAGE { PRO.CATG = "SCI_IMAGE"; }
}
"""

INSTRUMENT_FILE = """
name: toy
title: An instrument with a cascade
instrume: [TOY]
code: TY
archive_prefix: TOY
static: {LINE_CATALOG: Wavelengths of arc lines}
recipes:
  make_bias: {engines: [{engine: python, recipe: bias}]}
  make_flat: {engines: [{engine: python, recipe: flat}]}
  make_arc: {engines: [{engine: python, recipe: arc}]}
  make_std: {engines: [{engine: python, recipe: flat}]}
  make_sci: {engines: [{engine: python, recipe: flat}]}
"""

NAMES = """
products:
  MASTER_BIAS: {code: MBIA}
  MASTER_FLAT: {code: MFLT}
  WAVE_MAP: {code: PWAV}
  ZEROPOINT: {code: PZPT}
  SCI_IMAGE: {code: SIMG}
"""


def build(root: Path, *, rules: str = RULES, **files: str) -> Workbench:
    """A workbench with the instrument; `files` are further files of its pack, such as ``breakpoints``."""
    pack = root / "config" / INSTRUMENT
    pack.mkdir(parents=True)
    texts = {"instrument.yaml": INSTRUMENT_FILE, "names.yaml": NAMES, "rules.oca": rules}
    texts |= {"qc1.yaml": "tables: {}\n", "scores.yaml": "scores: []\n"}
    texts |= {f"{name}.yaml": text for name, text in files.items()}
    for name, text in texts.items():
        (pack / name).write_text(text)
    return make_workbench(root, (INSTRUMENT,), {})


def emptied(bench: Workbench) -> Workbench:
    """The same workbench, without rows and texts."""
    with bench.store.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
    shutil.rmtree(bench.data(INSTRUMENT).root / "logs", ignore_errors=True)
    return bench


def mjd_at(hours: float, date: dt.date = DATE) -> float:
    """MJD, some hours after the start of a DFO date."""
    return dfo_bounds(date)[0] + hours / 24.0


def frame(dpr_type: str, hours: float, *, date: dt.date = DATE, catg: str = "CALIB", **keys: Any) -> Frame:
    """A frame, taken some hours after the start of a date; it is not in the database yet."""
    mjd = mjd_at(hours, date)
    name = f"TOY.{iso_ut(time_of_mjd(mjd), digits=3)}.fits"
    header = {
        "INSTRUME": "TOY",
        "ARCFILE": name,
        "MJD-OBS": mjd,
        "DPR.CATG": catg,
        "DPR.TYPE": dpr_type,
        "DET.BIN": 1,
        "INS.FILT": "V",
        "EXPTIME": 10.0,
        **{key.replace("_", "."): value for key, value in keys.items()},
    }
    header = {key: value for key, value in header.items() if value is not None}
    nexp = header.get("TPL.NEXP")
    return Frame(
        arcfile=str(header["ARCFILE"]),
        instrument=INSTRUMENT,
        dfo_date=dfo_date(mjd),
        mjd_obs=mjd,
        exptime=10.0,
        uri=name,
        size=2880,
        stamp="1",
        header_sha256="0" * 64,
        dpr_catg=catg,
        dpr_type=dpr_type,
        tpl_start=header.get("TPL.START"),
        tpl_nexp=nexp if isinstance(nexp, int) else None,
        keys=header,
        loaded_at=utc_now(),
    )


def template(dpr_type: str, hours: float, number: int, **options: Any) -> list[Frame]:
    """The frames of one template, a minute apart."""
    start = iso_ut(time_of_mjd(mjd_at(hours, options.get("date", DATE))))
    return [
        frame(dpr_type, hours + index / 60, **{"TPL_START": start, "TPL_NEXP": number, **options})
        for index in range(number)
    ]


def arrive(bench: Workbench, frames: Iterable[Frame]) -> None:
    """Put frames into the database, as copies."""
    with bench.store.write() as session:
        session.add_all(
            Frame(
                **{
                    column.name: getattr(item, column.name)
                    for column in Frame.__table__.columns
                    if column.name != "id"
                }
            )
            for item in frames
        )


def create(bench: Workbench, date: dt.date = DATE, mode: str = "CALIB", **options: Any) -> CreateResult:
    """Call create-ab for a date, long after its frames were taken."""
    return create_abs(bench, INSTRUMENT, date, mode, **{"now": LATER, **options})  # type: ignore[arg-type]


def blocks(bench: Workbench) -> list[AssociationBlock]:
    """All ABs with all that belongs to them, in the order of time."""
    query = (
        select(AssociationBlock)
        .options(
            selectinload(AssociationBlock.inputs).selectinload(ABInput.frame),
            selectinload(AssociationBlock.products),
            selectinload(AssociationBlock.calibrations)
            .selectinload(ABCalibration.product)
            .selectinload(Product.ab),
        )
        .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
    )
    with bench.store.read() as session:
        return list(session.scalars(query))


def block(bench: Workbench, raw_type: str) -> AssociationBlock:
    """The only AB of a raw type."""
    (found,) = [ab for ab in blocks(bench) if ab.raw_type == raw_type]
    return found


def used(ab: AssociationBlock) -> dict[str, str]:
    """The files that an AB uses or is associated with, by tag."""
    raw = {item.tag: item.frame.arcfile for item in ab.inputs if item.role != "RAWFILE"}
    return raw | {item.tag: item.product.pipefile for item in ab.calibrations}


def certify(bench: Workbench, *raw_types: str) -> None:
    """Let the products of ABs of some raw types be certified masters."""
    with bench.store.write() as session:
        for product in session.scalars(select(Product).join(Product.ab)):
            if product.maker.raw_type in raw_types:
                product.location = "calib"
                product.maker.state = "moved"


def add_general(bench: Workbench, name: str, **keys: object) -> Path:
    """Put a general calibration into its folder."""
    header = fits.PrimaryHDU()
    for key, value in {"INSTRUME": "TOY", **keys}.items():
        header.header[key.replace("_", " ") if key.startswith("HIERARCH") else key] = value
    path = bench.data(INSTRUMENT).general / name
    header.writeto(path, overwrite=True)
    return path


def summary(bench: Workbench) -> list[Mapping[str, object]]:
    """Everything that ABs say of themselves, without what depends on when they were made."""
    return [
        {
            "name": ab.name,
            "raw type": ab.raw_type,
            "date": ab.dfo_date,
            "completeness": ab.completeness,
            "missing": [(item["tag"], item["why"]) for item in ab.missing],
            "keys": ab.keys,
            "setup": ab.setup,
            "match": ab.match_keys,
            "time": ab.mjd_obs_mod,
            "inputs": [
                (item.role, item.tag, item.frame.arcfile, item.level, item.dt_days) for item in ab.inputs
            ],
            "calibrations": [
                (item.role, item.tag, item.flag, item.product.pipefile, item.level, item.dt_days)
                for item in ab.calibrations
            ],
            "products": [(item.pro_catg, item.pipefile, item.mjd_obs, item.keys) for item in ab.products],
        }
        for ab in blocks(bench)
    ]


def texts(bench: Workbench) -> dict[str, str]:
    """All text forms and association logs."""
    folder = bench.data(INSTRUMENT).root / "logs"
    return {path.name: path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}
