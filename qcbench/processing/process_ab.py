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
from dataclasses import dataclass, replace
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
from qcbench.core.logs import get_logger, log_context, words_of
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
from qcbench.processing.products import (
    examine,
    forget_others,
    positions,
    predicted,
    remove_others,
    tell,
)
from qcbench.processing.removal import pass_removals
from qcbench.processing.room import LINKS
from qcbench.processing.running import Limits
from qcbench.processing.runs import Call, keep_run
from qcbench.processing.supply import Supply
from qcbench.store import (
    ABState,
    AssociationBlock,
    advance,
)
from qcbench.workbench import Workbench

# what CPL calls an unspecified error
_UNSPECIFIED = 1


@dataclass(frozen=True)
class ProcessResult:
    """How the processing of an AB ended; `reason` says in words why it failed."""

    ab_name: str
    ok: bool
    reason: str | None
    engine: str | None
    seconds: float


@dataclass
class _Attempt:
    """An AB that is claimed, and what works on it; `work` is a folder for this attempt alone.

    `call` is there once its recipe was started, `result` and `log` once that has ended and left them.
    """

    bench: Workbench
    ab: AssociationBlock
    work: Path
    engines: Mapping[str, Engine]
    supply: Supply
    call: Call | None = None
    result: RecipeResult | None = None
    log: Path | None = None

    @property
    def masters(self) -> MasterFolder:
        """Its calibrations: beside the folder of its work, for they are nothing that the recipe wrote."""
        return MasterFolder(self.bench, self.work.with_name(f"{self.work.name}{LINKS}"), self.supply.sums)


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
    """Process an AB that is claimed: what is the machine's fault, or an interruption, puts it back to the queue."""
    bench, ab = attempt.bench, attempt.ab
    try:
        return _tried(attempt)
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


def _tried(attempt: _Attempt) -> ProcessResult:
    """Process an AB that is claimed: its own failures fail it."""
    try:
        return _process(attempt)
    except ArchiveError as err:
        if away := attempt.bench.archive.problem():
            release(attempt.bench, attempt.ab.name, f"the archive can't be used: {away}")
            raise
        return _failed(attempt, str(err))
    except (FrameError, RecipeError) as err:
        return _failed(attempt, str(err))
    except (QcbenchError, OSError):
        raise
    except Exception as err:  # noqa: BLE001 (whatever one AB brings about, the night goes on; nothing is hidden)
        return _failed(attempt, words_of(err, TOOL))


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
        return _run(attempt, engine, call, passed_over)
    except (FrameError, RecipeError) as err:
        blame_disk(bench, job, str(err))
        raise


def _run(attempt: _Attempt, engine: Engine, call: Call, passed_over: str) -> ProcessResult:
    """Run the recipe, and keep what came of it: its log and how it ended also where it or a product is no good."""
    attempt.call = call
    try:
        attempt.result = result = engine.run(call.job)
    finally:
        attempt.log = _keep_log(attempt.bench, attempt.ab, call.job)
    if attempt.log is None:
        raise RecipeError("the recipe removed the folder in which it worked")
    if result.reason:
        raise RecipeError(result.reason)
    found = _found(attempt, result)
    return _succeeded(attempt, call, result, found, passed_over)


def _keep_log(bench: Workbench, ab: AssociationBlock, job: RecipeJob) -> Path | None:
    """Copy the log of a recipe to where logs are kept; None where there is none."""
    kept = bench.data(ab.instrument).logs(ab.dfo_date) / f"{ab.prod_root}.log"
    return copy_file(job.log, kept) if job.log.is_file() else None


def _limits(bench: Workbench, recipe: RecipeConfig, stop: threading.Event) -> Limits:
    """Return what a recipe may take: as its pack says, else as the settings say."""
    settings = bench.settings.processing
    return Limits(
        timeout_s=recipe.timeout_s or settings.timeout_s,
        memory_mb=settings.memory_mb if recipe.memory_mb is None else recipe.memory_mb,
        disk_mb=settings.disk_mb if recipe.disk_mb is None else recipe.disk_mb,
        stop=stop,
    )


def _found(attempt: _Attempt, result: RecipeResult) -> dict[int, tuple[Path, str]]:
    """Return the products of a recipe that ended well, by position: all that the rules predict have to be there."""
    pack = attempt.bench.pack(attempt.ab.instrument)
    found = positions(pack, attempt.ab, result)
    missing = [product.pro_catg for product in predicted(pack, attempt.ab) if product.position not in found]
    if missing:
        raise RecipeError(f"the recipe ended well but wrote no {', '.join(missing)}")
    return found


def _succeeded(
    attempt: _Attempt,
    call: Call,
    result: RecipeResult,
    found: Mapping[int, tuple[Path, str]],
    passed_over: str,
) -> ProcessResult:
    """Put the products into the certification area, in the place of earlier ones, then tell the database.

    All are read before one is moved: a broken one leaves what an earlier attempt made as it is.
    """
    bench, ab = attempt.bench, attempt.ab
    read = [examine(ab, position, category, path) for position, (path, category) in sorted(found.items())]
    area = make_folder(bench.data(ab.instrument).product(ab.raw_type, ab.dfo_date))
    kept = [
        replace(facts, path=move_file(facts.path, area / f"{ab.prod_root}_{facts.position:04d}.fits"))
        for facts in read
    ]
    remove_others(area, ab.prod_root, {facts.path for facts in kept})
    with bench.store.write() as session:
        ab = session.get_one(AssociationBlock, ab.id)
        forget_others(session, ab, found.keys())
        for facts in kept:
            tell(ab, facts)
        session.flush()  # a product that the rules did not predict has no number before
        products = [product for product in ab.products if product.position in found]
        keep_run(session, ab.id, call, result, None, products)
        _end(ab, call.engine, result.seconds, attempt.log)
        text = f"{len(kept)} products by {call.engine} in {result.seconds:.1f} s"
        advance(session, ab, ABState.PROCESSED, TOOL, text + (f" ({passed_over})" if passed_over else ""))
    return ProcessResult(ab.name, True, None, call.engine, result.seconds)


def _failed(attempt: _Attempt, reason: str) -> ProcessResult:
    """Tell the database why an AB failed, and of the run of its recipe, if that was started."""
    call = attempt.call
    # of an engine that broke off nothing else is known
    result = attempt.result or RecipeResult(_UNSPECIFIED, reason, (), 0.0)
    engine, seconds = (call.engine, result.seconds) if call else (None, 0.0)
    with attempt.bench.store.write() as session:
        ab = session.get_one(AssociationBlock, attempt.ab.id)
        ab.reason = reason
        if call:
            keep_run(session, ab.id, call, result, reason, ())
        _end(ab, engine, seconds, attempt.log)
        advance(session, ab, ABState.FAILED, TOOL, reason, level="error")
    get_logger().error(reason, tool=TOOL)
    return ProcessResult(ab.name, False, reason, engine, seconds)


def _end(ab: AssociationBlock, engine: str | None, seconds: float, log: Path | None) -> None:
    ab.engine, ab.exec_seconds, ab.claim = engine, seconds, None
    ab.log_path = str(log) if log else None
