"""The calSelector service: which frame is asked for, under which rules, and the answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.association.calselector.answering import RAW2MASTER, RAW2RAW, Answering
from qcbench.association.calselector.datasets import refresh
from qcbench.association.calselector.groups import RawGroup, groups_of_date
from qcbench.association.calselector.rule_sets import KnownRules, remember_answer, rules_for, rules_of
from qcbench.association.calselector.supply import read_supply
from qcbench.association.calselector.tree import AssociationTree, dp_id_of
from qcbench.association.candidates import Span
from qcbench.core.dates import dfo_bounds
from qcbench.core.errors import NotFoundError
from qcbench.oca import RuleSet, classify
from qcbench.store import Frame
from qcbench.workbench import Workbench

Mode = Literal["raw2raw", "raw2master"]
MODES: dict[Mode, str] = {"raw2raw": RAW2RAW, "raw2master": RAW2MASTER}
_SCIENCE = "SCIENCE"
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Answer:
    """The answer for a frame, and the rules under which it was given."""

    arcfile: str
    date: dt.date
    mode: Mode
    rules: KnownRules
    tree: AssociationTree


class CalSelector:
    """Answers questions about frames; what several of them have in common is read once.

    It sees the database as it is when the first question about a date is asked.
    """

    def __init__(self, bench: Workbench):
        self._bench = bench
        self._rules: dict[tuple[str, dt.date], KnownRules] = {}
        self._groups: dict[tuple[str, dt.date, str], list[RawGroup]] = {}
        self._answering: dict[tuple[int, dt.date, str, Mode], Answering] = {}

    def answer(self, name: str, mode: Mode = "raw2master") -> Answer:
        """Answer which calibrations a frame needs.

        Parameters
        ----------
        name : str
            ARCFILE of the frame, with or without ``.fits``.
        mode : {"raw2raw", "raw2master"}
            Raw files throughout, or certified masters.

        Raises
        ------
        NotFoundError
            The database has no such frame, no rules are in force on its date, or they do not know what it is.
        """
        frame = find_frame(self._bench, name)
        if frame.filtered is not None:
            raise NotFoundError(
                f"{frame.arcfile} is kept out of the system: {frame.filtered}. Nothing is associated with it"
            )
        while True:
            given = self._answer_now(frame, mode)
            # only an answer that is given counts as use
            if remember_answer(self._bench, given.rules, frame.dfo_date):
                return given
            del self._rules[frame.instrument, frame.dfo_date]

    def _answer_now(self, frame: Frame, mode: Mode) -> Answer:
        """Answer under the rules that are in force as far as is known."""
        known = self._rules_for(frame.instrument, frame.dfo_date)
        _, rules = rules_of(self._bench, known.id)
        made = self._group_of(frame, known, rules)
        answering = self._answering_for(known, rules, made, frame.dfo_date, mode)
        tree = answering.answer(made, MODES[mode], is_science=frame.dpr_catg == _SCIENCE)
        return Answer(frame.arcfile, frame.dfo_date, mode, known, tree)

    def _rules_for(self, instrument: str, date: dt.date) -> KnownRules:
        """Return the rules in force, with their data sets up to date."""
        if (instrument, date) not in self._rules:
            known = rules_for(self._bench, instrument, date)
            refresh(self._bench, known.id, date)
            self._rules[instrument, date] = known
        return self._rules[instrument, date]

    def _group_of(self, frame: Frame, known: KnownRules, rules: RuleSet) -> RawGroup:
        with self._bench.store.read() as session:
            # a group has the date of its first frame
            for date in (frame.dfo_date, frame.dfo_date - _DAY):
                groups = self._groups_of(session, frame, known, rules, date)
                own = [made for made in groups if any(item.arcfile == frame.arcfile for item in made.frames)]
                if own:
                    return next((made for made in own if made.action == made.raw_type), own[0])
        assigned = classify(rules, frame.keys).assigned
        raw_type = assigned.get("RAW.TYPE") or assigned.get("DO.CATG")
        what = f"form no group of {raw_type} frames" if raw_type else "do not say what it is"
        raise NotFoundError(
            f"{frame.arcfile}: the rules that are in force on {frame.dfo_date} ({known.name}) {what}. See why: "
            f"qcbench explain-frame {frame.arcfile}"
        )

    def _groups_of(
        self, session: Session, frame: Frame, known: KnownRules, rules: RuleSet, date: dt.date
    ) -> Sequence[RawGroup]:
        key = frame.instrument, date, f"{known.id} {frame.dpr_catg}"
        if key not in self._groups:
            self._groups[key] = groups_of_date(session, rules, frame.instrument, date, frame.dpr_catg)
        return self._groups[key]

    def _answering_for(
        self, known: KnownRules, rules: RuleSet, made: RawGroup, date: dt.date, mode: Mode
    ) -> Answering:
        key = known.id, date, made.action, mode
        if key not in self._answering:
            pack = replace(self._bench.pack(known.instrument), rules=rules)
            first, last = dfo_bounds(date, self._bench.settings.site.start_hour)
            span = Span(min(first, made.time), max(last, made.time))
            with self._bench.store.read() as session:
                supply = read_supply(
                    session,
                    known.instrument,
                    rules,
                    known.id,
                    made.action,
                    span,
                    with_masters=mode == "raw2master",
                )
            self._answering[key] = Answering(self._bench, pack, supply, known.name)
        return self._answering[key]


def find_frame(bench: Workbench, name: str) -> Frame:
    """Return a frame by its ARCFILE, with or without ``.fits``.

    Raises
    ------
    NotFoundError
        The database has no such frame.
    """
    arcfile = f"{dp_id_of(name)}.fits"
    with bench.store.read() as session:
        frame = session.scalar(select(Frame).where(Frame.arcfile == arcfile))
    if frame is None:
        raise NotFoundError(
            f"the database has no frame {arcfile}. If it is in the archive, load the headers of its date: "
            f"qcbench data-loader -t h -d DATE"
        )
    return frame
