"""The truth of a simulated archive: what every detector of every frame really was.

What only a spectrum has is NaN for other frames. Where nothing is wrong the column `anomaly` is empty, which
astropy reads as masked.
"""

from __future__ import annotations

import datetime as dt
import io
import math
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import yaml
from astropy import units as u
from astropy.io.ascii import InconsistentTableError
from astropy.table import Column, MaskedColumn, Table

from qcbench.core.errors import ArchiveError
from qcbench.core.files import write_text

Terms = dict[str, int | str | None]

_ADU_PER_S = u.adu / u.s
_UNITS = {"gain": u.electron / u.adu, "ron": u.adu, "dark_current": _ADU_PER_S, "level": u.adu}
_UNITS |= {"dispersion": u.AA / u.pix, "line_fwhm": u.pix, "trace": u.pix, "star_fwhm": u.pix}
_NOTES = {
    "gain": "conversion factor",
    "ron": "readout noise of one raw frame as it stands in the file",
    "n_hot": "hot pixels in the part that was read",
    "level": "light above reset level and dark current",
    "dispersion": "Angstrom in a pixel, in the middle row of the detector",
    "line_fwhm": "width of a spectral line",
    "trace": "column of the star in the middle row of the detector, as FITS counts those of the file",
    "star_fwhm": "width of the star along the slit",
    "snr": "signal-to-noise ratio of the star in a row, extracted in the best way",
    "anomaly": "what was injected, joined by +",
}


@dataclass(frozen=True)
class TruthRow:
    """One detector of one frame; `arcfile` is the name of the file. Units as in the table."""

    arcfile: str
    dfo_date: str
    tpl_start: str
    raw_type: str
    detector: str
    gain: float
    ron: float
    dark_current: float
    n_hot: int
    level: float
    anomaly: str
    dispersion: float = math.nan
    line_fwhm: float = math.nan
    trace: float = math.nan
    star_fwhm: float = math.nan
    snr: float = math.nan


class TruthBook:
    """The truth table beside an archive; a night that is in it is finished.

    Parameters
    ----------
    path : Path
        The ECSV file; it need not exist.
    prefix : str
        File prefix of the instrument at hand: one archive may hold several.
    terms : dict
        What all nights of this instrument have in common (seed, window, raw types where not all).

    Raises
    ------
    ArchiveError
        The file is damaged, or its nights of this instrument were made on other terms.
    """

    def __init__(self, path: Path, prefix: str, terms: Terms):
        self.path, self.prefix = path, prefix
        self._rows, self._terms = _read(path) if path.exists() else ([], {})
        known = self._terms.setdefault(prefix, terms)
        if known != terms:
            raise ArchiveError(
                f"{path}: this archive holds {prefix} frames made with {_say(known)}, not {_say(terms)}; "
                "call with the same values or name another archive folder"
            )

    def night(self, date: dt.date) -> list[TruthRow]:
        """Return the rows of one night of this instrument."""
        day, start = date.isoformat(), f"{self.prefix}."
        return [r for r in self._rows if r.dfo_date == day and r.arcfile.startswith(start)]

    def add(self, rows: list[TruthRow]) -> None:
        """Add the rows of a night."""
        self._rows += rows

    def save(self) -> None:
        """Write the table, in the order of night, file and detector."""
        self._rows.sort(key=lambda r: (r.dfo_date, r.arcfile, r.detector))
        table = Table(meta={"simulations": self._terms})
        columns = list(zip(*map(astuple, self._rows), strict=True)) or [() for _ in fields(TruthRow)]
        for field, values in zip(fields(TruthRow), columns, strict=True):
            unit, note = _UNITS.get(field.name), _NOTES.get(field.name)
            table[field.name] = Column(values, name=field.name, unit=unit, description=note)
        stream = io.StringIO()
        table.write(stream, format="ascii.ecsv")
        write_text(self.path, stream.getvalue())


def _say(terms: Terms) -> str:
    return ", ".join(f"{name} {value if value is not None else 'full'}" for name, value in terms.items())


def _read(path: Path) -> tuple[list[TruthRow], dict[str, Terms]]:
    names = [f.name for f in fields(TruthRow)]
    try:
        table = Table.read(path, format="ascii.ecsv")
        columns = [_values(table[name]) for name in names]
        return [TruthRow(*row) for row in zip(*columns, strict=True)], dict(table.meta["simulations"])
    except (InconsistentTableError, KeyError, ValueError, OSError, yaml.YAMLError) as err:
        raise ArchiveError(
            f"{path}: is not the truth of a simulated archive: {err}. Move the archive and this file away, "
            "and simulate again"
        ) from err


def _values(column: Column) -> list[object]:
    # Empty text comes back from ECSV as masked.
    whole = column.filled("") if isinstance(column, MaskedColumn) else column
    return list(whole.tolist())
