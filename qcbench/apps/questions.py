"""What the page asks a second time before it is done: text, names, and the words of the two buttons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from qcbench.apps.view import DecisionCounts

NO_QUESTION = {"text": "", "names": "", "button": ""}
_NAMES_SHOWN = 4


def rejection_question(act: str, names: Sequence[str], users: Sequence[str]) -> dict[str, str]:
    """Ask for a rejection that touches other ABs."""
    count = "1 other AB" if len(users) == 1 else f"{len(users)} other ABs"
    what = "this AB" if len(names) == 1 else f"these {len(names)} ABs"
    more = f" and {len(users) - _NAMES_SHOWN} more" if len(users) > _NAMES_SHOWN else ""
    return {
        "text": f"{count} used the products of {what}:",
        "names": ", ".join(users[:_NAMES_SHOWN]) + more,
        "button": "Reject raw all the same" if act == "reject_raw" else "Reject all the same",
        "refuse": "Keep it",
        "look": "nok-fill",
    }


def distribution_question(instrument: str, date: dt.date, counts: DecisionCounts) -> dict[str, str]:
    """Ask before products are moved: then their decisions stand."""
    return {
        "text": f"Move, name and archive what is certified of {instrument.upper()} {date}?",
        "names": f"{counts.text}; after that these decisions stand",
        "button": "Move and archive",
        "refuse": "Not yet",
        "look": "ok-fill",
    }
