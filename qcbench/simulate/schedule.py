"""The plan of a simulated night: which exposure starts when, and what it is called."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

from qcbench.core.dates import DEFAULT_START_HOUR, iso_ut, mjd_of
from qcbench.simulate.description import Description, KeyValue, Scalar, Template
from qcbench.simulate.scenes import Arc, FieldOfStars, Flat, SlitFlat, SlitStar

Light = Literal["normal", "out", "saturated"]
Damage = Literal["truncated", "rotten", "not-fits"]


@dataclass(frozen=True)
class Exposure:
    """One exposure of a night and what is wrong with it.

    Attributes
    ----------
    index : int
        Number of the template in the night, from 1.
    expno : int
        Number of the exposure in its template, from 1.
    detectors : tuple of str
        Names of the detectors whose pixels the file holds.
    file_name : str
        Name of the file in the archive; it is ARCFILE but for a second copy.
    ron_factor : mapping of str to float
        Factor on the readout noise, by detector name.
    dropped, replaced
        Primary keywords that are absent, or hold something else.
    """

    date: dt.date
    template: Template
    index: int
    expno: int
    start: dt.datetime
    tpl_start: dt.datetime
    arcfile: str
    origfile: str
    file_name: str
    detectors: tuple[str, ...]
    copy: int = 0
    light: Light = "normal"
    ron_factor: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    dropped: tuple[str, ...] = ()
    replaced: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    damage: Damage | None = None
    anomalies: tuple[str, ...] = ()

    @property
    def mjd(self) -> float:
        """Start (MJD, UTC)."""
        return mjd_of(self.start)

    @property
    def raw_type(self) -> str:
        """Raw type of this exposure, as the description names it."""
        return str(self.own(self.template.raw_type))

    @property
    def dpr_type(self) -> str:
        """DPR.TYPE of this exposure."""
        return str(self.own(self.template.type))

    @property
    def offset(self) -> tuple[float, float]:
        """Offset of the telescope in pixels: a star at pixel x is seen at ``x - offset``."""
        return self.template.offsets[self.expno - 1] if self.template.offsets else (0.0, 0.0)

    @property
    def nominal_level(self) -> float:
        """Light (adu) on the detectors, before drift and anomalies; for stars and lines what lies between."""
        scene = self.template.scene
        if isinstance(scene, Flat | SlitFlat):
            return scene.level[self.expno - 1]
        if isinstance(scene, FieldOfStars | SlitStar):
            return scene.sky
        return scene.background if isinstance(scene, Arc) else 0.0

    def own(self, value: KeyValue) -> Scalar:
        """Return the value of this exposure out of a value that may have one an exposure."""
        return value[self.expno - 1] if isinstance(value, tuple) else value


def plan_night(plan: Description, date: dt.date, seed: int) -> tuple[Exposure, ...]:
    """Return the exposures of one night in the order of time; the same arguments give the same night."""
    day = dt.datetime.combine(date, dt.time(DEFAULT_START_HOUR), tzinfo=dt.UTC)
    counts: Counter[str] = Counter()
    exposures: list[Exposure] = []
    free_from = day
    for index, template in enumerate(plan.templates, start=1):
        rng = np.random.default_rng([seed, date.toordinal(), index])
        wanted = day + dt.timedelta(hours=template.hour, seconds=float(rng.uniform(0, 180)))
        start = max(wanted, free_from).replace(microsecond=0)
        exposures += _expose(plan, template, index, start, counts, rng, date)
        free_from = exposures[-1].start + dt.timedelta(
            seconds=template.exptime * template.ndit + 2 * template.overhead
        )
    return tuple(exposures)


def _expose(
    plan: Description,
    template: Template,
    index: int,
    tpl_start: dt.datetime,
    counts: Counter[str],
    rng: np.random.Generator,
    date: dt.date,
) -> list[Exposure]:
    exposures = []
    for expno in range(1, template.nexp + 1):
        wait = 4.0 + (expno - 1) * (template.exptime * template.ndit + template.overhead)
        start = tpl_start + dt.timedelta(milliseconds=round(wait * 1000) + int(rng.integers(1, 900)))
        for number, detectors in enumerate(_files(plan, template)):
            written = start + dt.timedelta(milliseconds=number)
            counts[template.label] += 1
            arcfile = f"{plan.prefix}.{iso_ut(written, digits=3)}.fits"
            count = f"{date.timetuple().tm_yday:03d}_{counts[template.label]:04d}"
            name = f"{plan.prefix}_{template.label}{count}.fits"
            exposures.append(
                Exposure(date, template, index, expno, written, tpl_start, arcfile, name, arcfile, detectors)
            )
    return exposures


def _files(plan: Description, template: Template) -> tuple[tuple[str, ...], ...]:
    """Return the detectors in each file of an exposure."""
    read = plan.read_by(template)
    return tuple((name,) for name in read) if plan.layout_of(template) == "files" else (read,)
