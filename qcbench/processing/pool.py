"""An HTCondor pool, through its official bindings: a DAG of jobs is submitted once, and watched.

Source: HTCondor manual, "Python bindings".
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from types import ModuleType
from typing import Any

from qcbench.core.errors import PoolError, SettingsError
from qcbench.core.settings import HTCondorSection
from qcbench.processing.dag import DAG_FILE

_IDLE, _HELD = 1, 5
# between two questions whether a job stands still
_ASK_S = 30.0
# of a line that is repeated in an event
_LONGEST = 300
# the time before each line of DAGMan's log
_WHEN = re.compile(r"^\d\d/\d\d/\d\d \d\d:\d\d:\d\d ")
# its log has the word in lines of every kind
_SAID_OF_ERRORS = ("ERROR", "submit error")
_DAGMAN_OUT, _DAGMAN_LIB = f"{DAG_FILE}.dagman.out", f"{DAG_FILE}.lib.err"


@dataclass(frozen=True)
class Capacity:
    """What a pool hands out.

    Attributes
    ----------
    cores : int
        At least 1, also where no host has told it yet.
    memory_mb : float
        Memory (MiB) of the largest host; infinite where none has told it yet.
    """

    cores: int
    memory_mb: float


class _Patience:
    """Asks now and then whether a job stands still, and says when it has for too long."""

    def __init__(self, limit_s: float):
        self._limit_s = limit_s
        self._since = self._asked = time.monotonic()
        self._is_said = False

    def is_due(self) -> bool:
        """Tell whether it is time to ask."""
        return time.monotonic() - self._asked > min(_ASK_S, self._limit_s)

    def ends(self, *, is_idle: bool) -> bool:
        """Take an answer; tell whether it has stood still for too long, once until it goes on."""
        self._asked = time.monotonic()
        if not is_idle:
            self._since, self._is_said = self._asked, False
        if self._is_said or self._asked - self._since <= self._limit_s:
            return False
        self._is_said = True
        return True


class Pool:
    """The pool that CONDOR_CONFIG, or the configuration of this host, names.

    Raises
    ------
    SettingsError
        The bindings are not installed.
    """

    def __init__(self, settings: HTCondorSection):
        self._settings = settings
        self._bindings = _load_bindings()

    def submit(self, folder: Path, token: str) -> int:
        """Submit the DAG of a folder under a token by which it is found again; return its number in the queue.

        Raises
        ------
        PoolError
            The pool does not take it.
        """
        with self._errors("takes no job"):
            self._put_dagman_on_path()
            description = self._bindings.Submit.from_dag(str(folder / DAG_FILE), {"Force": True})
            description["My.QcbenchCascade"] = f'"{token}"'
            description["initialdir"] = str(folder)
            return int(self._bindings.Schedd().submit(description).cluster())

    def _put_dagman_on_path(self) -> None:
        """Let the bindings find DAGMan where the configuration says that the programs of HTCondor are."""
        programs = self._bindings.param.get("BIN")
        if programs and shutil.which("condor_dagman") is None:
            os.environ["PATH"] += f"{os.pathsep}{programs}"

    def find(self, token: str) -> Mapping[str, Any] | None:
        """Return status of the DAG that was submitted under a token; None if it is not in the queue.

        Raises
        ------
        PoolError
            The pool does not answer.
        """
        with self._errors("does not answer"):
            found = self._bindings.Schedd().query(
                f'QcbenchCascade == "{token}" && JobUniverse == 7', ["ClusterId", "JobStatus", "HoldReason"]
            )
        return dict(found[0]) if found else None

    def capacity(self) -> Capacity:
        """Return what the hosts of the pool hand out.

        Raises
        ------
        PoolError
            The pool does not answer.
        """
        wanted = ["Cpus", "TotalSlotCpus", "Memory", "TotalSlotMemory"]
        with self._errors("does not answer"):
            slots = self._bindings.Collector().query(
                self._bindings.AdType.Startd, 'SlotType =!= "Dynamic"', wanted
            )
        return Capacity(
            cores=max(1, sum(int(slot.get("TotalSlotCpus") or slot.get("Cpus") or 0) for slot in slots)),
            memory_mb=max(
                (float(slot.get("TotalSlotMemory") or slot.get("Memory") or 0) for slot in slots), default=inf
            ),
        )

    def answer(self) -> str:
        """Say what the pool answers: it takes jobs, and hands out cores.

        Raises
        ------
        PoolError
            It does not answer.
        """
        self.find("none")
        number = self.capacity().cores
        return f"it answers, with {number} core{'s' if number != 1 else ''}"

    def is_idle(self, number: int) -> bool:
        """Tell whether jobs of a DAG wait and none of them runs.

        Raises
        ------
        PoolError
            The pool does not answer.
        """
        with self._errors("does not answer"):
            jobs = self._bindings.Schedd().query(f"DAGManJobId == {number}", ["JobStatus"])
        return bool(jobs) and all(job.get("JobStatus") == _IDLE for job in jobs)

    def watch(
        self,
        token: str,
        tick: Callable[[], object],
        stands_still: Callable[[int], object] = lambda number: None,
    ) -> None:
        """Return when a DAG has left the queue; call `tick` now and then.

        `stands_still` is called, with the number of the DAG, when none of its jobs has run for longer than the
        settings allow: once, until one runs again.

        Raises
        ------
        PoolError
            The pool does not answer at first, or later has not for longer than the settings allow; or it holds the
            DAG itself.
        """
        status = self.find(token)
        patience = _Patience(self._settings.idle_s)
        while status is not None:
            if status.get("JobStatus") == _HELD:
                self._remove(token)
                raise PoolError(
                    f"HTCondor held the job of the cascade ({status.get('HoldReason')}); it was removed. "
                    "Mend that, then call again"
                )
            tick()
            if patience.is_due():
                with suppress(PoolError):  # of a pool that does not answer the next line knows
                    if patience.ends(is_idle=self.is_idle(int(status["ClusterId"]))):
                        stands_still(int(status["ClusterId"]))
            time.sleep(self._settings.poll_s)
            status = self._find_patiently(token)

    def _find_patiently(self, token: str) -> Mapping[str, Any] | None:
        asked = time.monotonic()
        while True:
            try:
                return self.find(token)
            except PoolError:
                if time.monotonic() - asked > self._settings.patience_s:
                    raise
            time.sleep(self._settings.poll_s)

    def number(self, token: str) -> int | None:
        """Return the number in the queue of the DAG that was submitted under a token, if it is there."""
        found = self.find(token)
        return int(found["ClusterId"]) if found else None

    def _remove(self, token: str) -> None:
        with self._errors("does not remove a job"):
            self._bindings.Schedd().act(self._bindings.JobAction.Remove, f'QcbenchCascade == "{token}"')

    def reasons(self, folder: Path) -> dict[str, str]:
        """Return, for each job that ended badly, what its log says last: held, removed, exit code or signal."""
        log = folder / f"{DAG_FILE}.nodes.log"
        if not log.is_file():
            return {}
        names: dict[int, str] = {}
        found: dict[str, str] = {}
        kinds = self._bindings.JobEventType
        with self._errors("has a log that can't be read"):
            for event in self._bindings.JobEventLog(str(log)).events(0):
                if event.type == kinds.SUBMIT:
                    note = event.get("LogNotes") or event.get("UserNotes") or ""
                    names[event.cluster] = note.removeprefix("DAG Node:").strip()
                elif text := _bad_end(event, kinds):
                    found[names.get(event.cluster, "")] = text
        return found

    def says(self, folder: Path) -> str:
        """Return what DAGMan itself says of a DAG that it could not carry out, last first; empty if nothing."""
        lines = [_WHEN.sub("", line) for line in _lines(folder / _DAGMAN_OUT)]
        errors = [line for line in lines if line.startswith(_SAID_OF_ERRORS)]
        found = [*errors[-2:], *_lines(folder / _DAGMAN_LIB)[-1:]]
        return "; ".join(dict.fromkeys(found))

    def _errors(self, what: str) -> _Errors:
        return _Errors(self._bindings.HTCondorException, what)


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return [line.strip() for line in text.splitlines() if line.strip()]


def last_line(path: Path) -> str:
    """Return the last line of a text that is not empty."""
    return next(iter(_lines(path)[-1:]), "")[:_LONGEST]


def _bad_end(event: Any, kinds: Any) -> str:
    if event.type == kinds.JOB_HELD:
        return f"held: {event.get('HoldReason')}"
    if event.type == kinds.JOB_TERMINATED and not event.get("TerminatedNormally"):
        return f"ended by signal {event.get('TerminatedBySignal')}"
    if event.type == kinds.JOB_TERMINATED and event.get("ReturnValue"):
        return f"ended with code {event.get('ReturnValue')}"
    return ""


class _Errors:
    """Turns errors of the bindings into one of ours."""

    def __init__(self, kind: type[Exception], what: str):
        self._kind, self._what = kind, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, err: BaseException | None, trace: object) -> None:
        if isinstance(err, (self._kind, OSError)):
            raise PoolError(
                f"the HTCondor pool {self._what}: {err}. See that its daemons run (condor_status, condor_q) and "
                "that CONDOR_CONFIG names its configuration, then call again: what was begun is found again"
            ) from err


def _load_bindings() -> ModuleType:
    try:
        with warnings.catch_warnings():
            # without a configuration they warn; the first call to the pool then says more
            warnings.simplefilter("ignore")
            import htcondor2
    except ImportError as err:
        raise SettingsError(
            "key processing.cascade is htcondor, but its Python bindings are not here. "
            f"Install them: {sys.executable} -m pip install 'qcbench[htcondor]'"
        ) from err
    # the bindings have no types
    return htcondor2  # type: ignore[no-any-return]
