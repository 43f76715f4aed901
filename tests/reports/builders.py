"""A small workbench with an instrument of its own: pack, frames, products, ABs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
from astropy.io import fits

from qcbench.core.dates import mjd_of, utc_now
from qcbench.store import (
    ABCalibration,
    ABInput,
    ArchiveFile,
    AssociationBlock,
    Frame,
    Product,
)
from qcbench.workbench import Workbench, make_workbench

DATE = dt.date(2026, 11, 19)
INSTRUMENT = "testcam"
EVENING = dt.datetime(2026, 11, 19, 22, 0, tzinfo=dt.UTC)
DETECTORS = ("CHIP1", "CHIP2")

PACK = {
    "instrument.yaml": """
name: testcam
title: Test camera
instrume: [TESTCAM]
code: TC
archive_prefix: TESTCAM
report_keys: [DPR.TYPE, DET.DIT, OBJECT]
setups:
  DARK: [{key: DET.DIT, prefix: DIT}]
recipes:
  make_dark: {engines: [{engine: python, recipe: dark}]}
  make_flat: {engines: [{engine: python, recipe: flat}]}
  make_noise: {engines: [{engine: python, recipe: detector_noise}]}
  make_arc: {engines: [{engine: python, recipe: arc}]}
saturation_adu: 60000
""",
    "names.yaml": """
products:
  MASTER_DARK: {code: MDRK}
  MASTER_FLAT: {code: MFLT}
  MASTER_READGAIN: {code: MRGN}
  ARC_SPECTRUM: {code: MARC}
""",
    "qc1.yaml": """
tables:
  testcam_dark:
    raw_types: [DARK]
    product: MASTER_DARK
    description: master darks
    detectors: {names: [DETECTOR_NAMES]}
    columns:
      - {name: dit, key: DET.DIT, unit: s, description: integration time, kind: FILTER}
      - {name: ron, key: QC.RON, unit: adu, description: readout noise, label: Readout noise, kind: KPI}
      - {name: level, key: QC.DARK.MED, unit: adu, description: median, label: Dark level, kind: HC}
      - {name: n_hot, key: QC.NHOT, unit: "", description: hot pixels, kind: ENG, type: integer}
  testcam_noise:
    raw_types: [NOISE]
    product: MASTER_READGAIN
    description: readout noise and gain
    detectors: {names: [DETECTOR_NAMES], found_in: file}
    columns:
      - {name: gain, key: "QC.GAIN.{detector}", unit: e-/adu, description: gain, label: Gain, kind: KPI}
""",
    "scores.yaml": """
scores:
  - table: testcam_dark
    parameter: ron
    thresholds:
      - {valid_from: 2026-01-01, low: 7.4, high: 11.2, why: median and 5 MAD of 90 days}
    remedy: Check the detector temperature, then repeat the darks
  - table: testcam_dark
    parameter: level
    thresholds:
      - {valid_from: 2026-01-01, low: 10, high: 30, why: specification}
    remedy: Look for a light leak
""",
    "rules.oca": """
if DPR.TYPE == "DARK" then { RAW.TYPE = "DARK"; DO.CATG = "DARK"; }
select execute(DARKS) from inputFiles where RAW.TYPE == "DARK" group by TPL.START as (TPL_A,tpl);
action DARKS {
  recipe make_dark;
  product MASTER_DARK { PRO.CATG = "MASTER_DARK"; PRO.EXT = "tpl_0000.fits"; }
}
""",
}


def workbench(root: Path, detectors: tuple[str, ...] = DETECTORS, **files: str) -> Workbench:
    """A workbench of the test camera; `files` replace those of its pack (``scores="…"``)."""
    folder = root / "config" / INSTRUMENT
    folder.mkdir(parents=True)
    for name, text in PACK.items():
        text = files.get(name.split(".")[0], text)
        (folder / name).write_text(text.replace("DETECTOR_NAMES", ", ".join(detectors)))
    return make_workbench(root, (INSTRUMENT,), {})


def frame(number: int, raw_type: str | None = "DARK", date: dt.date = DATE, **keys: object) -> Frame:
    moment = dt.datetime.combine(date, EVENING.timetz()) + dt.timedelta(minutes=number)
    name = f"TESTCAM.{moment:%Y-%m-%dT%H:%M:%S}.000"
    return Frame(
        arcfile=name,
        instrument=INSTRUMENT,
        dfo_date=date,
        mjd_obs=mjd_of(moment),
        exptime=10.0,
        uri=f"{date}/{name}.fits",
        size=2880,
        stamp="1",
        header_sha256="0" * 64,
        dpr_catg="CALIB",
        dpr_type=raw_type or "?",
        raw_type=raw_type,
        do_catg=raw_type,
        problem=keys.pop("problem", None),
        keys={"DPR.TYPE": raw_type or "?", "DET.DIT": 10.0} | keys,
        loaded_at=utc_now(),
    )


def add_ab(
    bench: Workbench,
    number: int = 0,
    raw_type: str = "DARK",
    state: str = "processed",
    date: dt.date = DATE,
    n_raw: int = 3,
    **columns: object,
) -> str:
    """Add an AB with its raw frames; return its name."""
    frames = [frame(number + index, raw_type, date) for index in range(n_raw)]
    root = f"{frames[0].arcfile}_tpl"
    ab = AssociationBlock(
        name=f"{root}.ab",
        instrument=INSTRUMENT,
        dfo_date=date,
        mode="CALIB",
        raw_type=raw_type,
        event="DARKS",
        action="DARKS",
        recipe="make_dark",
        completeness="COMPLETE",
        match_keys={},
        setup="DIT10",
        keys={"DET.DIT": 10.0},
        mjd_obs=frames[0].mjd_obs,
        mjd_obs_mod=frames[0].mjd_obs,
        prod_root=f"r.{root}",
        state=state,
        engine="python",
        exec_seconds=4.2,
        created_at=utc_now(),
        updated_at=utc_now(),
    )
    for name, value in columns.items():
        setattr(ab, name, value)
    for position, item in enumerate(frames):
        ab.inputs.append(ABInput(frame=item, role="RAWFILE", tag=raw_type, position=position))
    with bench.store.write() as session:
        session.add(ab)
    return ab.name


def add_product(
    bench: Workbench,
    ab_name: str,
    path: Path | None,
    pro_catg: str = "MASTER_DARK",
    *,
    location: str = "product",
) -> None:
    """Add a product, whose file is at `path`, to an AB."""
    from qcbench.store.queries import find_ab

    with bench.store.write() as session:
        ab = find_ab(session, ab_name)
        position = len(ab.products)
        ab.products.append(
            Product(
                instrument=ab.instrument,
                position=position,
                pro_catg=pro_catg,
                pipefile=f"{ab.prod_root}_{position:04d}.fits",
                location=location,
                path=str(path) if path else None,
                mjd_obs=ab.mjd_obs,
                keys={},
            )
        )


def add_calibration(bench: Workbench, ab_name: str, owner: str, dt_days: float) -> None:
    """Let an AB use the first product of another one."""
    from qcbench.store.queries import find_ab

    with bench.store.write() as session:
        ab, other = find_ab(session, ab_name), find_ab(session, owner)
        item = ABCalibration(
            role="MCALIB", flag="REAL", tag="MASTER_DARK", evaluation="OK", dt_days=dt_days, position=0
        )
        item.product = other.products[0]
        ab.calibrations.append(item)


def add_problem_file(bench: Workbench, uri: str, problem: str, date: dt.date | None = DATE) -> None:
    row = ArchiveFile(
        uri=uri, size=100, stamp="1", instrument=INSTRUMENT, dfo_date=date, problem=problem, seen_at=EVENING
    )
    with bench.store.write() as session:
        session.add(row)


def dark_file(
    path: Path, *, ron: float = 9.2, side: int = 32, detectors: tuple[str, ...] = DETECTORS, seed: int = 1
) -> Path:
    """A master dark; the last detector has the readout noise `ron` (adu), the others 9 adu."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    primary = fits.PrimaryHDU()
    primary.header["HIERARCH ESO DET DIT"] = 10.0
    primary.header["HIERARCH ESO PRO REC1 PIPE ID"] = "testpipe/1.2"
    hdus = fits.HDUList([primary])
    for index, name in enumerate(detectors):
        noise = ron if name == detectors[-1] else 9.0
        data = rng.normal(20 + index, noise, (side, side)).astype(np.float32)
        hdu = fits.ImageHDU(data, name=name)
        hdu.header["BUNIT"] = "adu"
        hdu.header["HIERARCH ESO QC RON"] = noise
        hdu.header["HIERARCH ESO QC DARK MED"] = float(np.median(data))
        hdu.header["HIERARCH ESO QC NHOT"] = index
        hdus.append(hdu)
    hdus.writeto(path, overwrite=True)
    return path


def readgain_file(path: Path, detectors: tuple[str, ...] = DETECTORS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    primary = fits.PrimaryHDU()
    rows = []
    for index, name in enumerate(detectors):
        primary.header[f"HIERARCH ESO QC GAIN {name.replace('.', '-')}"] = 2.1 + index / 10
        rows.append((name, 9.1 + index, 2.1 + index / 10))
    data = np.array(rows, dtype=[("EXTNAME", "S16"), ("READNOISE", ">f4"), ("GAIN", ">f4")])
    fits.HDUList([primary, fits.BinTableHDU(data, name="READGAIN")]).writeto(path, overwrite=True)
    return path


def arc_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    x = np.arange(1, 501)
    flux = sum(900 * np.exp(-(((x - at) / 2) ** 2)) for at in (80, 210, 333)) + 100
    spectrum = fits.ImageHDU(np.asarray(flux, dtype=np.float32), name="SPECTRUM")
    spectrum.header["BUNIT"] = "adu"
    spectrum.header["CTYPE1"] = "PIXEL"
    rows = np.array([(80.0, 0), (210.0, 0), (333.0, 1)], dtype=[("PIXEL", ">f8"), ("SATURATED", "u1")])
    fits.HDUList([fits.PrimaryHDU(), spectrum, fits.BinTableHDU(rows, name="LINES")]).writeto(
        path, overwrite=True
    )
    return path
