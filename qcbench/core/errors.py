"""The one base class of qcbench errors and its leaves.

Each message says what happened, where (file, AB, key) and what to do next.
The exit code of a leaf is the exit code of the command that it ends.
"""

from __future__ import annotations

from pathlib import Path


class QcbenchError(Exception):
    """Base of all errors that a user can meet.

    Attributes
    ----------
    exit_code : int
        Exit code of a command that ends with this error.
    """

    exit_code = 1


class SettingsError(QcbenchError):
    """A settings file or an environment override is missing or wrong."""

    exit_code = 3


class PackError(QcbenchError):
    """A file of an instrument pack is wrong."""

    exit_code = 4

    def __init__(self, path: Path | str, problem: str, *, line: int | None = None, key: str | None = None):
        self.path, self.problem, self.line, self.key = Path(path), problem, line, key
        where = f"{path}" + (f", line {line}" if line is not None else "") + (f", key {key}" if key else "")
        super().__init__(f"{where}: {problem}")


class RuleError(QcbenchError):
    """An OCA rule file can't be read: syntax, include, macro."""

    exit_code = 4

    def __init__(self, source: Path | str, line: int, column: int, problem: str):
        self.source, self.line, self.column, self.problem = str(source), line, column, problem
        super().__init__(f"{source}:{line}:{column}: {problem}")


class FrameError(QcbenchError):
    """A file is not usable as a frame: not FITS, truncated, or without a key that it needs."""

    exit_code = 5

    def __init__(self, path: Path | str, problem: str, remedy: str = ""):
        self.path, self.problem, self.remedy = Path(path), problem, remedy
        super().__init__(f"{path}: {problem}" + (f". {remedy}" if remedy else ""))


class StoppedError(QcbenchError):
    """Somebody ended the program: what was being worked on is as if it had not been begun."""

    exit_code = 130


class ArchiveError(QcbenchError):
    """An archive can't be reached, has not got a file, or refuses one."""

    exit_code = 6


class StoreError(QcbenchError):
    """The database is missing, of another version, or refuses a change."""

    exit_code = 7


class TransitionError(StoreError):
    """An AB can't go from its state to the one that was asked for."""

    def __init__(self, ab_name: str, old: str, new: str, allowed: list[str]):
        self.ab_name, self.old, self.new, self.allowed = ab_name, old, new, allowed
        ways = ", ".join(allowed) if allowed else "nothing: it is an end state"
        super().__init__(f"{ab_name}: can't go from '{old}' to '{new}'; from '{old}' it can go to {ways}")


class NotFoundError(QcbenchError):
    """Something that was named (an AB, a date, a product) is not in the database."""

    exit_code = 8


class BusyError(QcbenchError):
    """Another process holds the lock that this one needs."""

    exit_code = 9


class RecipeError(QcbenchError):
    """A recipe can't be run at all: unknown, not installed, or wrongly configured."""

    exit_code = 10


class FileWriteError(QcbenchError):
    """A file can't be written: no permission, no space left, or no such volume."""

    exit_code = 11


class DecisionError(QcbenchError):
    """A certification decision is not possible as asked."""

    exit_code = 12


class AuditError(QcbenchError):
    """An audit after ingestion found a difference between the database and the archive."""

    exit_code = 13


class WaitingError(QcbenchError):
    """An AB can't be processed yet: what it needs is not there; it stays in the queue."""

    exit_code = 15


class PoolError(QcbenchError):
    """The HTCondor pool does not answer, or takes no jobs."""

    exit_code = 16


class ReportError(QcbenchError):
    """A QC report could not be made."""

    exit_code = 14
