"""The handbook's data tree.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 5.3.1 and 5.3.2, Tables 2 and 3.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from qcbench.core.errors import QcbenchError
from qcbench.core.files import make_folder

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+#-]*")


def safe_name(text: str) -> str:
    """Return a text that may serve as the name of a file, or refuse it.

    Header values are hostile input: a value with a slash, a leading dot or a blank is never part of a path.

    Raises
    ------
    QcbenchError
        The text is not a plain name.
    """
    if len(text) > 200 or not _SAFE.fullmatch(text):
        raise QcbenchError(f"{text!r} can't be the name of a file: letters, digits and _ . : + # - only")
    return text


@dataclass(frozen=True)
class WorkbenchTree:
    """Folders of a workbench that all instruments share (handbook, Table 2)."""

    root: Path

    @property
    def config(self) -> Path:
        """Instrument packs of this site, which win over the ones that come with qcbench."""
        return self.root / "config"

    @property
    def jobs(self) -> Path:
        """Job files."""
        return self.root / "jobs"

    @property
    def monitor(self) -> Path:
        """Monitor pages, logs, locks."""
        return self.root / "monitor"

    @property
    def locks(self) -> Path:
        """Locks of running commands."""
        return self.monitor / "locks"

    @property
    def work(self) -> Path:
        """Private working directories of running recipes, on the volume of the products."""
        return self.root / "work"

    @property
    def notebooks(self) -> Path:
        """What Jupyter serves: the apps and the users' own notebooks."""
        return self.root / "notebooks"

    def data(self, instrument: str) -> DataTree:
        """Return the data tree of an instrument."""
        return DataTree(self.root / "data" / safe_name(instrument))

    def make(self, instruments: tuple[str, ...]) -> None:
        """Make all folders that are missing."""
        for folder in (self.config, self.jobs, self.locks, self.work, self.notebooks):
            make_folder(folder)
        for instrument in instruments:
            self.data(instrument).make()


@dataclass(frozen=True)
class DataTree:
    """Folders of one instrument (handbook, Table 3)."""

    root: Path

    def raw(self, date: dt.date) -> Path:
        """Return the folder of the raw frames of a date."""
        return self.root / "raw" / date.isoformat()

    def headers(self, date: dt.date) -> Path:
        """Return the folder of the header files of a date."""
        return self.root / "headers" / date.isoformat()

    def calib(self, date: dt.date) -> Path:
        """Return the folder of the certified calibration products of a date."""
        return self.root / "calib" / date.isoformat()

    def logs(self, date: dt.date) -> Path:
        """Return the folder of the pipeline logs, ABs and association logs of a date."""
        return self.root / "logs" / date.isoformat()

    def plots(self, date: dt.date) -> Path:
        """Return the folder of the QC reports of a date."""
        return self.root / "plots" / date.isoformat()

    @property
    def listings(self) -> Path:
        """Data reports of the nights."""
        return self.root / "listings" / "REPORT"

    @property
    def static(self) -> Path:
        """Scripts that the pages of this tree share."""
        return self.root / "static"

    @property
    def general(self) -> Path:
        """General (static) calibrations, which are not made from raw frames ($GEN_CALDIR)."""
        return self.root / "calib" / "general"

    @property
    def trending(self) -> Path:
        """Information for the trending system."""
        return self.root / "trending"

    def product(self, raw_type: str, date: dt.date) -> Path:
        """Return the certification area of a raw type and date ($DFS_PRODUCT/<TYPE>/<DATE>)."""
        return self.root / "product" / safe_name(raw_type) / date.isoformat()

    def folders_of(self, date: dt.date) -> list[Path]:
        """Return the folders of a date that are there, the certification areas of all raw types too."""
        own = [self.raw(date), self.headers(date), self.calib(date), self.logs(date), self.plots(date)]
        areas = sorted((self.root / "product").glob(f"*/{date.isoformat()}"))
        return [folder for folder in (*own, *areas) if folder.is_dir()]

    @property
    def undated(self) -> tuple[Path, ...]:
        """The folders whose files are of no date, or of all."""
        return (self.listings, self.trending, self.static, self.general)

    def make(self) -> None:
        """Make all folders that are missing."""
        for name in ("raw", "headers", "calib", "reduced", "logs", "plots", "product"):
            make_folder(self.root / name)
        for folder in self.undated:
            make_folder(folder)
