"""A real workbench with an instrument of its own, and rows and files to put into it.

The instrument `tiny` takes darks and flats; a flat needs a master dark. Each function makes one thing, with values
that a test can override; nothing here knows a stage.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.archive import Archive, LocalArchive
from qcbench.core.dates import dfo_bounds, iso_ut, time_of_mjd, utc_now
from qcbench.store import (
    ABCalibration,
    ABInput,
    ABState,
    AssociationBlock,
    Event,
    Frame,
    Product,
    Score,
)
from qcbench.workbench import Workbench, make_workbench

INSTRUMENT = "tiny"
DATE = dt.date(2026, 11, 19)

PACK = {
    "instrument.yaml": """\
name: tiny
title: An instrument of one detector
instrume: [TINY]
code: TI
archive_prefix: TINY
setups:
  DARK: [{key: DET.DIT, prefix: DIT}]
  FLAT: [{key: INS.FILT1.NAME}]
recipes:
  make_dark: {engines: [{engine: python, recipe: dark}]}
  make_flat: {engines: [{engine: python, recipe: flat}]}
""",
    "names.yaml": """\
products:
  MASTER_DARK: {code: MDRK, parameters: [{key: DET.DIT, prefix: DIT}]}
  DARK_BPM: {code: MBPM, keep: false, ingest: false}
  MASTER_FLAT: {code: MFLT, parameters: [{key: INS.FILT1.NAME}]}
  FLAT_PREVIEW: {code: PPRE, ingest: false}
""",
    "qc1.yaml": """\
tables:
  tiny_dark:
    raw_types: [DARK]
    product: MASTER_DARK
    description: Master darks
    detectors: {names: [CHIP1]}
    columns:
      - {name: ron, key: QC.RON, unit: ADU, description: Readout noise, label: Readout noise, kind: KPI}
""",
    "scores.yaml": """\
scores:
  - table: tiny_dark
    parameter: ron
    thresholds: [{valid_from: 2020-01-01, low: 7.4, high: 11.2, why: specification}]
    remedy: Check the temperature of the detector
""",
    "rules.oca": """\
if DPR.TYPE == "DARK" then { RAW.TYPE = "DARK"; DO.CATG = "DARK"; }
if DPR.TYPE == "FLAT" then { RAW.TYPE = "FLAT"; DO.CATG = "FLAT"; }
select execute(MAKE_DARK) from inputFiles where RAW.TYPE == "DARK" group by TPL.START as (TPL_A, tpl);
select execute(MAKE_FLAT) from inputFiles where RAW.TYPE == "FLAT" group by TPL.START as (TPL_A, tpl);
action MAKE_DARK
{
  recipe make_dark;
  product MASTER_DARK { PRO.CATG = "MASTER_DARK"; PRO.EXT = "tpl_0000.fits"; }
  product DARK_BPM { PRO.CATG = "DARK_BPM"; PRO.EXT = "tpl_0001.fits"; }
}
action MAKE_FLAT
{
  select file as MASTER_DARK from calibFiles where PRO.CATG == "MASTER_DARK";
  recipe make_flat;
  product MASTER_FLAT { PRO.CATG = "MASTER_FLAT"; PRO.EXT = "tpl_0000.fits"; }
  product FLAT_PREVIEW { PRO.CATG = "FLAT_PREVIEW"; PRO.EXT = "tpl_0001.fits"; }
}
""",
}


def build_workbench(root: Path, environ: Mapping[str, str] | None = None) -> Workbench:
    """A workbench with the instrument `tiny`, an empty local archive, and no sample of green ABs."""
    pack = root / "config" / INSTRUMENT
    pack.mkdir(parents=True)
    for name, text in PACK.items():
        (pack / name).write_text(text)
    settings = {"QCBENCH_CERTIFICATION_SAMPLE_FRACTION": "0", **(environ or {})}
    bench = make_workbench(root, (INSTRUMENT,), settings)
    return use_archive(bench, LocalArchive(bench.settings.archive_path))


def use_archive(bench: Workbench, archive: Archive) -> Workbench:
    """Put an archive in the place of the one that the settings name."""
    bench.__dict__["archive"] = archive
    return bench


def mjd_at(hours: float, date: dt.date = DATE) -> float:
    """MJD, some hours after the start of a DFO date."""
    return dfo_bounds(date)[0] + hours / 24.0


def write_fits(path: Path, *, level: float = 5.0, **keys: object) -> Path:
    """A small FITS file with an empty primary HDU and one image; the pixels are the same in every call."""
    primary = fits.PrimaryHDU()
    for key, value in keys.items():
        primary.header[key.replace("_", "-")] = value
    pixels = np.random.default_rng(7).normal(level, 1.0, (8, 8)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([primary, fits.ImageHDU(pixels, name="CHIP1")]).writeto(path, overwrite=True)
    return path


def add_frame(session: Session, hours: float, *, date: dt.date = DATE, **values: Any) -> Frame:
    """A raw dark, taken some hours after the start of a DFO date."""
    mjd = mjd_at(hours, date)
    fields: dict[str, Any] = {
        "arcfile": f"TINY.{iso_ut(time_of_mjd(mjd), digits=3)}.fits",
        "instrument": INSTRUMENT,
        "dfo_date": date,
        "mjd_obs": mjd,
        "exptime": 10.0,
        "size": 8640,
        "stamp": "1",
        "header_sha256": "0" * 64,
        "dpr_catg": "CALIB",
        "dpr_type": "DARK",
        "keys": {"DET.DIT": 10.0},
        "loaded_at": utc_now(),
        **values,
    }
    frame = Frame(uri=fields["arcfile"], **fields)
    session.add(frame)
    return frame


def add_ab(
    session: Session,
    hours: float,
    *,
    raw_type: str = "DARK",
    state: ABState = ABState.SCORED,
    date: dt.date = DATE,
    keys: Mapping[str, object] | None = None,
    frames: Iterable[Frame] | None = None,
    **values: Any,
) -> AssociationBlock:
    """An AB of one raw frame (or of those given), without products, calibrations and scores."""
    used = [add_frame(session, hours, date=date, dpr_type=raw_type)] if frames is None else list(frames)
    root = f"TINY.{iso_ut(time_of_mjd(mjd_at(hours, date)), digits=3)}_tpl"
    fields: dict[str, Any] = {
        "name": f"{root}.ab",
        "instrument": INSTRUMENT,
        "dfo_date": date,
        "mode": "CALIB",
        "event": f"MAKE_{raw_type}",
        "action": f"MAKE_{raw_type}",
        "recipe": f"make_{raw_type.lower()}",
        "completeness": "COMPLETE",
        "match_keys": {},
        "setup": "DIT10",
        "mjd_obs": mjd_at(hours, date),
        "mjd_obs_mod": mjd_at(hours, date),
        "prod_root": f"r.{root}",
        "report_path": f"data/{INSTRUMENT}/plots/{date}/{root}.html",
        "created_at": utc_now(),
        "updated_at": utc_now(),
        **values,
    }
    ab = AssociationBlock(raw_type=raw_type, state=state, keys={"DET.DIT": 10.0, **(keys or {})}, **fields)
    session.add(ab)
    session.flush()
    ab.inputs = [
        ABInput(frame=frame, role="RAWFILE", tag=raw_type, position=position)
        for position, frame in enumerate(used)
    ]
    return ab


def add_product(session: Session, ab: AssociationBlock, pro_catg: str, **values: Any) -> Product:
    """The next product of an AB, virtual."""
    position = len(ab.products)
    fields: dict[str, Any] = {
        "pipefile": f"{ab.prod_root}_{position:04d}.fits",
        "location": "virtual",
        "mjd_obs": ab.mjd_obs,
        "keys": {},
        **values,
    }
    product = Product(instrument=ab.instrument, position=position, pro_catg=pro_catg, **fields)
    ab.products.append(product)
    session.flush()
    return product


def make_product(bench: Workbench, ab: AssociationBlock, product: Product) -> Path:
    """Put the file of a product into the certification area, as a recipe would."""
    folder = bench.data(ab.instrument).product(ab.raw_type, ab.dfo_date)
    path = write_fits(folder / product.pipefile, PIPEFILE=product.pipefile, ARCFILE=ab.root_name)
    product.path, product.location = str(path), "product"
    return path


def use_calibration(
    session: Session, ab: AssociationBlock, product: Product, *, role: str = "MCALIB", flag: str = "VIRTUAL"
) -> ABCalibration:
    """Let an AB use a product."""
    use = ABCalibration(
        product=product,
        role=role,
        flag=flag,
        tag=product.pro_catg,
        evaluation="OK",
        dt_days=product.mjd_obs - ab.mjd_obs,
        position=len(ab.calibrations),
    )
    ab.calibrations.append(use)
    session.flush()
    return use


def add_score(session: Session, ab: AssociationBlock, value: float | None, verdict: int | None) -> Score:
    """A score of the readout noise (ADU) of one more detector."""
    score = Score(
        qc1_table="tiny_dark",
        parameter="ron",
        detector=f"CHIP{len(ab.scores) + 1}",
        label="Readout noise",
        value=value,
        unit="ADU",
        low=7.4,
        high=11.2,
        valid_from=dt.date(2020, 1, 1),
        verdict=verdict,
        why="specification",
        remedy="Check the temperature of the detector",
    )
    ab.scores.append(score)
    session.flush()
    return score


def add_dark(bench: Workbench, hours: float, *, ron: float = 9.0, **values: Any) -> str:
    """A scored dark with a master dark and a bad-pixel map in the certification area; returns its name."""
    return _add_processed(bench, hours, "DARK", ("MASTER_DARK", "DARK_BPM"), ron, values)


def add_flat(bench: Workbench, hours: float, dark: str, *, ron: float = 9.0, **values: Any) -> str:
    """A scored flat that was processed with the master dark of another AB; returns its name."""
    values.setdefault("keys", {"INS.FILT1.NAME": "Ks"})
    name = _add_processed(bench, hours, "FLAT", ("MASTER_FLAT", "FLAT_PREVIEW"), ron, values)
    with bench.store.write() as session:
        use_calibration(session, find_ab(session, name), find_ab(session, dark).products[0])
    return name


def _add_processed(
    bench: Workbench,
    hours: float,
    raw_type: str,
    products: Iterable[str],
    ron: float,
    values: Mapping[str, Any],
) -> str:
    with bench.store.write() as session:
        ab = add_ab(session, hours, raw_type=raw_type, **values)
        for pro_catg in products:
            make_product(bench, ab, add_product(session, ab, pro_catg))
        add_score(session, ab, ron, int(not 7.4 <= ron <= 11.2))
        return ab.name


def find_ab(session: Session, name: str) -> AssociationBlock:
    """The AB of a name."""
    return session.scalars(select(AssociationBlock).where(AssociationBlock.name == name)).one()


def state_of(bench: Workbench, name: str) -> str:
    """The state that the database has for an AB now."""
    with bench.store.read() as session:
        return find_ab(session, name).state


def flags_of(bench: Workbench, prefix: str = "") -> list[str]:
    """The flags of all events, in order."""
    with bench.store.read() as session:
        events = session.scalars(select(Event).order_by(Event.id))
        return [event.flag for event in events if event.flag.startswith(prefix)]
