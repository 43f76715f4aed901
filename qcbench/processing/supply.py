"""What the ABs of a job share: streams, room on disk, raw frames that are fetched ahead, and sums of masters."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Self

from qcbench.core.errors import QcbenchError
from qcbench.core.files import free_mb
from qcbench.core.logs import get_logger
from qcbench.processing.cascade import Task, places
from qcbench.processing.pixels import RawFile, Streams, raw_files
from qcbench.processing.room import Room
from qcbench.processing.sums import Sums
from qcbench.store.needs import recipe_frames
from qcbench.workbench import Workbench


class Supply:
    """Gives ABs their streams, room and sums, and fetches the frames of the next ones where there is room.

    Parameters
    ----------
    tasks : mapping, optional
        The ABs of the job.
    number : int
        So many ABs are fetched ahead of those that have begun.

    Attributes
    ----------
    stop : Event
        Set when the job is left: what is on its way then ends, and ABs that are at work go back to the queue.
    """

    def __init__(self, bench: Workbench, tasks: Mapping[str, Task] | None = None, number: int = 0):
        tasks = tasks or {}
        self.stop = threading.Event()
        self.streams, self.room, self.sums = Streams(bench, self.stop), Room(bench), Sums()
        self._bench, self._number = bench, number
        self._tasks = tasks
        place = places(tasks)
        # in their order; as keys, since each is taken out by its name
        self._left = dict.fromkeys(sorted(place, key=place.__getitem__))
        self._done: set[str] = set()
        self._ahead: set[str] = set()
        self._lock = threading.Lock()
        self._files = self._files_of(tasks)
        self._spare = Room.wanted(
            max((sum(file.size for file in files) for files in self._files.values()), default=0)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self.streams.close()
        self.room.give_all_back()

    def begins(self, name: str) -> None:
        """Note that an AB begins, and have the frames of the next ones fetched."""
        with self._lock:
            self._ahead.discard(name)
            self._left.pop(name, None)
            self._go_ahead()

    def ends_well(self, name: str) -> None:
        """Note that an AB was processed: what waited for it may come next."""
        with self._lock:
            self._done.add(name)
            self._go_ahead()

    def has_room(self, name: str) -> bool:
        """Take the room that an AB needs on disk, if there is; what is wrong is left for the AB to say."""
        try:
            return not self.room.is_limited or self.room.take(self.room.needs(name, self._files[name]))
        except QcbenchError:
            return True

    def _go_ahead(self) -> None:
        """Fetch for the next ABs whose parents are done: these will run, and need not keep what they got in vain."""
        free = self._number - len(self._ahead)
        ready = (name for name in self._left if self._tasks[name].parents <= self._done)
        for name in list(islice(ready, free)):
            del self._left[name]
            self._ahead.add(name)
            self.streams.do(partial(self._fetch, name))

    def _files_of(self, tasks: Mapping[str, Task]) -> dict[str, list[RawFile]]:
        if not tasks:
            return {}
        with self._bench.store.read() as session:
            frames = recipe_frames(session, tasks)
            return {name: raw_files(self._bench, found) for name, found in frames.items()}

    def _fetch(self, name: str) -> None:
        """Begin to fetch the frames of an AB. Whatever is wrong with them is said when it is its turn."""
        settings = self._bench.settings
        try:
            if free_mb(settings.root) < settings.processing.min_free_mb:
                return
            files = self._files[name]
            # any AB of the job still finds room then: none waits for one that itself waits behind it
            if self.room.take_ahead(name, files, spare=self._spare):
                self.streams.begin(files)
        except QcbenchError as err:
            get_logger().info(f"nothing is fetched ahead for {name}: {err}")
