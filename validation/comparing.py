"""QC parameters of a cascade against the truth that the simulated observatory wrote down."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from astropy.table import Table
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from qcbench.instruments import Column, TableSpec
from qcbench.qc1 import read_ab
from qcbench.simulate import truth_path
from qcbench.store import ABInput, AssociationBlock, RecipeRun
from qcbench.workbench import Workbench
from validation.cascades import Cascade
from validation.general import PIXEL_SCALE, STAR_MAGNITUDE, ZERO_POINT

# the star in simulate.yaml of NACO: adu of one integration, and its time (s)
STAR_FLUX, STAR_TIME = 300_000.0, 2.0


@dataclass(frozen=True)
class Comparison:
    """A QC parameter that has a truth.

    Attributes
    ----------
    truth : callable
        Gives it from the truth of a detector in the frames of an AB: a mapping of columns, with `level_max` for the
        brightest frame, and EXPTIME (s) under `exptime`.
    relative, absolute : float
        How far it may be from the truth; the larger one counts.
    why : str
        Why so far.
    """

    table: str
    column: str
    truth: Callable[[Mapping[str, float]], float]
    why: str
    relative: float = 0.0
    absolute: float = 0.0


@dataclass(frozen=True)
class Compared:
    """A value beside its truth; `tolerance` in the same unit."""

    comparison: Comparison
    column: Column
    ab: AssociationBlock
    run: RecipeRun
    detector: str
    truth: float
    value: float | None
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the value is within the tolerance of its truth."""
        return self.value is not None and abs(self.value - self.truth) <= self.tolerance


def compare(bench: Workbench, cascade: Cascade) -> Iterator[Compared]:
    """Compare all that can be compared, in the order of the ABs and of the detectors in the pack."""
    injected = Table.read(truth_path(bench.settings.archive_path), format="ascii.ecsv")
    pack = bench.pack(cascade.instrument)
    for ab, run in runs(bench):
        for comparison in COMPARISONS.get(cascade.instrument, ()):
            spec = pack.tables[comparison.table]
            if ab.raw_type in spec.raw_types:
                yield from _rows(bench, cascade, comparison, spec, ab, run, injected)


def runs(bench: Workbench) -> list[tuple[AssociationBlock, RecipeRun]]:
    """Return the ABs of calibrations with the last run of each, in the order of time."""
    query = (
        select(AssociationBlock, RecipeRun)
        .join(RecipeRun, RecipeRun.ab_id == AssociationBlock.id)
        .options(selectinload(AssociationBlock.inputs).selectinload(ABInput.frame))
        .order_by(AssociationBlock.mjd_obs, RecipeRun.id)
    )
    with bench.store.read() as session:
        return list({ab.id: (ab, run) for ab, run in session.execute(query)}.values())


def _rows(
    bench: Workbench,
    cascade: Cascade,
    comparison: Comparison,
    spec: TableSpec,
    ab: AssociationBlock,
    run: RecipeRun,
    injected: Table,
) -> Iterator[Compared]:
    (column,) = (item for item in spec.columns if item.name == comparison.column)
    names = {item.frame.arcfile for item in ab.inputs}
    own = injected[[name in names for name in injected["arcfile"]]]
    with bench.store.connect() as connection:
        rows = read_ab(connection, comparison.table, spec, ab.name)
    for row in rows:
        detector = str(row["detector"])
        of_detector = own[own["detector"] == cascade.detectors.get(detector, detector)]
        facts = {name: float(of_detector[name][0]) for name in ("gain", "ron", "dark_current", "n_hot")}
        facts["level_max"] = float(max(of_detector["level"]))
        facts["exptime"] = float(ab.inputs[0].frame.keys["EXPTIME"])
        truth = comparison.truth(facts)
        value = row[comparison.column]
        tolerance = max(comparison.absolute, comparison.relative * abs(truth))
        number = float(str(value)) if value is not None else None
        yield Compared(comparison, column, ab, run, detector, truth, number, tolerance)


def _ron(facts: Mapping[str, float]) -> float:
    return facts["ron"]


def _gain(facts: Mapping[str, float]) -> float:
    return facts["gain"]


def _n_hot(facts: Mapping[str, float]) -> float:
    return facts["n_hot"]


def _of_an_hour(facts: Mapping[str, float]) -> float:
    return 3600.0 * facts["dark_current"]


def _zero_point(facts: Mapping[str, float]) -> float:
    return STAR_MAGNITUDE + 2.5 * math.log10(STAR_FLUX / STAR_TIME)


def _sky_brightness(facts: Mapping[str, float]) -> float:
    return ZERO_POINT - 2.5 * math.log10(facts["level_max"] / facts["exptime"] / PIXEL_SCALE**2)


def _ron_of(table: str, column: str = "ron") -> Comparison:
    why = "noise in about 100 windows of some hundred pixels: 0.5 to 1 %; hot pixels in a window raise it"
    return Comparison(table, column, _ron, why, relative=0.05)


_HOT_ADDS = "noise of the mean is below 0.01 adu; hot pixels, about 1 in 30,000, add up to 0.1 adu"

COMPARISONS: Mapping[str, tuple[Comparison, ...]] = {
    "naco": (
        _ron_of("naco_dark"),
        Comparison(
            "naco_dark", "n_hot", _n_hot, "a hot pixel is far above the noise: none is missed", relative=0.005
        ),
        Comparison(
            "naco_zeropoint",
            "zeropoint",
            _zero_point,
            "flat of unit mean in a field with a ripple of 6 %, and light outside of the aperture",
            absolute=0.08,
        ),
    ),
    "uves": (
        *(_ron_of(f"uves_bias_{chip}", "ron_raw") for chip in ("blue", "redl", "redu")),
        *(
            Comparison(f"uves_dark_{chip}", "dark_level", _of_an_hour, _HOT_ADDS, absolute=0.15)
            for chip in ("blue", "redl", "redu")
        ),
    ),
    "hawki": (
        _ron_of("hawki_dark"),
        _ron_of("hawki_detector_noise"),
        Comparison(
            "hawki_detector_noise",
            "gain",
            _gain,
            "photon transfer from one pair of 512 x 512 pixels scatters by 0.5 %",
            relative=0.03,
        ),
        Comparison(
            "hawki_science",
            "zeropoint",
            lambda _: ZERO_POINT,
            "stars that touch each other, and a correction for light outside of the aperture of 0.06",
            absolute=0.15,
        ),
        Comparison(
            "hawki_science",
            "sky_brightness",
            _sky_brightness,
            "the zero point goes into it, and the scale that the astrometry finds",
            absolute=0.2,
        ),
    ),
    "giraffe": (
        _ron_of("giraffe_bias", "ron_raw"),
        Comparison("giraffe_dark", "dark_current", _of_an_hour, _HOT_ADDS, absolute=0.1),
    ),
    "vimos": (
        Comparison(
            "vimos_dark_img",
            "dark_med",
            lambda facts: facts["dark_current"],
            "medians of whole adu, in the darks and in their master bias, half an adu each: 1 adu in 300 s",
            absolute=0.0034,
        ),
    ),
    "muse": tuple(
        Comparison(
            "muse_bias",
            f"ron{quadrant}",
            lambda facts: facts["ron"] * facts["gain"],
            "the recipe gives its own error, 0.1 of 2.8",
            relative=0.1,
        )
        for quadrant in range(1, 5)
    ),
}
