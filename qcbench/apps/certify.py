"""The certification workbench: what waits for a person, the evidence, the decision."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import ipywidgets

from qcbench.apps import details, view
from qcbench.apps.distribute import run_distribution, waiting_steps
from qcbench.apps.panels import ActionPanel, DetailPanel, HeaderPanel, NoticePanel, QueuePanel
from qcbench.apps.questions import NO_QUESTION, distribution_question, rejection_question
from qcbench.certification import QueueItem, comment_on, decide, impact, queue
from qcbench.certification.decisions import Scope, Verdict
from qcbench.core.dates import iso_ut, parse_date, utc_now
from qcbench.core.errors import DecisionError, QcbenchError
from qcbench.core.identity import current_user
from qcbench.core.logs import words_of
from qcbench.core.settings import find_workbench
from qcbench.workbench import Workbench, open_workbench

_DECISIONS: Mapping[str, tuple[Verdict, Scope]] = {
    "certify": ("certified", "product"),
    "reject_product": ("rejected", "product"),
    "reject_raw": ("rejected", "raw"),
}
_DISTRIBUTE = "distribute"


def certify_app(bench: Workbench) -> ipywidgets.Widget:
    """Return the app, ready to be displayed."""
    return CertifyApp(bench).widget


def certify_page(start: Path, environ: Mapping[str, str]) -> ipywidgets.Widget:
    """Return the app for the workbench of a folder, or a page that says why it can't be opened."""
    try:
        return certify_app(open_workbench(find_workbench(start, environ), environ))
    except QcbenchError as err:
        return _page(
            [], _notice("error", "The workbench can't be opened.", f"{iso_ut(utc_now())} UT", str(err))
        )


class CertifyApp:
    """What happens in the certification app.

    Parameters
    ----------
    bench : Workbench
        The workbench; each reading or decision opens the database anew.
    """

    def __init__(self, bench: Workbench):
        self.bench = bench
        self.user = current_user()
        self.instrument = bench.instruments[0]
        self.date: dt.date | None = None
        self.all_waiting = False
        self.items: dict[str, QueueItem] = {}
        self.selected = ""
        self._asked: tuple[str, tuple[str, ...]] | None = None
        self._worker: Thread | None = None
        self.header, self.queue = HeaderPanel(), QueuePanel()
        self.detail, self.actions = DetailPanel(tabs=[list(tab) for tab in details.TABS]), ActionPanel()
        self.detail.tab = "report"
        self.header.state = self._blank_header()
        self.actions.confirm, self.actions.message = NO_QUESTION, _said("none", "")
        for panel in (self.header, self.queue, self.detail, self.actions):
            panel.on_act(self.act)
        self.queue.observe(lambda _change: self._aim(), "checked")
        self.refresh()
        self._select_first()
        self.widget = self._compose()

    def act(self, content: Mapping[str, Any]) -> None:
        """Do what a panel asks for; what goes wrong is said, and nothing is lost."""
        name = str(content["act"])
        cleared = False
        try:
            cleared = self._do(name, content)
        except QcbenchError as err:
            self._say("nok", str(err))
        finally:
            self.actions.send({"act": "answered", "clear": cleared})

    def refresh(self) -> None:
        """Read the queue and the counts again."""
        try:
            self._read()
        except QcbenchError as err:
            what = "The database can't be read."
            self.queue.notice = _notice("error", what, f"{iso_ut(utc_now())} UT", str(err))
            return
        self.queue.notice = {}

    def wait(self) -> None:
        """Wait until a distribution that runs has ended."""
        if self._worker is not None:
            self._worker.join()

    def _do(self, name: str, content: Mapping[str, Any]) -> bool:
        """Do one thing; return True if the comment that was given is used up."""
        if name in _DECISIONS:
            return self._begin(name, str(content.get("comment", "")))
        if name == "comment":
            return self._comment(str(content.get("comment", "")))
        if name == "confirm" and self._asked is not None:
            if self._asked[0] == _DISTRIBUTE:
                self._distribute()
                return False
            return self._decide(*self._asked, str(content.get("comment", "")))
        if name in ("ping", "confirm"):
            self.header.send({"act": "pong"})
        elif name == "select":
            self._select(str(content.get("name", "")))
        elif name == "tab":
            self._show_tab(str(content.get("name", "")))
        elif name in ("instrument", "date", "all"):
            self._go_to(name, str(content.get("value", "")))
        elif name == "refresh":
            self.refresh()
            self._select(self.selected)
            self._say("none", "")
        elif name == "keep":
            self._forget_question()
        elif name == _DISTRIBUTE:
            self._ask_to_distribute()
        elif name == "close":
            self._head(steps=[])
        return False

    # what is shown

    def _read(self) -> None:
        everything = queue(self.bench, decided=True)
        waiting = [item for item in everything if item.tag != view.DECIDED]
        dates = view.date_counts(self.bench, self.instrument, waiting)
        known = [one.date for one in dates]
        if known and (self.date is None or self.date.isoformat() not in known):
            newest = next((one.date for one in dates if one.waiting), known[0])
            self.date = dt.date.fromisoformat(newest)
        place = (self.instrument, self.date)
        items = waiting if self.all_waiting else [i for i in everything if (i.instrument, i.date) == place]
        self.items = {item.ab_name: item for item in items}
        self.queue.empty = self._nothing_waits(len(waiting))
        self.queue.rows = [view.as_state(view.queue_row(item, with_date=self.all_waiting)) for item in items]
        counts = view.decision_counts(self.bench, self.instrument, self.date) if self.date else None
        self._head(
            instrument=self.instrument,
            dates=[view.as_state(one) for one in dates],
            date=self.date.isoformat() if self.date else "",
            all=self.all_waiting,
            waiting_all=len(waiting),
            counts=counts.text if counts else "",
            move_title=f"Move, rename and ingest what is certified: {self.instrument.upper()} {self.date or ''}",
            refreshed=f"{utc_now():%H:%M} UT",
        )

    def _nothing_waits(self, elsewhere: int) -> dict[str, str]:
        what = "Nothing waits for a decision."
        if not self.all_waiting and self.date:
            what = f"Nothing of {self.instrument.upper()} {self.date} waits for a decision."
        todo = f"{elsewhere} wait elsewhere: choose “all that waits”." if elsewhere else ""
        return _notice(
            "empty", what, f"read {utc_now():%H:%M} UT", todo or "New ABs come with the next frames."
        )

    def _select_first(self) -> None:
        self._select(next(iter(self.items), ""))

    def _select(self, name: str) -> None:
        self._forget_question()
        self.selected = name if name in self.items else ""
        self.queue.selected = self.selected
        self._aim()
        if not self.selected:
            nothing = _notice("empty", "No AB is selected.", "", "Choose one in the queue.")
            self.detail.answer = {"name": "", "notice": nothing}
            return
        try:
            answer = details.answer(self.bench, self.items[self.selected])
            self.detail.answer = view.as_state(answer)
            self._show_tab(self.detail.tab)
        except QcbenchError as err:
            notice = _notice("error", "This AB can't be read.", f"{iso_ut(utc_now())} UT", str(err))
            self.detail.answer = {"name": "", "notice": notice}
            # what nobody can look at is not to be decided
            self.selected = ""
            self._aim()

    def _show_tab(self, name: str) -> None:
        self.detail.tab = name if name in dict(details.TABS) else "report"
        if self.selected:
            self.detail.body = details.tab_body(self.bench, self.items[self.selected], self.detail.tab)

    def _go_to(self, name: str, value: str) -> None:
        if name == "all":
            self.all_waiting = not self.all_waiting
        else:
            self.all_waiting = False
            if name == "instrument":
                self.instrument = self.bench.pack(value).name
                self.date = None
            elif value in [one["date"] for one in self.header.state["dates"]]:
                self.date = parse_date(value)
        self.refresh()
        if self.selected not in self.items:
            self._select_first()
        self._say("none", "")

    # decisions

    def _targets(self) -> tuple[str, ...]:
        checked = tuple(name for name in self.queue.checked if name in self.items)
        return checked or ((self.selected,) if self.selected else ())

    def _aim(self) -> None:
        """Tell the buttons what they would act on; where that is not just the AB in sight, they say so."""
        names = self._targets()
        beside = names != (self.selected,)
        self.actions.target = {
            "count": len(names),
            "text": f" {len(names)} selected" if names and beside else "",
        }

    def _comment(self, text: str) -> bool:
        """Keep a comment on the ABs without deciding on them."""
        names = self._targets()
        for name in names:
            comment_on(self.bench, "ab", name, text, self.user)
        if self.selected in self.items:
            self._select(self.selected)
        which = names[0] if len(names) == 1 else f"{len(names)} ABs"
        self._say("ok", f"comment on {which} kept, {utc_now():%H:%M:%S} UT; it stands in its history")
        return True

    def _begin(self, act: str, comment: str) -> bool:
        """Ask first where a rejection touches other ABs, else decide."""
        names = self._targets()
        self._forget_question()
        if act != "certify":
            _need_comment(comment)
            users = sorted({user for name in names for user in impact(self.bench, name)} - set(names))
            if users:
                self._say("none", "")
                self._asked = (act, names)
                self.actions.confirm = rejection_question(act, names, users)
                return False
        return self._decide(act, names, comment)

    def _decide(self, act: str, names: Sequence[str], comment: str) -> bool:
        verdict, scope = _DECISIONS[act]
        self._forget_question()
        done: list[str] = []
        refused: list[str] = []
        for name in names:
            try:
                shown = self.items[name]
                decide(self.bench, name, verdict, by=self.user, comment=comment, scope=scope, shown=shown)
                done.append(name)
            except QcbenchError as err:
                refused.append(str(err))
        self.refresh()
        if self.selected in self.items:
            self._select(self.selected)
        if done and not refused:
            self.queue.unchecked += 1
        self._report(done, refused, verdict, scope)
        return bool(done) and not refused

    def _report(self, done: list[str], refused: list[str], verdict: str, scope: str) -> None:
        what = f"{verdict}{' with its raw frames' if scope == 'raw' else ''}"
        if refused:
            before = f"{len(done)} {what}, {len(refused)} not. " if len(done) + len(refused) > 1 else ""
            self._say("nok", before + " · ".join(refused))
        else:
            which = done[0] if len(done) == 1 else f"{len(done)} ABs"
            self._say("ok", f"{which} {what} by {self.user}, {utc_now():%H:%M:%S} UT")

    def _forget_question(self) -> None:
        self._asked = None
        self.actions.confirm = NO_QUESTION

    # distribution

    def _ask_to_distribute(self) -> None:
        """Ask first: what was moved can't be decided anew."""
        if self.header.state["busy"] or self.date is None:
            return
        self._asked = (_DISTRIBUTE, ())
        counts = view.decision_counts(self.bench, self.instrument, self.date)
        self.actions.confirm = distribution_question(self.instrument, self.date, counts)

    def _distribute(self) -> None:
        self._forget_question()
        if self.header.state["busy"] or self.date is None:
            return
        title = f"{self.instrument.upper()} {self.date}"
        self._head(busy=True, steps=[view.as_state(step) for step in waiting_steps()], steps_title=title)
        self.actions.busy = True
        self._worker = Thread(
            target=self._run_distribution, args=(self.instrument, self.date), name="distribution", daemon=True
        )
        self._worker.start()

    def _run_distribution(self, instrument: str, date: dt.date) -> None:
        problem = self._distribution_problem(instrument, date)
        self.actions.busy = False
        self._head(busy=False)
        self.refresh()
        if problem:
            self._say("nok", problem)
        else:
            self._say("ok", f"{instrument.upper()} {date}: all that was certified is in the archive")

    def _distribution_problem(self, instrument: str, date: dt.date) -> str:
        """Distribute; return what went wrong, in words, or an empty text."""
        steps = waiting_steps()
        try:
            for steps in run_distribution(self.bench, instrument, date):
                self._head(steps=[view.as_state(step) for step in steps])
        except Exception as err:  # noqa: BLE001 (the end of a thread: nobody else would tell the person)
            return words_of(err, "certify")
        return next((f"{step.name}: {step.text}" for step in steps if step.state == "failed"), "")

    # small things

    def _say(self, kind: str, text: str) -> None:
        self.actions.message = _said(kind, text)

    def _head(self, **changes: Any) -> None:
        self.header.state = {**self.header.state, **changes}

    def _blank_header(self) -> dict[str, Any]:
        return {
            "instruments": list(self.bench.instruments),
            "instrument": self.instrument,
            "dates": [],
            "date": "",
            "all": False,
            "waiting_all": 0,
            "counts": "",
            "move_title": "",
            "refreshed": "–",
            "user": self.user,
            "busy": False,
            "steps": [],
            "steps_title": "",
        }

    def _compose(self) -> ipywidgets.Widget:
        right = _box([self.detail, self.actions], "qcb-right")
        for panel, name in ((self.header, "qcb-head"), (self.queue, "qcb-queue")):
            panel.add_class(name)
        self.detail.add_class("qcb-detail")
        self.actions.add_class("qcb-actions")
        return _page([self.header, _box([self.queue, right], "qcb-main")])


def _page(parts: Sequence[ipywidgets.Widget], notice: Mapping[str, str] | None = None) -> ipywidgets.Widget:
    sheet = NoticePanel(state=dict(notice or {}))
    sheet.add_class("qcb-sheet" if parts else "qcb-notice")
    return _box([sheet, *parts], "qcb-app")


def _box(parts: Sequence[ipywidgets.Widget], name: str) -> ipywidgets.Box:
    box = ipywidgets.Box(list(parts))
    box.add_class(name)
    return box


def _said(kind: str, text: str) -> dict[str, str]:
    return {"kind": kind, "text": text}


def _notice(kind: str, what: str, since: str, todo: str) -> dict[str, str]:
    return {"kind": kind, "what": what, "since": since, "todo": todo}


def _need_comment(comment: str) -> None:
    if not comment.strip():
        raise DecisionError("A rejection needs a comment: say what is wrong, then reject again")
