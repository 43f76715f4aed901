"""Processing one AB (the handbook's processAB): fetch pixels, check them, run the recipe, keep the products.

The database is told last: a kill before that leaves files that the next call makes anew under the same names.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 5.5.3 and 5.8.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from qcbench.archive import fetch_missing
from qcbench.blocks import block_of, print_block
from qcbench.core.errors import ArchiveError, FrameError, NotFoundError, QcbenchError, RecipeError
from qcbench.core.files import (
    copy_file,
    free_mb,
    make_folder,
    move_file,
    sha256,
    write_error,
    write_text,
)
from qcbench.core.locks import is_alive, process_identity
from qcbench.core.logs import get_logger, log_context
from qcbench.fits import Value, check_frame, read_header
from qcbench.processing.engines import Engine, RecipeJob, RecipeResult, choose_engine, load_engines
from qcbench.store import ABCalibration, ABInput, ABState, AssociationBlock, Product, advance
from qcbench.workbench import Workbench

TOOL = "process-ab"
_LOADED = (
    selectinload(AssociationBlock.inputs).selectinload(ABInput.frame),
    selectinload(AssociationBlock.calibrations).selectinload(ABCalibration.product),
    selectinload(AssociationBlock.products),
)


@dataclass(frozen=True)
class ProcessResult:
    """How the processing of an AB ended; `reason` says in words why it failed."""

    ab_name: str
    ok: bool
    reason: str | None
    engine: str | None
    seconds: float


def process_ab(
    bench: Workbench, ab_name: str, *, engines: Mapping[str, Engine] | None = None, again: bool = False
) -> ProcessResult:
    """Process an AB that is created or queued.

    A failure, whatever its kind, is written to the AB and returned.

    Parameters
    ----------
    again : bool
        Process a failed AB once more: failures are tried once only, unless somebody asks for it.

    Raises
    ------
    NotFoundError
        There is no such AB.
    TransitionError
        It is not in a state from which it can be processed.
    FileWriteError
        The disk is full or not writable: that is no fault of the AB, which goes back to the queue.
    """
    ab = _claim(bench, ab_name, again=again)
    # a folder for this attempt alone: a recipe whose parent was killed may still write into its own
    work = bench.tree.work / f"{ab.root_name}-{secrets.token_hex(4)}"
    with log_context(instrument=ab.instrument, date=ab.dfo_date, ab=ab.name):
        try:
            return _process(bench, ab, work, engines or load_engines())
        except (FrameError, ArchiveError, RecipeError) as err:
            return _failed(bench, ab, str(err), None, 0.0)
        except QcbenchError as err:
            _release(bench, ab_name, str(err))
            raise
        except OSError as err:
            problem = write_error(Path(str(err.filename or work)), err)
            _release(bench, ab_name, str(problem))
            raise problem from err
        finally:
            shutil.rmtree(work, ignore_errors=True)


def recover_interrupted(bench: Workbench) -> list[str]:
    """Put ABs back to the queue whose process was killed; return their names."""
    names: list[str] = []
    abandoned: list[str] = []
    with bench.store.write() as session:
        query = select(AssociationBlock).where(AssociationBlock.state == ABState.PROCESSING)
        for ab in session.scalars(query):
            if ab.claim is None or not is_alive(ab.claim):
                advance(
                    session,
                    ab,
                    ABState.QUEUED,
                    TOOL,
                    "the process that worked on it was killed",
                    level="warning",
                )
                ab.claim = None
                ab.attempts -= 1
                names.append(ab.name)
                abandoned.append(ab.root_name)
    for folder in bench.tree.work.iterdir():
        if folder.name.rpartition("-")[0] in abandoned:
            shutil.rmtree(folder, ignore_errors=True)
    return names


def _claim(bench: Workbench, ab_name: str, *, again: bool) -> AssociationBlock:
    with bench.store.write() as session:
        ab = session.scalar(
            select(AssociationBlock).where(AssociationBlock.name == ab_name).options(*_LOADED)
        )
        if ab is None:
            raise NotFoundError(
                f"{ab_name}: there is no such AB. qcbench get-status-ab lists those of a date"
            )
        if again and ab.state == ABState.FAILED:
            advance(session, ab, ABState.QUEUED, TOOL, "somebody asked to process it again")
            ab.review = None
        advance(session, ab, ABState.PROCESSING, TOOL)
        ab.claim = process_identity()
        ab.attempts += 1
        ab.reason = None
        return ab


def _release(bench: Workbench, ab_name: str, why: str) -> None:
    with bench.store.write() as session:
        ab = session.scalars(select(AssociationBlock).where(AssociationBlock.name == ab_name)).one()
        advance(session, ab, ABState.QUEUED, TOOL, why, level="error")
        ab.claim = None
        ab.attempts -= 1


def _process(
    bench: Workbench, ab: AssociationBlock, work: Path, engines: Mapping[str, Engine]
) -> ProcessResult:
    if ab.completeness != "COMPLETE":
        missing = "; ".join(item["why"] for item in ab.missing if item["required"])
        raise RecipeError(f"{ab.name} is incomplete: {missing}. Call create-ab -i when it is there")
    free, needed = free_mb(bench.settings.root), bench.settings.processing.min_free_mb
    if free < needed:
        raise QcbenchError(
            f"only {free:.0f} MiB are free below {bench.settings.root}, {needed:.0f} are wanted "
            "(processing.min_free_mb). Free space and call again"
        )
    pack = bench.pack(ab.instrument)
    raw = _fetch_raw(bench, ab)
    _check_raw(raw, pack.instrument.required_keys)
    engine, choice, passed_over = choose_engine(
        pack, ab.recipe, engines, wanted=bench.settings.processing.engine, naxis=_smallest_side(raw[0][0])
    )
    if passed_over:
        get_logger().info(f"engine {engine.name} ({passed_over})", tool=TOOL)
    timeout = pack.instrument.recipes[ab.recipe].timeout_s or bench.settings.processing.timeout_s
    job = RecipeJob(
        ab_name=ab.name,
        recipe=choice.recipe,
        instrument_recipe=ab.recipe,
        sof=(*raw, *_masters(ab)),
        parameters=choice.parameters,
        work_dir=make_folder(work),
        output_dir=make_folder(work / "products"),
        log=work / "recipe.log",
        timeout_s=timeout,
    )
    result = engine.run(job)
    log = bench.data(ab.instrument).logs(ab.dfo_date) / f"{ab.prod_root}.log"
    copy_file(job.log, log)
    reason = result.reason or _incomplete(ab, result)
    if reason:
        return _failed(bench, ab, reason, engine.name, result.seconds, log)
    return _succeeded(bench, ab, engine.name, passed_over, result, log)


def _fetch_raw(bench: Workbench, ab: AssociationBlock) -> tuple[tuple[Path, str], ...]:
    """Fetch the pixels that are not here yet; a file of another size than announced is fetched again."""
    folder = bench.data(ab.instrument).raw(ab.dfo_date)
    fetched = []
    for item in ab.inputs:
        path = folder / item.frame.arcfile
        fetch_missing(bench.archive, item.frame.uri, item.frame.size, path)
        fetched.append((path, item.tag))
    return tuple(fetched)


def _check_raw(raw: Sequence[tuple[Path, str]], required: Sequence[str]) -> None:
    """Refuse input that QC0 finds fault with: recipes don't look. The next call fetches such a file again."""
    for path, _ in raw:
        found = check_frame(path, required)
        if found.problems:
            path.unlink()
            raise FrameError(
                path.name, "; ".join(found.problems), "Have it transferred again, or have it hidden"
            )
        for remark in found.remarks:
            get_logger().info(f"{path.name}: {remark}", tool=TOOL)


def _smallest_side(path: Path) -> int:
    return min((min(hdu.shape) for hdu in read_header(path).hdus if hdu.is_image and hdu.shape), default=0)


def _masters(ab: AssociationBlock) -> tuple[tuple[Path, str], ...]:
    masters = []
    for item in ab.calibrations:
        path = Path(item.product.path) if item.product.path else None
        if path is None or not path.is_file():
            raise RecipeError(
                f"{item.product.file_name} ({item.tag}) is not there yet, or not any more. "
                "Process the AB that makes it, then call again"
            )
        masters.append((path, item.tag))
    return tuple(masters)


def _incomplete(ab: AssociationBlock, result: RecipeResult) -> str | None:
    """Say which products a recipe that ended well has not written."""
    made = {category for path, category in result.products if path.is_file()}
    missing = [product.pro_catg for product in ab.products if product.pro_catg not in made]
    return f"the recipe ended well but wrote no {', '.join(missing)}" if missing else None


def _succeeded(
    bench: Workbench,
    ab: AssociationBlock,
    engine: str,
    passed_over: str,
    result: RecipeResult,
    log: Path,
) -> ProcessResult:
    """Put the products into the certification area, then tell the database, in one transaction."""
    area = bench.data(ab.instrument).product(ab.raw_type, ab.dfo_date)
    kept = [
        _keep(ab, position, category, move_file(path, area / f"{ab.prod_root}_{position:04d}.fits"))
        for position, (path, category) in sorted(_positions(bench, ab, result).items())
    ]
    with bench.store.write() as session:
        ab = session.scalars(
            select(AssociationBlock).where(AssociationBlock.id == ab.id).options(*_LOADED)
        ).one()
        for facts in kept:
            _tell(ab, facts)
        _end(ab, engine, result.seconds, log)
        text = f"{len(kept)} products by {engine} in {result.seconds:.1f} s"
        advance(session, ab, ABState.PROCESSED, TOOL, text + (f" ({passed_over})" if passed_over else ""))
    _write_text(bench, ab)
    return ProcessResult(ab.name, True, None, engine, result.seconds)


def _positions(bench: Workbench, ab: AssociationBlock, result: RecipeResult) -> dict[int, tuple[Path, str]]:
    """Give the products that the pack has a name for their positions: those that the rules predict come first."""
    names = bench.pack(ab.instrument).names
    expected = {
        product.pro_catg: product.position for product in ab.products if product.location == "virtual"
    }
    positions: dict[int, tuple[Path, str]] = {}
    extra = []
    for path, category in sorted(result.products, key=lambda item: (item[1], item[0].name)):
        if category in expected:
            positions[expected.pop(category)] = path, category
        elif category in names and path.is_file():
            extra.append((path, category))
    return positions | dict(enumerate(extra, len(positions)))


@dataclass(frozen=True)
class _ProductFacts:
    position: int
    category: str
    path: Path
    sha256: str
    data_hash: str
    keys: dict[str, Value]


def _keep(ab: AssociationBlock, position: int, category: str, path: Path) -> _ProductFacts:
    keys = {**ab.keys, **read_header(path).keys}
    return _ProductFacts(position, category, path, sha256(path), data_hash(path), keys)


def _tell(ab: AssociationBlock, facts: _ProductFacts) -> None:
    product = next((item for item in ab.products if item.position == facts.position), None)
    if product is None:
        product = Product(instrument=ab.instrument, position=facts.position, mjd_obs=ab.mjd_obs)
        ab.products.append(product)
    product.pro_catg, product.pipefile, product.path = facts.category, facts.path.name, str(facts.path)
    product.location, product.sha256, product.data_hash = "product", facts.sha256, facts.data_hash
    product.keys = facts.keys


def data_hash(path: Path) -> str:
    """Return a SHA-256 of the data of all HDUs, without headers: the same pixels, the same hash."""
    digest = hashlib.sha256()
    with fits.open(path, memmap=False, do_not_scale_image_data=True) as hdus:
        for hdu in hdus:
            if hdu.data is not None:
                digest.update(hdu.data.tobytes())
    return digest.hexdigest()


def _failed(
    bench: Workbench,
    ab: AssociationBlock,
    reason: str,
    engine: str | None,
    seconds: float,
    log: Path | None = None,
) -> ProcessResult:
    with bench.store.write() as session:
        ab = session.scalars(
            select(AssociationBlock).where(AssociationBlock.id == ab.id).options(*_LOADED)
        ).one()
        ab.reason = reason
        _end(ab, engine, seconds, log)
        advance(session, ab, ABState.FAILED, TOOL, reason, level="error")
    get_logger().error(reason, tool=TOOL)
    _write_text(bench, ab)
    return ProcessResult(ab.name, False, reason, engine, seconds)


def _end(ab: AssociationBlock, engine: str | None, seconds: float, log: Path | None) -> None:
    ab.engine, ab.exec_seconds, ab.claim = engine, seconds, None
    ab.log_path = str(log) if log else None


def _write_text(bench: Workbench, ab: AssociationBlock) -> None:
    write_text(bench.data(ab.instrument).logs(ab.dfo_date) / ab.name, print_block(block_of(ab)))
