"""What a group is waited for before it becomes an AB: its template is still being taken, or it has too few frames.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.5.2.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qcbench.association.candidates import SECONDS_PER_DAY
from qcbench.core.dates import mjd_of, time_of_mjd
from qcbench.oca import Organizer
from qcbench.oca.rules import FILE_KEY, TEMPLATE_KEY
from qcbench.store import Frame
from qcbench.workbench import Workbench

_MINUTES_PER_DAY = 1440.0


@dataclass(frozen=True)
class Arrived:
    """What is there of a template, whatever became of its frames.

    Attributes
    ----------
    here, wanted : int
        How many frames there are, and how many it takes (TPL.NEXP; 0 where no frame says it).
    end : float
        End of its last exposure (MJD, days).
    """

    here: int
    wanted: int
    end: float


@dataclass(frozen=True)
class Patience:
    """How long frames are waited for.

    Attributes
    ----------
    now : float
        The present (MJD, days).
    timeout : float
        How long (days) after the end of the last exposure more of them may come.
    """

    now: float
    timeout: float


@dataclass(frozen=True)
class Waiting:
    """How many frames are there, how many are wanted, and until when (UT) they are waited for.

    `template` is TPL.START of the template that is still being taken; None where the group has too few frames.
    """

    template: str | None
    here: int
    wanted: int
    until: dt.datetime

    @property
    def why(self) -> str:
        """Say what is waited for, in words."""
        if self.template is None:
            return f"{self.here} of at least {self.wanted} frames are there"
        return f"its template is still being taken: {self.here} of {self.wanted} frames are there"


def patience_of(bench: Workbench, now: dt.datetime) -> Patience:
    """Return the patience that the settings of a workbench want."""
    return Patience(mjd_of(now), bench.settings.processing.template_timeout_min / _MINUTES_PER_DAY)


def arrived_of(frames: Iterable[Frame]) -> dict[str, Arrived]:
    """Count the frames of each template, by TPL.START."""
    found: dict[str, Arrived] = {}
    for frame in frames:
        if frame.tpl_start is not None:
            so_far = found.get(frame.tpl_start, Arrived(0, 0, 0.0))
            found[frame.tpl_start] = Arrived(
                so_far.here + 1, max(so_far.wanted, frame.tpl_nexp or 0), max(so_far.end, _end(frame))
            )
    return found


def group_waits(
    organizer: Organizer, frames: Sequence[Frame], arrived: Mapping[str, Arrived], patience: Patience
) -> Waiting | None:
    """Say what a group is waited for; None if it can become an AB now.

    A group of one file waits for nothing. One that lacks frames which its rule wants waits even where no frame says
    how many its template takes.
    """
    if FILE_KEY in organizer.group_keys:
        return None
    for name in sorted({frame.tpl_start for frame in frames if frame.tpl_start is not None}):
        if waits := template_waits(name, arrived, patience):
            return waits
    least, first = organizer.min_ret or 1, frames[0].tpl_start
    # a whole template gets no more frames, and a file of no template stands alone
    is_final = TEMPLATE_KEY in organizer.group_keys and (first is None or bool(arrived[first].wanted))
    until = max(map(_end, frames)) + patience.timeout
    if len(frames) >= least or is_final or patience.now >= until:
        return None
    return Waiting(None, len(frames), least, time_of_mjd(until))


def template_waits(
    template: str | None, arrived: Mapping[str, Arrived], patience: Patience
) -> Waiting | None:
    """Say what a template is waited for; None if it is whole or broken off, or there is none."""
    if template is None or template not in arrived:
        return None
    found = arrived[template]
    until = found.end + patience.timeout
    if found.here >= found.wanted or patience.now >= until:
        return None
    return Waiting(template, found.here, found.wanted, time_of_mjd(until))


def _end(frame: Frame) -> float:
    return frame.mjd_obs + frame.exptime / SECONDS_PER_DAY
