"""Structured logging: JSON lines in the workbench, short lines on the terminal.

Instrument, date and AB are bound once (`log_context`) and stand in every line.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import structlog

from qcbench.core.errors import QcbenchError
from qcbench.core.files import make_folder, write_error

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


class _Tee:
    """Writes each event as a JSON line to a file and, above a level, as text to a stream."""

    def __init__(self, file: TextIO | None, stream: TextIO, stream_level: int):
        self._file, self._stream, self._stream_level = file, stream, stream_level
        self._json = structlog.processors.JSONRenderer(sort_keys=True, default=str)

    def __call__(self, logger: Any, name: str, event: structlog.types.EventDict) -> str:
        if self._file is not None:
            _write(self._file, str(self._json(logger, name, dict(event))))
        level = str(event.pop("level", "info"))
        if _LEVELS.get(level, logging.INFO) >= self._stream_level:
            _write(self._stream, _one_line(self._text(level, dict(event))))
        raise structlog.DropEvent

    @staticmethod
    def _text(level: str, event: dict[str, Any]) -> str:
        # a person knows which command was called; the file tells tools apart, and has the traceback
        for key in ("timestamp", "tool", "traceback"):
            event.pop(key, None)
        where = " ".join(str(event.pop(key)) for key in ("instrument", "date", "ab") if key in event)
        message = event.pop("event", "")
        rest = ", ".join(f"{key}={value}" for key, value in event.items())
        mark = {"warning": "warning: ", "error": "error: ", "critical": "error: "}.get(level, "")
        return " ".join(
            part for part in (where and f"[{where}]", f"{mark}{message}", rest and f"({rest})") if part
        )


def _write(file: TextIO, line: str) -> None:
    """Write a line; where that fails, on a full disk, what is logged goes on, and the other place has the line."""
    with suppress(OSError):
        file.write(line + "\n")
        file.flush()


def _one_line(text: str) -> str:
    """Show line ends and control characters as such: file names and header values forge no line."""
    return "".join(
        char if char.isprintable() or char == "\N{NO-BREAK SPACE}" else char.encode("unicode_escape").decode()
        for char in text
    )


def set_up_logging(folder: Path | None, *, verbose: bool = False, stream: TextIO | None = None) -> None:
    """Log JSON lines into `folder`, and warnings (or all, if verbose) to the terminal."""
    file = None
    if folder is not None:
        path = make_folder(folder) / "qcbench.jsonl"
        try:
            file = path.open("a", encoding="utf-8")
        except OSError as err:
            raise write_error(path, err) from err
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Tee(file, stream or sys.stderr, logging.INFO if verbose else logging.WARNING),
        ],
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger of this process."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


@contextmanager
def log_context(**bound: object) -> Iterator[None]:
    """Bind instrument, date or AB to every line that is logged inside the block."""
    with structlog.contextvars.bound_contextvars(**{key: str(value) for key, value in bound.items()}):
        yield


def words_of(err: Exception, tool: str) -> str:
    """Return what an error says; one that nobody foresaw is logged with its traceback, too."""
    if isinstance(err, QcbenchError):
        return str(err)
    get_logger().error("unexpected error", tool=tool, traceback="".join(traceback.format_exception(err)))
    return f"an unexpected error: {type(err).__name__}: {err}"
