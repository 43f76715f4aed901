"""The disk budget of a workbench: an AB begins when there is room for it, and nothing is deleted to make room.

What is on disk below ``raw``, ``reduced`` and the working folders counts, and what ABs that have room will still
write: their raw frames, and as much again in their working folder. A reservation belongs to a process and goes
with it; all processes of the workbench share the ledger.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from qcbench.archive.fetching import arrived
from qcbench.core.errors import StoppedError, WaitingError
from qcbench.core.files import write_text
from qcbench.core.locks import is_alive, is_elsewhere, process_identity, waiting
from qcbench.processing.pixels import RawFile, raw_files
from qcbench.store.needs import recipe_frames
from qcbench.workbench import Workbench

MIB = 2**20
POLL_S = 0.5
# longer than any recipe may take
_LONGEST_S = 86400.0
_LOCK = "disk-room"
# how the name of a folder ends that holds links to masters, which take no room
LINKS = ".masters"


@dataclass(frozen=True)
class Reservation:
    """What an AB takes on disk.

    Attributes
    ----------
    raw : mapping of str to int
        Raw frames by path, with their sizes (bytes).
    by : str
        Identity of the process that holds it.
    is_running : bool
        The AB runs, or is about to; else its frames are fetched ahead of its turn.
    since : float
        When it was made (s since 1970).
    """

    ab: str
    raw: Mapping[str, int]
    by: str
    is_running: bool
    since: float

    @property
    def is_held(self) -> bool:
        """Whether its process lives; of one on another host nobody knows, but no recipe takes a day."""
        return is_alive(self.by) and not (is_elsewhere(self.by) and time.time() - self.since > _LONGEST_S)

    @property
    def raw_bytes(self) -> int:
        """Bytes of the raw frames."""
        return sum(self.raw.values())


class Room:
    """The room on disk that the processes of a workbench share; without a budget there is always room."""

    def __init__(self, bench: Workbench):
        self._bench = bench
        self._budget = int(bench.settings.processing.disk_budget_mb * MIB)
        self._ledger = bench.tree.monitor / "disk-room.json"
        self._identity = process_identity() if self._budget else ""
        self._lock = threading.Lock()

    @property
    def is_limited(self) -> bool:
        """Whether there is a budget."""
        return self._budget > 0

    @staticmethod
    def wanted(raw_bytes: int) -> int:
        """Return what an AB takes on disk (bytes): its raw frames, and as much again that its recipe writes."""
        return 2 * raw_bytes

    def needs(self, ab: str, files: Sequence[RawFile] | None = None) -> Reservation:
        """Return what an AB takes, its frames as given or as the database says."""
        if files is None:
            with self._bench.store.read() as session:
                files = raw_files(self._bench, recipe_frames(session, [ab])[ab])
        raw = {str(file.path): file.size for file in files}
        return Reservation(ab, raw, self._identity, is_running=True, since=time.time())

    def take(self, wanted: Reservation, *, spare: int = 0) -> bool:
        """Reserve room for an AB if there is, and `spare` bytes beside it; tell whether it has room now."""
        with self._open() as held:
            mine = held.get(self._key(wanted.ab))
            if mine is None:
                others = list(held.values())
                if self._used() + _outstanding(self._bench, [*others, wanted]) + spare > self._budget:
                    return False
            held[self._key(wanted.ab)] = wanted if wanted.is_running or mine is None else mine
            return True

    def take_ahead(self, ab: str, files: Sequence[RawFile], *, spare: int) -> bool:
        """Reserve room for frames that are fetched ahead, if any AB of the job still finds room then."""
        if not self.is_limited:
            return True
        return self.take(replace(self.needs(ab, files), is_running=False), spare=spare)

    def give_back(self, ab: str) -> None:
        """End the reservation of an AB."""
        with self._open() as held:
            held.pop(self._key(ab), None)

    def give_all_back(self) -> None:
        """End all reservations of this process."""
        if self.is_limited:
            with self._open() as held:
                for key in [key for key, one in held.items() if one.by == self._identity]:
                    del held[key]

    def forget(self, abs_lost: Collection[str]) -> None:
        """End the reservations of processes on other hosts for ABs that are known to be lost with them."""
        if self.is_limited:
            with self._open() as held:
                for key, one in list(held.items()):
                    if one.ab in abs_lost and is_elsewhere(one.by):
                        del held[key]

    @contextmanager
    def held_for(self, ab: str, stop: threading.Event) -> Iterator[None]:
        """Wait until there is room for an AB, and hold it inside the block.

        Raises
        ------
        StoppedError
            `stop` was set meanwhile.
        WaitingError
            There is none, and no other AB is running whose end could make some.
        NotFoundError
            There is no such AB.
        """
        if not self.is_limited:
            yield
            return
        wanted = self.needs(ab)
        while not self.take(wanted):
            if self.wanted(wanted.raw_bytes) > self._budget or not self._may_get_room():
                raise WaitingError(self._refusal(wanted))
            if stop.wait(POLL_S):
                raise StoppedError(f"{ab} was stopped while it waited for room on disk")
        try:
            yield
        finally:
            self.give_back(ab)

    def _may_get_room(self) -> bool:
        with self._open() as held:
            return any(one.is_running for one in held.values())

    def _refusal(self, wanted: Reservation) -> str:
        need, taken = self.wanted(wanted.raw_bytes), self._taken()
        parts = ", ".join(f"{name} {_mib(size)}" for name, size in taken.items())
        text = (
            f"{wanted.ab} wants {_mib(need)} on disk ({len(wanted.raw)} raw frames {_mib(wanted.raw_bytes)}, "
            f"working folder {_mib(need - wanted.raw_bytes)}), the budget is {_mib(self._budget)} "
            f"(processing.disk_budget_mb)"
        )
        if need > self._budget:
            return f"{text}: it is too small for this AB, which stays queued. Raise it, then call again"
        return (
            f"{text}, of which {_mib(sum(taken.values()))} are taken ({parts}), and nothing is running that could "
            f"free more. It stays queued. Raise the budget, set processing.keep_raw to false, or finish nights, then "
            f"call again"
        )

    def _taken(self) -> dict[str, int]:
        """Return the bytes on disk by kind of folder."""
        data = self._bench.tree.root / "data"
        return {
            "raw": _size_of(data.glob("*/raw")),
            "reduced": _size_of(data.glob("*/reduced")),
            "work": _size_of(_work_folders(self._bench, "*")),
        }

    def _used(self) -> int:
        return sum(self._taken().values())

    def _key(self, ab: str) -> str:
        return f"{self._identity} {ab}"

    @contextmanager
    def _open(self) -> Iterator[dict[str, Reservation]]:
        """Give the reservations of processes that are alive, by holder and AB, and keep what is changed."""
        # the file lock is asked for by one thread at a time: the others need not poll it
        with self._lock, waiting(self._bench.tree.locks, _LOCK):
            held = self._read()
            yield held
            write_text(self._ledger, json.dumps([asdict(one) for one in held.values()], indent=1))

    def _read(self) -> dict[str, Reservation]:
        try:
            found = [Reservation(**one) for one in json.loads(self._ledger.read_text(encoding="utf-8"))]
            return {f"{one.by} {one.ab}": one for one in found if one.is_held}
        except (OSError, ValueError, TypeError):
            # it is whole or not there, unless somebody edited it; what runs is then seen by what it has on disk
            return {}


def _outstanding(bench: Workbench, held: Sequence[Reservation]) -> int:
    """Return the bytes that ABs with room have not written yet; a frame of several of them counts once."""
    raw = {Path(path): size for one in held for path, size in one.raw.items()}
    absent = [path for path in raw if not path.is_file()]
    on_their_way = {folder: arrived(folder) for folder in {path.parent for path in absent}}
    missing = sum(max(0, raw[path] - on_their_way[path.parent].get(path.name, 0)) for path in absent)
    work = 0
    for one in held:
        written = _size_of(_work_folders(bench, f"{one.ab.removesuffix('.ab')}-*"))
        work += max(0, Room.wanted(one.raw_bytes) - one.raw_bytes - written)
    return missing + work


def _work_folders(bench: Workbench, pattern: str) -> Iterator[Path]:
    """Give the folders in which recipes write."""
    return (folder for folder in bench.tree.work.glob(pattern) if not folder.name.endswith(LINKS))


def _on_disk(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _size_of(folders: Iterable[Path]) -> int:
    """Return the bytes of the files below some folders; what goes meanwhile is passed over."""
    total = 0
    for folder in folders:
        for parent, _, names in os.walk(folder):
            total += sum(_on_disk(Path(parent, name)) for name in names)
    return total


def _mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB"
