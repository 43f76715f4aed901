"""What HTCondor reads: the description of the jobs of a DAG, and the order among them.

Source: HTCondor manual, "DAGMan Workflows".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qcbench.core.errors import SettingsError
from qcbench.core.files import write_text
from qcbench.core.settings import HTCondorSection

DAG_FILE = "cascade.dag"
# what a job gets of the environment of its submitter, beside the settings of the workbench
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH")
DAGMAN = """\
# it looks at the log of its jobs every 5 s by itself: a chain of short recipes would wait for it
DAGMAN_USER_LOG_SCAN_INTERVAL = 1
DAGMAN_MAX_SUBMITS_PER_INTERVAL = 500
# strict, it refuses a workbench below /tmp
DAGMAN_USE_STRICT = 0
# what the pool does not take twice, it does not take a sixth time
DAGMAN_MAX_SUBMIT_ATTEMPTS = 2
"""
_SUBMIT = """\
executable = {executable}
arguments = "$(arguments)"
environment = "{environment}"
initialdir = {folder}
output = {folder}/$(JOB).out
error = {folder}/$(JOB).err
should_transfer_files = NO
request_cpus = 1
request_memory = $(memory)
# a job that is held would hold up the job of the night: it is lost, and its AB goes back to the queue
periodic_remove = JobStatus == 5
{more}
queue
"""


@dataclass(frozen=True)
class PoolJob:
    """A job of a DAG.

    Attributes
    ----------
    arguments : tuple of str
        Of the executable that all jobs of the DAG share.
    priority : int
        The higher, the earlier.
    memory_mb : float
        Memory (MiB) that it asks for.
    """

    name: str
    arguments: tuple[str, ...]
    parents: frozenset[str] = frozenset()
    priority: int = 0
    memory_mb: float = 128.0


def write_dag(folder: Path, jobs: Sequence[PoolJob], settings: HTCondorSection, *, executable: str) -> Path:
    """Write the files of a DAG into a folder; a job whose exit code is not 0 is tried again.

    Raises
    ------
    SettingsError
        A path or variable can't be written into a description of jobs.
    """
    environment = {name: os.environ[name] for name in _own_variables()}
    text = _SUBMIT.format(
        executable=_plain(executable),
        folder=_plain(str(folder)),
        environment=_quoted(f"{name}={value}" for name, value in environment.items()),
        more=settings.submit.strip(),
    )
    write_text(folder / "job.sub", text)
    write_text(folder / "dagman.config", DAGMAN)
    lines = [f"CONFIG {folder}/dagman.config"]
    for job in jobs:
        lines.append(f"JOB {job.name} {folder}/job.sub")
        lines.append(f'VARS {job.name} arguments="{_quoted(job.arguments)}" memory="{job.memory_mb:.0f}"')
        lines.append(f"PRIORITY {job.name} {job.priority}")
        if settings.retries:
            lines.append(f"RETRY {job.name} {settings.retries}")
    lines += [f"PARENT {' '.join(sorted(job.parents))} CHILD {job.name}" for job in jobs if job.parents]
    return write_text(folder / DAG_FILE, "\n".join(lines) + "\n")


def _own_variables() -> Iterator[str]:
    for name in sorted(os.environ):
        if name == "QCBENCH_DATABASE_URL":
            raise SettingsError(
                "environment variable QCBENCH_DATABASE_URL: whoever sees the queue of the pool could read it. "
                "Write database.url into the settings file of the workbench"
            )
        if name in _INHERITED or (name.startswith("QCBENCH_") and name != "QCBENCH_WORKBENCH"):
            yield name


def _plain(text: str) -> str:
    """Return a text as a description of jobs can hold it, or refuse it."""
    if any(character in text for character in '"\n') or "$(" in text:
        raise SettingsError(
            f'{text!r}: HTCondor takes no ", no line break and no $( here. Rename the folder or variable'
        )
    return text


def _quoted(words: Iterator[str] | Sequence[str]) -> str:
    return " ".join("'" + _plain(word).replace("'", "''") + "'" for word in words)
