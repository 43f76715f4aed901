"""The doctor: what a workbench needs, whether it is there, what does not work without it, and how to get it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import Literal

from sqlalchemy import make_url, select
from sqlalchemy.exc import ArgumentError

from qcbench.archive import LocalArchive
from qcbench.core.errors import QcbenchError
from qcbench.core.files import free_mb
from qcbench.core.locks import is_alive
from qcbench.core.settings import FILE_NAME, HTCondorSection, Settings, WrongSettingError, load_settings
from qcbench.instruments import InstrumentPack
from qcbench.store import ABState, AssociationBlock
from qcbench.store.database import missing_file
from qcbench.workbench import Workbench, open_workbench

OLDEST_PYTHON = (3, 11)
Status = Literal["ok", "warning", "missing"]
# why an engine, by its name, can't run one of its recipes here; None if it can
RecipeProblem = Callable[[str, str], str | None]
# what the pool of some settings answers; an error where it does not
PoolAnswer = Callable[[HTCondorSection], str]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    status : {"ok", "warning", "missing"}
        "missing" is needed; without a "warning" all that is needed works.
    found : str
        What was found.
    without : str
        What does not work; empty where all is well.
    remedy : str
        The command, or the words, that help.
    """

    name: str
    status: Status
    found: str
    without: str = ""
    remedy: str = ""


def examine(
    root: Path, environ: Mapping[str, str], recipe_problem: RecipeProblem, pool_answer: PoolAnswer
) -> list[Check]:
    """Look at all that the workbench in a folder needs. What can't be looked at is a finding, not an error."""
    checks = [_python(), _kernel()]
    try:
        settings = load_settings(root, environ)
    except QcbenchError as err:
        remedy = _mend_settings(root, err)
        return [*checks, Check("settings", "missing", str(err), "everything", remedy)]
    checks += [Check("settings", "ok", str(root / FILE_NAME)), _disk(settings)]
    try:
        bench = open_workbench(root, environ)
    except QcbenchError as err:
        remedy = _mend_database(root, settings)
        return [*checks, Check("database", "missing", str(err), "everything", remedy)]
    try:
        where = make_url(bench.settings.database_url).render_as_string(hide_password=True)
        checks += [Check("database", "ok", f"{where}, schema of this version")]
        checks += [*_folders(bench), _archive(bench)]
        if bench.settings.processing.cascade == "htcondor":
            checks.append(_pool(bench.settings, pool_answer))
        for name in bench.instruments:
            checks += _instrument(bench, name, recipe_problem)
        return [*checks, _leftovers(bench)]
    finally:
        bench.close()


def _mend_settings(root: Path, err: QcbenchError) -> str:
    if isinstance(err, WrongSettingError):
        return f"Mend {', '.join(err.places)}"
    file = root / FILE_NAME
    return f"Mend {file}" if file.exists() else f"qcbench init {root}"


def _mend_database(root: Path, settings: Settings) -> str:
    try:
        missing = missing_file(settings.database_url)
    except ArgumentError:
        return f"Mend key database.url in {root / FILE_NAME}"
    if missing:
        return f"Restore {missing} from a backup; or, for a new and empty one: qcbench init {root}"
    return f"qcbench init {root} --upgrade"


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST_PYTHON:
        return Check("Python", "ok", found)
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return Check(
        "Python", "missing", found, "everything", f"Install qcbench in an environment of Python {wanted}"
    )


def _kernel() -> Check:
    if find_spec("ipykernel") is not None:
        return Check("kernel of notebooks", "ok", "ipykernel in this environment")
    remedy = f"{sys.executable} -m pip install ipykernel"
    return Check("kernel of notebooks", "missing", "no ipykernel here", "QC reports and apps", remedy)


def _disk(settings: Settings) -> Check:
    free, wanted = free_mb(settings.root), settings.processing.min_free_mb
    found = f"{free:.0f} MiB free, {wanted:.0f} wanted (processing.min_free_mb)"
    if free >= wanted:
        return Check("disk", "ok", found)
    return Check("disk", "missing", found, "processing", f"Free space on the volume of {settings.root}")


def _folders(bench: Workbench) -> Iterator[Check]:
    tree = bench.tree
    data = {f"data of {name}": bench.data(name).root for name in bench.instruments}
    shared = {
        "workbench": tree.root,
        "jobs": tree.jobs,
        "monitor": tree.monitor,
        "work": tree.work,
        "notebooks": tree.notebooks,
    }
    for name, path in (shared | data).items():
        label = f"folder {name}"
        if not path.is_dir():
            remedy = f"qcbench init {tree.root}"
            yield Check(label, "missing", f"{path} is not there", "what writes there", remedy)
        elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            remedy = f"chmod u+rwx {path}, or call as the user who owns it"
            yield Check(label, "missing", f"{path} can't be written", "what writes there", remedy)
        else:
            yield Check(label, "ok", str(path))


def _archive(bench: Workbench) -> Check:
    remedy = f"Mend it, or set [archive] in {bench.settings.root / FILE_NAME}"
    without = "loading frames, archiving products"
    try:
        archive = bench.archive
        problem = archive.problem()
        if isinstance(archive, LocalArchive) and not archive.raw.exists():
            remedy = f"mkdir -p {quote(str(archive.raw))}"
    except QcbenchError as err:
        problem = str(err)
    if problem is None:
        return Check("archive", "ok", f"of kind {bench.settings.archive.kind}")
    return Check("archive", "missing", problem, without, remedy)


def _pool(settings: Settings, pool_answer: PoolAnswer) -> Check:
    try:
        return Check("HTCondor pool", "ok", pool_answer(settings.htcondor))
    except QcbenchError as err:
        remedy = f'Mend it, or set cascade = "local" in [processing] of {settings.root / FILE_NAME}'
        return Check("HTCondor pool", "missing", str(err), "processing", remedy)


def _instrument(bench: Workbench, name: str, recipe_problem: RecipeProblem) -> Iterator[Check]:
    try:
        pack = bench.pack(name)
    except QcbenchError as err:
        yield Check(f"pack {name}", "missing", str(err), f"all work on {name}", "Mend the file that is named")
        return
    yield Check(f"pack {name}", "ok", str(pack.folder))
    for recipe in pack.instrument.recipes:
        yield _recipe(pack, recipe, bench.settings.processing.engine, recipe_problem)


def _recipe(pack: InstrumentPack, recipe: str, wanted: str, recipe_problem: RecipeProblem) -> Check:
    """Look for the engines of a recipe that the settings allow; the first one that can run it does."""
    label = f"recipe {recipe}"
    choices = [item for item in pack.instrument.recipes[recipe].engines if wanted in ("auto", item.engine)]
    problems = {item.engine: recipe_problem(item.engine, item.recipe) for item in choices}
    able = [engine for engine, problem in problems.items() if problem is None]
    unable = "; ".join(f"{engine}: {problem}" for engine, problem in problems.items() if problem)
    if not able:
        found = unable or f"the pack names no engine {wanted} for it"
        if pack.instrument.recipes[recipe].science:
            return Check(label, "ok", f"not needed before science is processed ({found})")
        return Check(label, "missing", found, "ABs with this recipe", _install("any engine of the pack"))
    if unable:
        found = f"{able[0]} runs it; {unable}"
        return Check(label, "warning", found, "nothing, but another engine was preferred", _install("it"))
    return Check(label, "ok", ", else ".join(able))


def _install(what: str) -> str:
    return f"Install {what}; for ESO pipelines on Debian: apt-get install esorex cpl-plugin-<pipeline>"


def _leftovers(bench: Workbench) -> Check:
    query = select(AssociationBlock).where(AssociationBlock.state == ABState.PROCESSING)
    with bench.store.read() as session:
        running = session.scalars(query.order_by(AssociationBlock.name)).all()
    dead = [ab.name for ab in running if ab.claim is None or not is_alive(ab.claim)]
    if not dead:
        return Check("interrupted ABs", "ok", f"none; {len(running)} being processed")
    found = f"{', '.join(dead)}: in processing, but the process is gone"
    return Check("interrupted ABs", "warning", found, "their products are not made", "qcbench auto-daily")
