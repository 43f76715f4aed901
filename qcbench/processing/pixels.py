"""Raw frames on demand: fetched in parallel streams, just before they are needed.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 4.1.2; PHOENIX manual (VLT-MAN-ESO-19600-6104), section 4.6.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from qcbench.archive import fetch_missing
from qcbench.store import ABInput, AssociationBlock, Frame
from qcbench.workbench import Workbench


@dataclass(frozen=True)
class RawFile:
    """A raw frame of an AB, in the archive and at its place in the data tree; `size` in bytes."""

    uri: str
    size: int
    path: Path

    def is_here(self) -> bool:
        """Tell whether it is at its place in the announced size."""
        return self.path.is_file() and self.path.stat().st_size == self.size


def raw_path(bench: Workbench, frame: Frame) -> Path:
    """Return the place of a raw frame in the data tree."""
    return bench.data(frame.instrument).raw(frame.dfo_date) / frame.arcfile


def recipe_inputs(ab: AssociationBlock) -> list[ABInput]:
    """Return the frames that the recipe of an AB gets: not those that are only associated."""
    return [item for item in ab.inputs if item.role != "RASSOC"]


def raw_files(bench: Workbench, frames: Iterable[Frame]) -> list[RawFile]:
    """Return where frames come from and where they go."""
    return [RawFile(frame.uri, frame.size, raw_path(bench, frame)) for frame in frames]


class Streams:
    """Fetches raw frames, at most ``archive.streams`` at a time; what is on its way is not fetched twice.

    Parameters
    ----------
    stop : Event
        Set to end what is on its way; what has come of it is kept for the next call.
    """

    def __init__(self, bench: Workbench, stop: threading.Event):
        self._bench, self._stop = bench, stop
        self._pool = ThreadPoolExecutor(bench.settings.archive.streams, thread_name_prefix="fetch")
        self._coming: dict[Path, Future[bool]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Wait for what is on its way, which `stop` ends, and drop what has not begun."""
        self._pool.shutdown(cancel_futures=True)

    def begin(self, files: Iterable[RawFile]) -> list[Future[bool]]:
        """Begin to fetch what is not there."""
        return [self._begin(file) for file in files]

    def bring(self, files: Iterable[RawFile]) -> None:
        """Fetch what is not there, and wait for it.

        Raises
        ------
        ArchiveError, WaitingError, FileWriteError, StoppedError
            One of them can't be had; what has come of the others stays.
        """
        coming = self.begin(file for file in files if not file.is_here())
        wait(coming)
        for one in coming:
            one.result()

    def do(self, call: Callable[[], None]) -> None:
        """Call something between the transfers."""
        self._pool.submit(call)

    def _begin(self, file: RawFile) -> Future[bool]:
        with self._lock:
            if present := self._coming.get(file.path):
                return present
            future = self._pool.submit(self._fetch, file)
            self._coming[file.path] = future
            return future

    def _fetch(self, file: RawFile) -> bool:
        try:
            bench = self._bench
            return fetch_missing(bench.archive, file.uri, file.size, file.path, bench.tree.locks, self._stop)
        finally:
            with self._lock:
                self._coming.pop(file.path, None)
