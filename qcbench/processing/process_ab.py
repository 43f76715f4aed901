"""Processing one AB (the handbook's processAB): fetch pixels, check them, run the recipe, keep the products.

The database is told last: a kill before that leaves files that the next call makes anew under the same names.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 5.5.3 and 5.8.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from qcbench.core.dates import utc_now
from qcbench.core.errors import (
    ArchiveError,
    FrameError,
    QcbenchError,
    RecipeError,
    StoppedError,
)
from qcbench.core.files import (
    copy_file,
    make_folder,
    move_file,
    write_error,
)
from qcbench.core.logs import get_logger, log_context
from qcbench.instruments import RecipeConfig, Scalar
from qcbench.processing.claims import claim, release
from qcbench.processing.disk import blame_disk, check_space
from qcbench.processing.engines import (
    Engine,
    RecipeJob,
    RecipeResult,
    choose_engine,
    load_engines,
)
from qcbench.processing.inputs import TOOL, bring_raw, check_raw
from qcbench.processing.masters import MasterFolder
from qcbench.processing.products import keep, positions, tell
from qcbench.processing.removal import pass_removals
from qcbench.processing.running import Limits
from qcbench.processing.runs import Call, keep_run
from qcbench.processing.supply import Supply
from qcbench.store import (
    ABState,
    AssociationBlock,
    advance,
)
from qcbench.workbench import Workbench


@dataclass(frozen=True)
class ProcessResult:
    """How the processing of an AB ended; `reason` says in words why it failed."""

    ab_name: str
    ok: bool
    reason: str | None
    engine: str | None
    seconds: float


@dataclass(frozen=True)
class _Attempt:
    """An AB that is claimed, and what works on it; `work` is a folder for this attempt alone."""

    bench: Workbench
    ab: AssociationBlock
    work: Path
    engines: Mapping[str, Engine]
    supply: Supply

    @property
    def masters(self) -> MasterFolder:
        """Its calibrations: beside the folder of its work, for they are nothing that the recipe wrote."""
        return MasterFolder(self.bench, self.work.with_name(f"{self.work.name}.masters"), self.supply.sums)


def process_ab(
    bench: Workbench,
    ab_name: str,
    *,
    engines: Mapping[str, Engine] | None = None,
    again: bool = False,
    parameters: Mapping[str, Scalar | None] | None = None,
    write_texts: bool = True,
    supply: Supply | None = None,
) -> ProcessResult:
    """Process an AB that is created or queued.

    A failure, whatever its kind, is written to the AB and returned.

    Parameters
    ----------
    again : bool
        Process a failed AB once more: failures are tried once only, unless somebody asks for it.
    parameters : mapping, optional
        Parameters of the recipe for this AB alone, kept with it, over those of the pack; None for one takes it back.
    write_texts : bool
        Write the text form of the AB; a caller with many ABs does that once for all.
    supply : Supply, optional
        That of the job to which the AB belongs. When its `stop` is set, the AB goes back to the queue.

    Raises
    ------
    RecipeError
        The AB has no recipe, or has failed before; a parameter has a name that no recipe can have.
    NotFoundError
        There is no such AB.
    TransitionError
        It is not in a state from which it can be processed.
    WaitingError
        It is incomplete, an AB that makes what it needs has failed or is still to be processed, a calibration is
        lost, or there is no room on disk.
    FileWriteError
        The disk is full or not writable: that is no fault of the AB, which goes back to the queue.
    ArchiveError
        The archive itself can't be used: likewise.
    StoppedError
        It was stopped, and is in the queue again.
    """
    check_space(bench)
    with (
        nullcontext(supply) if supply else Supply(bench) as given,
        given.room.held_for(ab_name, given.stop),
    ):
        given.begins(ab_name)
        ab = claim(bench, ab_name, again=again, parameters=parameters or {})
        pass_removals(bench)
        # another one for each attempt: a recipe whose parent was killed may still write into its own
        work = bench.tree.work / f"{ab.root_name}-{secrets.token_hex(4)}"
        attempt = _Attempt(bench, ab, work, engines or load_engines(), given)
        with log_context(instrument=ab.instrument, date=ab.dfo_date, ab=ab.name):
            try:
                result = _make(attempt)
            finally:
                for folder in (work, attempt.masters.path):
                    shutil.rmtree(folder, ignore_errors=True)
            if result.ok:
                given.ends_well(ab_name)
            if write_texts:
                bench.write_texts()
    return result


def _make(attempt: _Attempt) -> ProcessResult:
    """Process an AB that is claimed: its own failures fail it, those of the machine put it back to the queue."""
    bench, ab = attempt.bench, attempt.ab
    try:
        return _process(attempt)
    except ArchiveError as err:
        if away := bench.archive.problem():
            release(bench, ab.name, f"the archive can't be used: {away}")
            raise
        return _failed(bench, ab, str(err))
    except (FrameError, RecipeError) as err:
        return _failed(bench, ab, str(err))
    except QcbenchError as err:
        release(bench, ab.name, str(err))
        raise
    except KeyboardInterrupt:
        release(bench, ab.name, "the program that worked on it was ended")
        raise
    except OSError as err:
        problem = write_error(Path(str(err.filename or attempt.work)), err)
        release(bench, ab.name, str(problem))
        raise problem from err
    except Exception as err:  # noqa: BLE001 (whatever one AB brings about, the night goes on; nothing is hidden)
        get_logger().error("unexpected error", tool=TOOL, exc_info=True)
        return _failed(bench, ab, f"an unexpected error: {type(err).__name__}: {err}")


def _process(attempt: _Attempt) -> ProcessResult:
    bench, ab, work = attempt.bench, attempt.ab, attempt.work
    pack = bench.pack(ab.instrument)
    raw = bring_raw(bench, ab, attempt.supply.streams)
    naxis = check_raw([item.path for item in raw], pack.instrument, ab.raw_type)
    engine, choice, passed_over = choose_engine(
        pack,
        ab.recipe,
        attempt.engines,
        wanted=bench.settings.processing.engine,
        naxis=naxis,
    )
    if passed_over:
        get_logger().info(f"engine {engine.name} ({passed_over})", tool=TOOL)
    given = (*raw, *attempt.masters.bring(ab, raw))
    job = RecipeJob(
        ab_name=ab.name,
        recipe=choice.recipe,
        instrument_recipe=ab.recipe,
        sof=tuple((item.path, item.tag) for item in given),
        parameters={**choice.parameters, **ab.parameters},
        work_dir=make_folder(work),
        output_dir=make_folder(work / "products"),
        log=work / "recipe.log",
        limits=_limits(bench, pack.instrument.recipes[ab.recipe], attempt.supply.stop),
    )
    if attempt.supply.stop.is_set():
        raise StoppedError("the program that called for it was ended before its recipe was started")
    call = Call(job, given, engine.name, engine.version(choice.recipe), utc_now())
    try:
        return _run(bench, ab, engine, call, passed_over)
    except (FrameError, RecipeError) as err:
        # a list or a product that is cut short
        blame_disk(bench, job, str(err))
        raise


def _run(
    bench: Workbench, ab: AssociationBlock, engine: Engine, call: Call, passed_over: str
) -> ProcessResult:
    """Run the recipe, and keep what came of it."""
    job = call.job
    result = engine.run(job)
    if not job.log.is_file():
        return _failed(bench, ab, "the recipe removed the folder in which it worked", (call, result))
    log = _log_of(bench, ab)
    copy_file(job.log, log)
    reason = result.reason or _incomplete(ab, result)
    if reason:
        blame_disk(bench, job, reason)
        return _failed(bench, ab, reason, (call, result))
    return _succeeded(bench, ab, call, passed_over, result, log)


def _limits(bench: Workbench, recipe: RecipeConfig, stop: threading.Event) -> Limits:
    """Return what a recipe may take: as its pack says, else as the settings say."""
    settings = bench.settings.processing
    return Limits(
        timeout_s=recipe.timeout_s or settings.timeout_s,
        memory_mb=settings.memory_mb if recipe.memory_mb is None else recipe.memory_mb,
        disk_mb=settings.disk_mb if recipe.disk_mb is None else recipe.disk_mb,
        stop=stop,
    )


def _incomplete(ab: AssociationBlock, result: RecipeResult) -> str | None:
    """Say which products a recipe that ended well has not written."""
    made = {category for path, category in result.products if path.is_file()}
    missing = [product.pro_catg for product in ab.products if product.pro_catg not in made]
    return f"the recipe ended well but wrote no {', '.join(missing)}" if missing else None


def _succeeded(
    bench: Workbench,
    ab: AssociationBlock,
    call: Call,
    passed_over: str,
    result: RecipeResult,
    log: Path,
) -> ProcessResult:
    """Put the products into the certification area, then tell the database, in one transaction."""
    area = bench.data(ab.instrument).product(ab.raw_type, ab.dfo_date)
    kept = [
        keep(ab, position, category, move_file(path, area / f"{ab.prod_root}_{position:04d}.fits"))
        for position, (path, category) in sorted(positions(bench, ab, result).items())
    ]
    with bench.store.write() as session:
        ab = session.get_one(AssociationBlock, ab.id)
        for facts in kept:
            tell(ab, facts)
        session.flush()  # a product that the rules did not predict has no number before
        made = {facts.position for facts in kept}
        products = [product for product in ab.products if product.position in made]
        keep_run(session, ab.id, call, result, None, products)
        _end(ab, call.engine, result.seconds, log)
        text = f"{len(kept)} products by {call.engine} in {result.seconds:.1f} s"
        advance(session, ab, ABState.PROCESSED, TOOL, text + (f" ({passed_over})" if passed_over else ""))
    return ProcessResult(ab.name, True, None, call.engine, result.seconds)


def _failed(
    bench: Workbench, ab: AssociationBlock, reason: str, run: tuple[Call, RecipeResult] | None = None
) -> ProcessResult:
    """Tell the database why an AB failed, and of the run of its recipe, if there was one."""
    log = _log_of(bench, ab)
    engine, seconds = (run[0].engine, run[1].seconds) if run else (None, 0.0)
    with bench.store.write() as session:
        ab = session.get_one(AssociationBlock, ab.id)
        ab.reason = reason
        if run:
            keep_run(session, ab.id, *run, reason, ())
        _end(ab, engine, seconds, log if log.is_file() else None)
        advance(session, ab, ABState.FAILED, TOOL, reason, level="error")
    get_logger().error(reason, tool=TOOL)
    return ProcessResult(ab.name, False, reason, engine, seconds)


def _log_of(bench: Workbench, ab: AssociationBlock) -> Path:
    return bench.data(ab.instrument).logs(ab.dfo_date) / f"{ab.prod_root}.log"


def _end(ab: AssociationBlock, engine: str | None, seconds: float, log: Path | None) -> None:
    ab.engine, ab.exec_seconds, ab.claim = engine, seconds, None
    ab.log_path = str(log) if log else None
