"""Marks: how a score, a state, an age and a value are written, the same everywhere."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Literal, get_args

from markupsafe import Markup

from qcbench.core.errors import ReportError

TagKind = Literal["ok", "nok", "warn", "none", "accent", "failed"]
StateKind = Literal["empty", "loading", "error", "stale"]

_MARK = Markup('<span class="mark {kind}" role="img" aria-label="{label}">{text}</span>')
_TAG = Markup('<span class="tag {kind}">{text}</span>')
_STATE = Markup(
    '<div class="state {kind}" role="{role}"><span class="sign" aria-hidden="true">{sign}</span>'
    '<b>{what}</b><span class="since">{since}</span><span>{todo}</span></div>'
)
_STATE_SIGNS: dict[str, str] = {"empty": "○", "loading": "◌", "error": "✕", "stale": "▲"}


def score_mark(n_red: int | None, n_scored: int | None, *, failed: bool = False) -> Markup:
    """Write the scores of an AB by shape, text and colour.

    Parameters
    ----------
    n_red : int or None
        Number of scores outside their limits.
    n_scored : int or None
        Number of scores; None or 0 where nothing was scored.
    failed : bool
        The AB failed, so that there is nothing to score.
    """
    if failed:
        return _MARK.format(kind="nok", label="failed", text="▲")
    if not n_scored or n_red is None:
        return _MARK.format(kind="none", label="not scored", text="– –")
    kind, sign, word = ("nok", "✕", "NOK") if n_red else ("ok", "✓", "OK")
    label = f"{word}: {n_red} of {n_scored} scores are red"
    return _MARK.format(kind=kind, label=label, text=f"{sign} {n_red}/{n_scored}")


def state_tag(text: str, kind: TagKind) -> Markup:
    """Write one word of state in a small frame; `failed` is the filled one."""
    _check(kind, get_args(TagKind), "tag")
    return _TAG.format(kind=kind, text=text)


def state_box(kind: StateKind, what: str, *, since: str, todo: str) -> Markup:
    """Write the state of a page or panel that has nothing (or nothing fresh) to show.

    Parameters
    ----------
    kind : {"empty", "loading", "error", "stale"}
        Which state.
    what, since, todo : str
        What it is, since when, and what to do.
    """
    _check(kind, get_args(StateKind), "state")
    role = "alert" if kind == "error" else "status"
    return _STATE.format(kind=kind, role=role, sign=_STATE_SIGNS[kind], what=what, since=since, todo=todo)


def age(elapsed: timedelta) -> str:
    """Write a time difference in its one fitting unit: ``"35 min"``, ``"11 h"``, ``"3 d"``."""
    if elapsed < timedelta(0):
        return f"in {age(-elapsed)}"
    minutes = int(elapsed.total_seconds() // 60)
    if minutes < 1:
        return "< 1 min"
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"


def value_text(value: float | None, unit: str = "", digits: int = 4) -> str:
    """Write a number with its unit, ready for a monospaced face.

    Parameters
    ----------
    value : float or None
        None and NaN are written as a dash.
    unit : str
        Unit, set off by a space that does not break.
    digits : int
        Significant digits; trailing zeros stay, so that the precision shows.
    """
    if value is None or math.isnan(value):
        return "–"
    return f"{_number(value, digits)}\N{NO-BREAK SPACE}{unit}" if unit else _number(value, digits)


def _number(value: float, digits: int) -> str:
    if isinstance(value, int):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size and not 1e-4 <= size < 1e7:
        return f"{value:.{digits - 1}e}"
    whole = math.floor(math.log10(size)) + 1 if size else 1
    return f"{value:.{max(digits - whole, 0)}f}"


def _check(kind: str, known: tuple[str, ...], what: str) -> None:
    if kind not in known:
        raise ReportError(f"no {what} of kind '{kind}' exists; use one of {', '.join(known)}")
