"""Headers of a real MUSE run of June 2017, rebuilt from the tables that musered keeps of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from qcbench.oca import Value

# columns of the table that musered added
_OWN = {"id", "name", "filename", "path", "night", "run", "date_import", "OBJECT_ORIG"}
_HYPHENS = {"MJD_OBS": "MJD-OBS", "DATE_OBS": "DATE-OBS"}

# The table lacks these; MUSE writes them so (the product header of the same run has them).
_ALWAYS: dict[str, Value] = {
    "INSTRUME": "MUSE",
    "DPR.TECH": "IFU",
    "DET.READ.CURID": 1,
    "DET.READ.CURNAME": "SCI1.0",
}
_TEMPLATES = {"FLAT,LAMP": "MUSE_wfm_cal_specflat", "FLAT,LAMP,ILLUM": "MUSE_wfm_cal_illum"}

# What a general calibration is, by the code in its ORIGFILE or by its OBJECT.
_CODES = {
    "GASR": "ASTROMETRY_REFERENCE",
    "GASW": "ASTROMETRY_WCS",
    "GBPT": "BADPIX_TABLE",
    "GEOT": "GEOMETRY_TABLE",
    "GLSP": "LSF_PROFILE",
    "GSKL": "SKY_LINES",
    "GVIM": "VIGNETTING_MASK",
}
_OBJECTS = {"HgCd+Ne+Xe LINE_CATALOG for MUSE": "LINE_CATALOG"}


def read_only(folder: Path) -> sqlite3.Connection:
    """Open the tables of the run without leaving a trace beside them."""
    return sqlite3.connect(f"file:{folder / 'muse-musered' / 'musered.db'}?mode=ro&immutable=1", uri=True)


def all_headers(folder: Path) -> list[dict[str, Value]]:
    """Rebuild the headers of all 155 files."""
    with closing(read_only(folder)) as run:
        run.row_factory = sqlite3.Row
        rows = run.execute("SELECT * FROM raw ORDER BY MJD_OBS, ARCFILE").fetchall()
    return [_header(dict(row)) for row in rows]


def raw_headers(folder: Path) -> list[dict[str, Value]]:
    """Rebuild the headers of the raw frames: those with DPR keys."""
    return [header for header in all_headers(folder) if "DPR.CATG" in header]


def _header(row: dict[str, Value]) -> dict[str, Value]:
    keys = {
        _HYPHENS.get(column, column.replace("_", ".")): value
        for column, value in row.items()
        if column not in _OWN and value is not None
    }
    if "DPR.CATG" not in keys:
        category = _category(str(keys.get("ORIGFILE", "")), str(keys.get("OBJECT", "")))
        return {"INSTRUME": "MUSE", **keys, **({"PRO.CATG": category} if category else {})}
    field = str(keys["INS.MODE"]).split("-")[0]
    template = _TEMPLATES.get(str(keys["DPR.TYPE"]), "MUSE_gen_cal")
    return {**_ALWAYS, **keys, "INS.OPTI1.NAME": "Blue", "INS.OPTI2.NAME": field, "TPL.ID": template}


def _category(origfile: str, target: str) -> str | None:
    code = next((part for part in origfile.split("_") if part in _CODES), "")
    return _CODES.get(code) or _OBJECTS.get(target)
