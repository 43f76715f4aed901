"""Let a fault befall auto-daily, call it again without, and look at how both ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from qcbench.store import Event
from tests.faults import daily
from tests.faults import rig as rigs
from tests.faults.disturbances import ClockSet

# by so many operations two calls of auto-daily may differ
SPREAD = 10


@dataclass(frozen=True)
class Outcome:
    """How a call of auto-daily ended that something befell, and how the workbench was after the next one.

    Attributes
    ----------
    failed : dict
        The ABs that failed in the first call, with the reason.
    recorded : tuple
        The errors that the first call left as events.
    differed, differs : list
        What was not as in a workbench that nothing befell: after the first call, and after the next.
    """

    first: daily.Ended
    failed: dict[str, str]
    recorded: tuple[str, ...]
    differed: list[str]
    again: daily.Ended
    differs: list[str]

    @property
    def is_equal(self) -> bool:
        """Whether the first call came to the end that it has without a fault."""
        return not self.differed

    @property
    def is_told(self) -> bool:
        """Whether the call told that something was left undone: by its code or by an event."""
        return self.is_equal or self.first.code != 0 or bool(self.recorded)

    def problems(self) -> list[str]:
        """What is wrong with it, whatever the fault of the machine was."""
        found = {
            f"ABs were blamed: {self.failed}": self.failed,
            f"a traceback: {self.first.said[-2000:]}": "Traceback" in self.first.said,
            "it left something undone and did not say so": not self.is_told,
            f"the next call ended with {self.again.code}: {self.again.said[-2000:]}": self.again.code,
            f"after the next call these differ: {self.differs}": self.differs,
        }
        return [text for text, is_so in found.items() if is_so]


def befall(
    rig: rigs.Rig, root: Path, disturbance: daily.Disturbance, environ: Mapping[str, str] = {}
) -> Outcome:
    """Run auto-daily on a new workbench, disturbed, and once more."""
    rig.fresh(root).close()
    first = daily.run(rig, root, disturbance, environ=environ)
    return look(rig, root, first)


def is_beyond(rig: rigs.Rig, moment: int, ended: daily.Ended) -> bool:
    """Whether a command ended before the moment of its fault, which may be so of the last ones: that is no case."""
    assert ended.is_struck or moment > rig.operations - SPREAD, "the fault has not struck"
    return not ended.is_struck


def look(rig: rigs.Rig, root: Path, first: daily.Ended) -> Outcome:
    """Look at what a call left, call again, and look at that."""
    bench = rigs.opened(root)
    states = rigs.states(bench)
    failed = {
        name: str(rigs.block(bench, name).reason) for name, state in states.items() if state == "failed"
    }
    with bench.store.read() as session:
        errors = select(Event.message).where(Event.level == "error").order_by(Event.id)
        recorded = tuple(str(message) for message in session.scalars(errors))
    differed = rigs.differences(rig, bench)
    # as cron calls: what a killed process has left is then old enough to be nobody's
    again = daily.run(rig, root, ClockSet(1, 3601.0))
    outcome = Outcome(first, failed, recorded, differed, again, rigs.differences(rig, bench))
    bench.close()
    return outcome
