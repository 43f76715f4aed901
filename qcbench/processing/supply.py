"""What the ABs of a job share: the streams, the room on disk, and raw frames that are fetched ahead of their turn."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Self

from qcbench.core.errors import QcbenchError
from qcbench.core.files import free_mb
from qcbench.core.logs import get_logger
from qcbench.processing.cascade import Task, running_order
from qcbench.processing.pixels import Streams, raw_files
from qcbench.processing.room import Room
from qcbench.store.needs import largest_inputs, recipe_frames
from qcbench.workbench import Workbench


class Supply:
    """Fetches the raw frames of the next ABs of a job while others are processed, as far as there is room.

    Parameters
    ----------
    tasks : mapping
        The ABs of the job. One that waits for an AB outside the job will not run: nothing is fetched for it.
    number : int
        So many ABs are fetched ahead of those that have begun.
    """

    def __init__(self, bench: Workbench, tasks: Mapping[str, Task], number: int):
        self.streams, self.room = Streams(bench), Room(bench)
        self._bench, self._number = bench, number
        self._left = deque(name for name in running_order(tasks) if tasks[name].parents <= tasks.keys())
        self._begun: set[str] = set()
        self._ahead: set[str] = set()
        self._lock = threading.Lock()
        self._spare = self._largest(tasks) if self.room.is_limited else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.streams.close()
        self.room.give_all_back()

    def begins(self, name: str) -> None:
        """Note that an AB begins, and have the frames of the next ones fetched."""
        with self._lock:
            self._begun.add(name)
            self._ahead.discard(name)
            while self._left and len(self._ahead) < self._number:
                following = self._left.popleft()
                if following not in self._begun:
                    self._ahead.add(following)
                    self.streams.do(partial(self._fetch, following))

    def has_room(self, name: str) -> bool:
        """Take the room that an AB needs on disk, if there is; what is wrong is left for the AB to say."""
        try:
            return not self.room.is_limited or self.room.take(self.room.needs(name))
        except QcbenchError:
            return True

    def _largest(self, tasks: Mapping[str, Task]) -> int:
        with self._bench.store.read() as session:
            return Room.wanted(largest_inputs(session, tasks))

    def _fetch(self, name: str) -> None:
        """Begin to fetch the frames of an AB. Whatever is wrong with them is said when it is its turn."""
        settings = self._bench.settings
        try:
            if free_mb(settings.root) < settings.processing.min_free_mb:
                return
            with self._bench.store.read() as session:
                files = raw_files(self._bench, recipe_frames(session, name))
            # any AB of the job still finds room then: none waits for one that itself waits behind it
            if self.room.take_ahead(name, files, spare=self._spare):
                self.streams.begin(files)
        except QcbenchError as err:
            get_logger().info(f"nothing is fetched ahead for {name}: {err}")
