"""What is assumed for qualifiers that an old Association Block lacks, or has under another name.

No public document describes old ABs: the other names are those that the documented tools and columns suggest.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath

from qcbench.blocks.model import LISTED, MODES, OBSOLETE, SINGLE
from qcbench.blocks.names import time_of_name
from qcbench.core.dates import dfo_date, mjd_of
from qcbench.store.models import NO_RECIPE

_OTHER_NAMES = {
    "CREATEABVERSION": "TOOL_VERSION",
    "DFOINSTRUMENT": "INSTRUMENT",
    "DFODATE": "DATE",
    "STATUS": "PROCESS_STATUS",
    "ABSTATUS": "PROCESS_STATUS",
    "PROGID": "OBS_PROG_ID",
    "PRODROOT": "PROD_ROOT_NAME",
    "MATCHKEY": "RAW_MATCH_KEY",
    "RAWFILES": "RAWFILE",
    "RAWASSOC": "RASSOC",
    "MCAL": "MCALIB",
    "MCALASSOC": "MASSOC",
    "PRODUCT": "PRODUCTS",
}


def _bare(name: str) -> str:
    return "".join(letter for letter in name.upper() if letter.isalnum())


_KNOWN = {_bare(name): name for name in (*SINGLE, *LISTED, *OBSOLETE)}
_IN_USE = [_bare(name) for name in (*SINGLE, *LISTED)]


def qualifier_of(name: str) -> str | None:
    """Return the documented qualifier that a name stands for; None if it stands for none.

    Case and separators don't count: `MJD_OBS` is `MJD-OBS`, `RAW_FILE` is `RAWFILE`.
    """
    bare = _bare(name)
    return _KNOWN.get(bare) or _OTHER_NAMES.get(bare)


def likely_qualifier(name: str) -> str | None:
    """Return the documented qualifier that a misspelt one was meant to be, if one is near."""
    near = difflib.get_close_matches(_bare(name), _IN_USE, n=1, cutoff=0.85)
    return _KNOWN[near[0]] if near else None


class CannotAssumeError(ValueError):
    """A missing qualifier follows from nothing else that the AB says; the argument is its name."""


def missing_qualifiers(
    known: Mapping[str, str], first_raw: str, source: str
) -> Iterator[tuple[str, str, str]]:
    """Give each qualifier that is missing, the value that is assumed for it, and where that comes from.

    Parameters
    ----------
    known : mapping of qualifier to value
        What the AB says.
    first_raw : str
        Its first raw file.
    source : str
        The file that holds the AB; its name counts if it ends in ``.ab``.

    Raises
    ------
    CannotAssumeError
        MJD-OBS is missing, and the name of the first raw file tells no time.
    """
    values = {**known, "first raw file": first_raw, "source": source}
    for qualifier, assume in _ASSUMED:
        if qualifier not in values:
            values[qualifier], reason = assume(values)
            yield qualifier, values[qualifier], reason


_Values = Mapping[str, str]
_Assumption = Callable[[_Values], tuple[str, str]]


def _ab_name(values: _Values) -> tuple[str, str]:
    name = PurePath(values["source"]).name
    if name.endswith(".ab"):
        return name, "the name of the file"
    return f"{values['first raw file'].removesuffix('.fits')}.ab", "the first raw file, without a tag"


def _mjd_obs(values: _Values) -> tuple[str, str]:
    time = time_of_name(values["first raw file"])
    if time is None:
        raise CannotAssumeError("MJD-OBS")
    return f"{mjd_of(time):.8f}", "the name of the first raw file"


def _date(values: _Values) -> tuple[str, str]:
    mode, _, date = values.get("BATCH_ID", "").partition("_")
    if mode in MODES and date:
        return date, "BATCH_ID"
    return dfo_date(float(values["MJD-OBS"])).isoformat(), "MJD-OBS, with dates that start at 21:00 UT"


def _dpr_catg(values: _Values) -> tuple[str, str]:
    mode = values.get("BATCH_ID", "").partition("_")[0]
    return (mode, "BATCH_ID") if mode in MODES else ("CALIB", "nothing says SCIENCE")


def _batch_id(values: _Values) -> tuple[str, str]:
    mode = values["DPR_CATG"] if values["DPR_CATG"] in MODES else "CALIB"
    return f"{mode}_{values['DATE']}", "DPR_CATG and DATE"


def _prod_root(values: _Values) -> tuple[str, str]:
    return f"r.{values['AB_NAME'].removesuffix('.ab')}", "AB_NAME"


def _always(value: str, reason: str) -> _Assumption:
    return lambda values: (value, reason)


_ASSUMED: tuple[tuple[str, _Assumption], ...] = (
    ("AB_NAME", _ab_name),
    ("MJD-OBS", _mjd_obs),
    ("MJD-OBS_MOD", lambda values: (values["MJD-OBS"], "MJD-OBS: half of the exposure is left out")),
    ("DATE", _date),
    ("DPR_CATG", _dpr_catg),
    ("BATCH_ID", _batch_id),
    ("PROD_ROOT_NAME", _prod_root),
    ("LOG_NAME", lambda values: (f"{values['PROD_ROOT_NAME']}.log", "PROD_ROOT_NAME")),
    ("RAW_TYPE", _always("", "nothing tells it")),
    ("AB_EVENT", lambda values: (values["RAW_TYPE"], "RAW_TYPE")),
    ("PROD_PATH", lambda values: (f"product/{values['RAW_TYPE']}/{values['DATE']}", "RAW_TYPE and DATE")),
    ("RECIPE", _always(NO_RECIPE, "nothing tells it: the AB can't be processed")),
    ("DRS_TYPE", _always("CPL", "the usual one")),
    ("COMPLETENESS", _always("COMPLETE", "nothing says otherwise")),
    ("PROCESS_STATUS", _always("CREATED", "nothing says that it was processed")),
    ("OBS_MODE", _always("NONE", "nothing tells it")),
    *((name, _always("", "nothing tells it")) for name in ("TOOL_VERSION", "CONFIG_VERSION", "INSTRUMENT")),
    *((name, _always("", "nothing tells it")) for name in ("OBS_PROG_ID", "OBS_ID")),
)
