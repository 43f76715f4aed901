"""What is kept of each call of a recipe: the files that went in and came out, parameters, versions, how it ended."""

from __future__ import annotations

import datetime as dt
import platform
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

import qcbench
from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.store import Product, RecipeRun, RunFile, insert_rows

_FILE_COLUMNS = (
    "run_id",
    "position",
    "is_output",
    "name",
    "tag",
    "frame_id",
    "product_id",
    "sha256",
    "data_hash",
)


@dataclass(frozen=True)
class Given:
    """A file for a recipe: its tag, ARCFILE or PIPEFILE, the row that it is, and its content hashes then."""

    path: Path
    tag: str
    name: str
    frame_id: int | None = None
    product_id: int | None = None
    sha256: str | None = None
    data_hash: str | None = None


@dataclass(frozen=True)
class Call:
    """A recipe that was called, with which files, by which engine (with its version), and when."""

    job: RecipeJob
    given: Sequence[Given]
    engine: str
    version: str
    started_at: dt.datetime


def keep_run(
    session: Session,
    ab_id: int,
    call: Call,
    result: RecipeResult,
    reason: str | None,
    made: Iterable[Product],
) -> None:
    """Add the run of an AB, in the transaction that tells the database how it ended."""
    run = RecipeRun(
        ab_id=ab_id,
        engine=call.engine,
        recipe=call.job.recipe,
        parameters=dict(call.job.parameters),
        versions={
            call.engine: call.version,
            "qcbench": qcbench.__version__,
            "Python": platform.python_version(),
        },
        host=socket.gethostname(),
        started_at=call.started_at,
        seconds=result.seconds,
        peak_mb=result.peak_mb,
        exit_code=result.exit_code,
        reason=reason,
    )
    session.add(run)
    session.flush()
    given = [
        (False, item.name, item.tag, item.frame_id, item.product_id, item.sha256, item.data_hash)
        for item in call.given
    ]
    kept = [(True, item.pipefile, item.pro_catg, None, item.id, item.sha256, item.data_hash) for item in made]
    rows = [
        dict(zip(_FILE_COLUMNS, (run.id, position, *values), strict=True))
        for position, values in enumerate((*given, *kept))
    ]
    insert_rows(session, RunFile, rows)
