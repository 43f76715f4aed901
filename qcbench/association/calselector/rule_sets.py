"""calselManager: the sets of calSelector rules, which one is in force on a date, and why a used one stays as it is.

A set is in force from its first date until the day before the next one starts, or until its own last date. Once a
frame of a date was answered, no other set may come into force on that date: a past answer follows the same rules for
ever, though frames and masters that came since may change it.
Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.7.4; what "in force" and "used" mean is our reading.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qcbench.association.calselector.new_rules import NewRules
from qcbench.core.dates import utc_now
from qcbench.core.errors import NotFoundError, StoreError
from qcbench.core.identity import current_user
from qcbench.oca import RuleSet, parse_rules
from qcbench.store import Event, RuleSetVersion, VirtualDataset, record_event
from qcbench.workbench import Workbench

TOOL = "calsel-manager"
ANSWERED = "rules_used"
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class KnownRules:
    """A rule set as the database has it.

    Attributes
    ----------
    valid_to : date or None
        The last date that was given with it.
    in_force_to : date or None
        The last date on which it is in force: the day before the next one starts, or its own last date.
    n_datasets : int
        Its virtual data sets.
    is_whole : bool
        Its data sets were made to the end; else the next question, or ingesting it again, goes on.
    """

    id: int
    instrument: str
    valid_from: dt.date
    valid_to: dt.date | None
    in_force_to: dt.date | None
    source: str
    sha256: str
    added_at: dt.datetime
    added_by: str
    used_at: dt.datetime | None
    n_datasets: int
    is_whole: bool

    def holds_on(self, date: dt.date) -> bool:
        """Tell whether it is in force on a date."""
        return self.valid_from <= date and (self.in_force_to is None or date <= self.in_force_to)

    @property
    def name(self) -> str:
        """What messages call it."""
        return rules_name(self.id, self.instrument)


def rules_name(number: int, instrument: str) -> str:
    """Return what messages call a rule set."""
    return f"rule set {number} of {instrument}"


def store_rules(
    bench: Workbench, instrument: str, new: NewRules, valid_from: dt.date, valid_to: dt.date | None = None
) -> int:
    """Put rules into the database, and return the number of the set; its data sets are made by `refresh`.

    The same rules for the same dates are known already: then nothing is changed.

    Raises
    ------
    StoreError
        The dates are those of another set, or frames of them were answered under another set.
    """
    digest = hashlib.sha256(new.text.encode()).hexdigest()
    with bench.store.write() as session:
        others = _versions(session, instrument, lock=True)
        same_start = next((other for other in others if other.valid_from == valid_from), None)
        if same_start and (same_start.sha256, same_start.valid_to) == (digest, valid_to):
            return same_start.id
        _refuse_overlap(session, instrument, others, valid_from, valid_to)
        version = RuleSetVersion(
            instrument=instrument,
            valid_from=valid_from,
            valid_to=valid_to,
            source=new.source,
            text=new.text,
            sha256=digest,
            added_at=utc_now(),
            added_by=current_user(),
        )
        session.add(version)
        session.flush()
        text = f"{rules_name(version.id, instrument)}: {new.source}, in force from {valid_from}"
        record_event(session, TOOL, "rules_ingested", text, instrument=instrument)
        return version.id


def list_rules(bench: Workbench, instruments: Sequence[str]) -> list[KnownRules]:
    """Return the rule sets of instruments, in the order of their dates."""
    with bench.store.read() as session:
        query = select(VirtualDataset.rule_set_id, func.count()).group_by(VirtualDataset.rule_set_id)
        counts: dict[int, int] = {number: count for number, count in session.execute(query)}  # noqa: C416
        found = []
        for instrument in instruments:
            versions = _versions(session, instrument)
            found += [_known(version, versions, counts.get(version.id, 0)) for version in versions]
    return found


def rules_on(session: Session, instrument: str, date: dt.date) -> RuleSetVersion:
    """Return the rule set that is in force for frames of a date.

    Raises
    ------
    NotFoundError
        There is none.
    """
    versions = _versions(session, instrument)
    if holder := _holder(versions, date):
        return holder
    have = "has no calSelector rules" if not versions else f"has calSelector rules, but none for {date}"
    remedy = f"qcbench calsel-manager ingest -i {instrument} --from {date}"
    raise NotFoundError(
        f"{instrument} {have}. Ingest a file (qcbench calsel-manager ingest FILE …), or the rules of the "
        f"instrument's pack: {remedy}"
    )


def rules_for(bench: Workbench, instrument: str, date: dt.date) -> KnownRules:
    """Return the rule set that is in force for frames of a date.

    Raises
    ------
    NotFoundError
        There is none.
    """
    with bench.store.read() as session:
        return _known(rules_on(session, instrument, date), _versions(session, instrument), 0)


def remember_answer(bench: Workbench, known: KnownRules, date: dt.date) -> bool:
    """Remember that a rule set answered for a date; return False if it is in force there no longer.

    Then rules came or went while the answer was worked out, and it must not be given.
    """
    with bench.store.read() as session:
        version = _holder(_versions(session, known.instrument), date)
        if not _is_same(version, known):
            return False
        if version and version.used_at is not None and _answered(session, known.instrument, date, date):
            return True
    with bench.store.write() as session:
        version = _holder(_versions(session, known.instrument, lock=True), date)
        if version is None or not _is_same(version, known):
            return False
        version.used_at = version.used_at or utc_now()
        if not _answered(session, known.instrument, date, date):
            text = f"{known.name} answers for frames of {date}"
            record_event(session, TOOL, ANSWERED, text, instrument=known.instrument, date=date)
        return True


def _is_same(version: RuleSetVersion | None, known: KnownRules) -> bool:
    # a number may be given again after its set was deleted
    return version is not None and (version.id, version.sha256) == (known.id, known.sha256)


def rules_of(bench: Workbench, number: int) -> tuple[KnownRules, RuleSet]:
    """Return a rule set of the database, and what it says.

    Raises
    ------
    NotFoundError
        There is no such set.
    """
    with bench.store.read() as session:
        version = find_rules(session, number)
        known = _known(version, _versions(session, version.instrument), 0)
        return known, _parsed(version.text, known.name)


def download_rules(bench: Workbench, number: int) -> str:
    """Return the text of a rule set, as it was ingested.

    Raises
    ------
    NotFoundError
        There is no such set.
    """
    with bench.store.read() as session:
        return find_rules(session, number).text


def delete_rules(bench: Workbench, number: int) -> KnownRules:
    """Delete a rule set that was never used, with its data sets.

    Raises
    ------
    NotFoundError
        There is no such set.
    StoreError
        It was used.
    """
    with bench.store.write() as session:
        version = find_rules(session, number, lock=True)
        known = _known(version, _versions(session, version.instrument), 0)
        if version.used_at is not None:
            raise StoreError(
                f"{known.name} has answered since {version.used_at:%Y-%m-%d %H:%M} UT: it stays, so that its answers "
                f"can be given again. For later dates, ingest a new one: qcbench calsel-manager ingest FILE -i "
                f"{known.instrument} --from DATE"
            )
        session.delete(version)
        for other in _versions(session, version.instrument):
            # another one is in force on these dates now, and has yet to see their frames
            other.seen_until = None
        record_event(
            session, TOOL, "rules_deleted", f"{known.name}: {known.source}", instrument=known.instrument
        )
    return known


def find_rules(session: Session, number: int, *, lock: bool = False) -> RuleSetVersion:
    """Return a rule set by its number; `lock` keeps others from changing it in the meantime.

    Raises
    ------
    NotFoundError
        There is no such set.
    """
    version = session.get(RuleSetVersion, number, with_for_update=lock)
    if version is None:
        raise NotFoundError(
            f"there is no rule set {number}. See which there are: qcbench calsel-manager list"
        )
    return version


@lru_cache(maxsize=8)
def _parsed(text: str, source: str) -> RuleSet:
    return parse_rules(text, source)


def _versions(session: Session, instrument: str, *, lock: bool = False) -> list[RuleSetVersion]:
    query = select(RuleSetVersion).where(RuleSetVersion.instrument == instrument)
    query = query.order_by(RuleSetVersion.valid_from)
    return list(session.scalars(query.with_for_update() if lock else query))


def _holder(versions: Sequence[RuleSetVersion], date: dt.date) -> RuleSetVersion | None:
    """Return the set that is in force on a date: the last one that has started, unless it has ended."""
    started = [version for version in versions if version.valid_from <= date]
    if started and (started[-1].valid_to is None or date <= started[-1].valid_to):
        return started[-1]
    return None


def _end(valid_from: dt.date, valid_to: dt.date | None, others: Sequence[RuleSetVersion]) -> dt.date | None:
    """Return the last date on which a set is in force."""
    following = [other.valid_from - _DAY for other in others if other.valid_from > valid_from]
    return min((end for end in (valid_to, *following) if end is not None), default=None)


def _known(version: RuleSetVersion, versions: Sequence[RuleSetVersion], n_datasets: int) -> KnownRules:
    return KnownRules(
        id=version.id,
        instrument=version.instrument,
        valid_from=version.valid_from,
        valid_to=version.valid_to,
        in_force_to=_end(version.valid_from, version.valid_to, versions),
        source=version.source,
        sha256=version.sha256,
        added_at=version.added_at,
        added_by=version.added_by,
        used_at=version.used_at,
        n_datasets=n_datasets,
        is_whole=version.seen_until is not None,
    )


def _refuse_overlap(
    session: Session,
    instrument: str,
    others: Sequence[RuleSetVersion],
    valid_from: dt.date,
    valid_to: dt.date | None,
) -> None:
    if valid_to is not None and valid_to < valid_from:
        raise StoreError(
            f"the last date {valid_to} is before the first one {valid_from}. Nothing was ingested"
        )
    for other in others:
        name = rules_name(other.id, instrument)
        if other.valid_from == valid_from:
            raise StoreError(
                f"{name} starts on {valid_from}, too: it is open which one holds. Choose another date, or delete "
                f"that one if it was not used: qcbench calsel-manager delete {other.id}"
            )
        closed = other.valid_to is not None and other.valid_from < valid_from <= other.valid_to
        if closed or (valid_to is not None and valid_from < other.valid_from <= valid_to):
            raise StoreError(
                f"{name} is for {other.valid_from} to {other.valid_to or 'any later date'}, which overlaps "
                f"with {valid_from} to {valid_to or 'any later date'}. Choose dates outside of it"
            )
    # where it has ended none is in force: a closed set takes the dates after it as well from the one before
    if last := _answered(session, instrument, valid_from, _end(valid_from, None, others)):
        free = _first_free(session, instrument, others, last + _DAY)
        without = f", and without --to {valid_to}" if valid_to is not None and valid_to < free else ""
        raise StoreError(
            f"frames of {last} were answered under the rules that are in force there, and such an answer must not "
            f"change. A set takes the dates from its first one until the next set starts, also those after its "
            f"last one. Let the new rules start later: --from {free}{without}"
        )


def _first_free(
    session: Session, instrument: str, others: Sequence[RuleSetVersion], date: dt.date
) -> dt.date:
    """Return the first date, from one on, on which a set without a last date may start."""
    while True:
        held = [
            other.valid_to or date
            for other in others
            if other.valid_from == date or other.valid_from < date <= (other.valid_to or dt.date.min)
        ]
        answered = _answered(session, instrument, date, _end(date, None, others))
        if not held and answered is None:
            return date
        date = max((*held, *([answered] if answered else []))) + _DAY


def _answered(session: Session, instrument: str, first: dt.date, last: dt.date | None) -> dt.date | None:
    """Return the last date, within some dates, of which a frame was answered."""
    query = select(func.max(Event.dfo_date)).where(
        Event.flag == ANSWERED, Event.instrument == instrument, Event.dfo_date >= first
    )
    return session.scalar(query if last is None else query.where(Event.dfo_date <= last))
