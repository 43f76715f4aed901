"""What the queue and the header of the certification app show: plain values, ready for the page."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, select

from qcbench.certification import QueueItem
from qcbench.core.dates import time_of_mjd
from qcbench.look.marks import TagKind, age
from qcbench.scoring import ScoreCount
from qcbench.store import ABState, AssociationBlock
from qcbench.workbench import Workbench

DECIDED = "decided"
_TAG_KINDS: dict[str, TagKind] = {
    "red": "nok",
    "failed": "failed",
    "sampled": "accent",
    "manual": "accent",
    "unscored": "none",
    DECIDED: "none",
}
_BRIEF_LENGTH = 90
_TIME = re.compile(r"\d{4}-(?P<day>\d\d-\d\d)T(?P<clock>\d\d:\d\d:\d\d.*)")


@dataclass(frozen=True)
class Mark:
    """A score by shape, text and colour; `label` says it in words."""

    kind: str
    text: str
    label: str


@dataclass(frozen=True)
class QueueRow:
    """One line of the queue.

    Attributes
    ----------
    short : str
        The name without what all names of the list share.
    brief, why : str
        Why it is here, cut to the width of a line, and whole.
    taken : str
        Start of the AB (UT).
    search : str
        All that the search looks into, in lower case.
    """

    name: str
    short: str
    raw_type: str
    setup: str
    mark: Mark
    tag: str
    tag_kind: TagKind
    brief: str
    why: str
    age: str
    taken: str
    search: str


@dataclass(frozen=True)
class DateCount:
    """A DFO date and how many of its ABs wait for a person."""

    date: str
    waiting: int


@dataclass(frozen=True)
class DecisionCounts:
    """How many ABs of a date are certified (or further), rejected, and waiting to be moved."""

    certified: int
    rejected: int
    to_move: int

    @property
    def text(self) -> str:
        """The three in one line."""
        return f"certified {self.certified} · rejected {self.rejected} · to move {self.to_move}"


def as_state(value: Any) -> dict[str, Any]:
    """Return a dataclass as the page receives it."""
    return asdict(value)


def queue_row(item: QueueItem, *, with_date: bool) -> QueueRow:
    """Return an AB of the queue as a line; `with_date` where the list spans several dates."""
    taken = time_of_mjd(item.mjd_obs).strftime("%Y-%m-%d %H:%M")
    words = (item.ab_name, item.raw_type, item.setup, item.tag, item.why, item.date.isoformat())
    return QueueRow(
        name=item.ab_name,
        short=short_name(item.ab_name, with_date=with_date),
        raw_type=item.raw_type,
        setup=item.setup,
        mark=score_of(item.score, failed=item.state == ABState.FAILED),
        tag=item.tag,
        tag_kind=_TAG_KINDS.get(item.tag, "none"),
        brief=_brief(item),
        why=item.why if item.tag != DECIDED else f"{_brief(item)} — {item.why}",
        age=age(item.age),
        taken=taken,
        search=" ".join(words).lower(),
    )


def short_name(ab_name: str, *, with_date: bool) -> str:
    """Return the time of an AB's name and what follows; with month and day where the list needs them."""
    root = ab_name.removesuffix(".ab")
    found = _TIME.search(root)
    if found is None:
        return root
    return f"{found['day']} {found['clock']}" if with_date else found["clock"]


def score_of(count: ScoreCount, *, failed: bool, long: bool = False) -> Mark:
    """Return the mark of an AB's score; the long form says what the numbers are."""
    if failed:
        return Mark("nok", "▲ failed" if long else "▲", "failed")
    if not count.n_scored:
        return Mark("none", "– not scored" if long else "– –", "not scored")
    kind, sign, word = ("nok", "✕", "NOK") if count.n_red else ("ok", "✓", "OK")
    text = f"{count.n_red} of {count.n_scored} scores" if long else count.text
    return Mark(kind, f"{sign} {text}", f"{word}: {count.n_red} of {count.n_scored} scores are red")


def _brief(item: QueueItem) -> str:
    last = item.last_decision
    if last is not None and item.tag == DECIDED:
        return f"{last.verdict} by {last.by}" + (f": {last.comment}" if last.comment else "")
    return item.brief if len(item.brief) <= _BRIEF_LENGTH else f"{item.brief[: _BRIEF_LENGTH - 1]}…"


def date_counts(bench: Workbench, instrument: str, items: Iterable[QueueItem]) -> list[DateCount]:
    """Return the dates of an instrument, the newest first, with what waits on each."""
    query = (
        select(AssociationBlock.dfo_date)
        .where(AssociationBlock.instrument == instrument)
        .distinct()
        .order_by(AssociationBlock.dfo_date.desc())
    )
    with bench.store.read() as session:
        dates = session.scalars(query).all()
    waiting = [item.date for item in items if item.instrument == instrument and item.tag != DECIDED]
    return [DateCount(date.isoformat(), waiting.count(date)) for date in dates]


def decision_counts(bench: Workbench, instrument: str, date: dt.date) -> DecisionCounts:
    """Count the decided ABs of a date."""
    query = (
        select(AssociationBlock.state, func.count())
        .where(AssociationBlock.instrument == instrument, AssociationBlock.dfo_date == date)
        .group_by(AssociationBlock.state)
    )
    with bench.store.read() as session:
        found = {ABState(state): count for state, count in session.execute(query)}
    distributed = sum(found.get(s, 0) for s in (ABState.MOVED, ABState.RENAMED, ABState.INGESTED))
    certified = found.get(ABState.CERTIFIED, 0)
    return DecisionCounts(certified + distributed, found.get(ABState.REJECTED, 0), certified)
