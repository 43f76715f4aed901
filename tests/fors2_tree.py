"""Headers of the files in a real calSelector answer for FORS2, rebuilt from their names, categories and nesting.

The answer (raw2raw, science frame of 2021-01-02) names 51 files and says of each what it is, but has no headers. What
is rebuilt: the time from the name, DPR keys from the category, the template from the group that a file is in. The
setup is the one that the category of the root tells, SCI_IMG_2x2_low; CCD, filter and collimator are the same
throughout, or the files would not be associated with each other, and their values are plausible ones.
"""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qcbench.core.dates import mjd_of
from qcbench.oca import Value

NAME = "FORS2.2021-01-02T00_59_12.533_raw2raw.xml"

# DPR.CATG, DPR.TYPE, TPL.ID and EXPTIME (s) of the raw files of a category
_RAW: dict[str, tuple[str, str, str, float]] = {
    "SCIENCE_IMG": ("SCIENCE", "OBJECT", "FORS2_img_obs_crsplit", 120.0),
    "STANDARD_IMG": ("CALIB", "STD", "FORS2_img_cal_photom", 4.0),
    "SKY_FLAT_IMG": ("CALIB", "FLAT,SKY", "FORS2_img_cal_skyflat", 3.0),
    "BIAS": ("CALIB", "BIAS", "FORS2_img_cal_bias", 0.0),
}
_SETUP: dict[str, Value] = {
    "INSTRUME": "FORS2",
    "EXTNAME": "CHIP1",
    "DET.CHIP1.ID": "CCID20-14-5-3",
    "DET.READ.CLOCK": "200Kps/2ports/low_gain",
    "DET.WIN1.BINX": 2,
    "DET.WIN1.BINY": 2,
    "INS.COLL.NAME": "COLL_SR",
    "INS.FILT1.NAME": "R_SPECIAL",
    "INS.MODE": "IMG",
}


@dataclass(frozen=True)
class Node:
    """An association of the answer: its category, its own files (category and name), and what is below it."""

    category: str
    match: str
    files: tuple[tuple[str, str], ...]
    below: tuple[Node, ...]

    def walk(self) -> Iterator[Node]:
        """Walk over this association and all below it."""
        yield self
        for node in self.below:
            yield from node.walk()


def read_tree(folder: Path) -> Node:
    """Read the answer from the folder of real data."""
    return _node(ET.parse(folder / "calselector-fors2" / NAME).getroot())


def rebuilt_headers(folder: Path) -> dict[str, dict[str, Value]]:
    """Rebuild the headers of all files of the answer, by name."""
    headers: dict[str, dict[str, Value]] = {}
    for node in read_tree(folder).walk():
        template = _time_of(node.files[0][1]) - dt.timedelta(seconds=20)
        for number, (category, name) in enumerate(node.files, start=1):
            if category in _RAW:
                place: dict[str, Value] = {
                    "TPL.START": template.isoformat(timespec="seconds"),
                    "TPL.EXPNO": number,
                }
                headers[name] = _raw_header(name, category) | place | {"TPL.NEXP": len(node.files)}
            else:
                headers[name] = _general_header(name, category)
    return headers


def _node(element: ET.Element) -> Node:
    files = tuple(
        (item.attrib["category"], item.attrib["name"]) for item in element.iterfind("mainFiles/file")
    )
    below = tuple(_node(item) for item in element.iterfind("associatedFiles/association"))
    return Node(element.attrib["category"], element.attrib.get("match", ""), files, below)


def _time_of(name: str) -> dt.datetime:
    return dt.datetime.fromisoformat(name.removeprefix("M.").removeprefix("FORS2."))


def _raw_header(name: str, category: str) -> dict[str, Value]:
    catg, kind, template, exptime = _RAW[category]
    start = _time_of(name)
    return {
        **_SETUP,
        "ARCFILE": f"{name}.fits",
        "DATE-OBS": start.isoformat(timespec="milliseconds"),
        "MJD-OBS": mjd_of(start.replace(tzinfo=dt.UTC)),
        "EXPTIME": exptime,
        "DPR.CATG": catg,
        "DPR.TYPE": kind,
        "DPR.TECH": "IMAGE",
        "TPL.ID": template,
    }


def _general_header(name: str, category: str) -> dict[str, Value]:
    """A general calibration says what it is, and which CCD it is of; its name has the time of its ingestion."""
    return {
        "INSTRUME": "FORS2",
        "DET.CHIP1.ID": _SETUP["DET.CHIP1.ID"],
        "ARCFILE": f"{name}.fits",
        "MJD-OBS": mjd_of(_time_of(name).replace(tzinfo=dt.UTC)),
        "PRO.CATG": category,
    }
