"""The cascades: what is simulated for each instrument, and which masters each step has to be given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import select

from qcbench.association import create_abs, load_headers, scan_archive
from qcbench.certification import decide, queue
from qcbench.instruments import available_packs
from qcbench.processing import create_job, process_ab
from qcbench.simulate import simulate
from qcbench.store import ABState, AssociationBlock
from qcbench.workbench import Workbench, make_workbench
from qcbench.workflow import auto_daily, run_job
from validation.general import NIGHT, SEED, hawki_calibrations, naco_calibrations


@dataclass(frozen=True)
class Step:
    """ABs of a raw type: what makes the masters that they use, and the PRO.CATG of what they make."""

    raw_type: str
    uses: frozenset[str]
    makes: frozenset[str]


@dataclass(frozen=True)
class Cascade:
    """A cascade of one instrument.

    Attributes
    ----------
    window : int, optional
        Side (pixels) of the part of each detector that is read; the whole detector without it.
    observed : tuple of str
        Raw types by the names of ``simulate.yaml``.
    detectors : mapping of str to str
        Name in the truth by name in the QC1 tables, where they differ.
    general : callable, optional
        Puts general calibrations into a folder, for frames with a window of some side.
    science : bool
        Certify all that was made, and process the science of the night with it.
    parameters : mapping
        Parameters of the recipes for these ABs alone.
    """

    instrument: str
    observed: tuple[str, ...]
    steps: tuple[Step, ...]
    window: int | None = None
    detectors: Mapping[str, str] = field(default_factory=dict)
    general: Callable[[Path, int | None], None] | None = None
    science: bool = False
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)


def run(cascade: Cascade, root: Path) -> Workbench:
    """Simulate the frames into a workbench, let it do all that it does by itself up to scores, and process science.

    Called again on the same folder it goes on where it was.
    """
    bench = make_workbench(root, (cascade.instrument,), {"QCBENCH_PROCESSING_ENGINE": "auto"})
    if cascade.general:
        cascade.general(bench.data(cascade.instrument).general, cascade.window)
    simulate(
        available_packs()[cascade.instrument] / "simulate.yaml",
        bench.settings.archive_path,
        nights=1,
        start=NIGHT,
        seed=SEED,
        window=cascade.window,
        raw_types=cascade.observed,
    )
    if cascade.parameters:
        _process_by_hand(bench, cascade)
    auto_daily(bench, through="scored", show=False)
    if cascade.science:
        _process_science(bench, cascade.instrument)
    return bench


def _process_by_hand(bench: Workbench, cascade: Cascade) -> None:
    """Process ABs with parameters of their own, as ``process-ab -p`` does; auto-daily takes it from there."""
    scan_archive(bench)
    load_headers(bench, cascade.instrument, NIGHT)
    create_abs(bench, cascade.instrument, NIGHT)
    create_job(bench, cascade.instrument, NIGHT)
    with bench.store.read() as session:
        names = session.scalars(
            select(AssociationBlock.name)
            .where(AssociationBlock.state == ABState.QUEUED)
            .order_by(AssociationBlock.mjd_obs)
        ).all()
    for name in names:
        process_ab(bench, name, parameters=cascade.parameters)


def _process_science(bench: Workbench, instrument: str) -> None:
    """Certify all calibrations, as a person does, and process science with them."""
    for item in queue(bench, instrument, NIGHT):
        decide(
            bench,
            item.ab_name,
            "certified",
            by="validation",
            comment="its values are compared with the truth",
        )
    auto_daily(bench, through="ingested", show=False)
    create_abs(bench, instrument, NIGHT, "SCIENCE")
    create_job(bench, instrument, NIGHT, "SCIENCE")
    run_job(bench, instrument, NIGHT, "SCIENCE", show=False)


def _step(raw_type: str, uses: str, makes: str) -> Step:
    return Step(raw_type, frozenset(uses.split()), frozenset(makes.split()))


NACO = Cascade(
    "naco",
    ("DARK", "TWILIGHT_FLAT", "ZEROPOINT"),
    (
        _step("DARK", "", "NACO_IMG_DARK_AVG NACO_IMG_DARK_HOT NACO_IMG_DARK_COLD NACO_IMG_DARK_DEV"),
        _step("TWILIGHT_FLAT", "DARK", "MASTER_IMG_FLAT MASTER_IMG_FLAT_BADPIX"),
        _step("ZEROPOINT", "TWILIGHT_FLAT general", "ZPOINT_TABLE"),
    ),
    general=naco_calibrations,
)
UVES = Cascade(
    "uves",
    ("BIAS_BLUE", "BIAS_RED", "DARK_BLUE", "DARK_RED"),
    (
        _step("BIAS_BLUE", "", "MASTER_BIAS_BLUE"),
        _step("BIAS_RED", "", "MASTER_BIAS_REDL MASTER_BIAS_REDU"),
        _step("DARK_BLUE", "BIAS_BLUE", "MASTER_DARK_BLUE"),
        _step("DARK_RED", "BIAS_RED", "MASTER_DARK_REDL MASTER_DARK_REDU"),
    ),
    detectors={"BLUE": "CCDB", "REDU": "WIN1.CHIP1.OUT1", "REDL": "WIN1.CHIP2.OUT1"},
)
HAWKI = Cascade(
    "hawki",
    ("DARK", "FLAT_TWILIGHT", "DETNOISE_DARK", "DETNOISE_FLAT", "OBJECT"),
    (
        _step("DARK", "", "MASTER_DARK"),
        _step("FLAT_TWILIGHT", "DARK", "MASTER_TWILIGHT_FLAT MASTER_CONF MASTER_BPM"),
        _step("DETECTOR_NOISE", "", "MASTER_READGAIN"),
        _step(
            "SCI_IMAGE",
            "DARK FLAT_TWILIGHT DETECTOR_NOISE general",
            "BASIC_CALIBRATED_SCI JITTERED_IMAGE_SCI CONFIDENCE_MAP_JITTERED OBJECT_CATALOGUE_JITTERED",
        ),
    ),
    general=hawki_calibrations,
    science=True,
)
GIRAFFE = Cascade(
    "giraffe",
    ("BIAS", "DARK"),
    (_step("BIAS", "", "MASTER_BIAS BAD_PIXEL_MAP"), _step("DARK", "BIAS", "MASTER_DARK")),
)
VIMOS = Cascade(
    "vimos",
    ("BIAS_IMG", "DARK_IMG", "SKYFLAT", "DETNOISE_BIAS", "DETNOISE_FLAT"),
    (
        _step("BIAS_IMG", "", "MASTER_BIAS"),
        _step("DARK_IMG", "BIAS_IMG", "MASTER_DARK"),
        _step("SKYFLAT", "BIAS_IMG DARK_IMG", "MASTER_TWILIGHT_FLAT MASTER_CONF MASTER_BPM"),
        _step("DETNOISE", "", "MASTER_READGAIN"),
    ),
)
MUSE = Cascade(
    "muse",
    ("BIAS",),
    (_step("BIAS", "", "MASTER_BIAS"),),
    detectors={"CHAN06.DATA": "CHAN06"},
    # the one IFU that the simulated frames hold; all at a time needs all of them in each frame
    parameters={"nifu": 6, "merge": False},
)

FULL = (NACO, UVES, HAWKI, GIRAFFE, VIMOS, MUSE)
# The other pipelines crash on small frames. HAWK-I's recipe for flats wants the middle of the whole detector: another
# engine makes these.
SMALL = (
    replace(NACO, window=512),
    replace(UVES, window=512),
    replace(HAWKI, window=512),
)
