"""The panels of the certification app: each holds what it shows, and says what somebody does in it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

import anywidget
import traitlets

from qcbench.look.tokens import css

Act = Callable[[dict[str, Any]], None]


def _static(name: str) -> str:
    return resources.files(__package__).joinpath("static", name).read_text(encoding="utf-8")


def sheet_text() -> str:
    """Return the one stylesheet of pages, reports and apps, with the rules for the parts of an app."""
    return f"{css()}\n{_static('apps.css')}"


class Panel(anywidget.AnyWidget):
    """A part of the page that sends what somebody does as a message ``{"act": …}``."""

    def on_act(self, handler: Act) -> None:
        """Call `handler` with each message."""

        def receive(_widget: object, content: object, _buffers: object) -> None:
            if isinstance(content, dict) and isinstance(content.get("act"), str):
                handler(content)

        self.on_msg(receive)


class NoticePanel(Panel):
    """The stylesheet of a page and, where the page has nothing else to show, the reason."""

    _esm = _static("shared.js") + _static("notice.js")
    _css = sheet_text()
    state = traitlets.Dict().tag(sync=True)


class HeaderPanel(Panel):
    """Instrument, date, counts, user; the steps of a distribution below them."""

    _esm = _static("shared.js") + _static("header.js")
    state = traitlets.Dict().tag(sync=True)


class QueuePanel(Panel):
    """The list of ABs; filter, search and the keys that move in it live in the page."""

    _esm = _static("shared.js") + _static("queue.js")
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)
    checked = traitlets.List(traitlets.Unicode()).tag(sync=True)
    unchecked = traitlets.Int().tag(sync=True)
    notice = traitlets.Dict().tag(sync=True)
    empty = traitlets.Dict().tag(sync=True)


class DetailPanel(Panel):
    """One AB: the answer, and a tab of evidence."""

    _esm = _static("shared.js") + _static("detail.js")
    answer = traitlets.Dict().tag(sync=True)
    tabs: traitlets.List[Any] = traitlets.List().tag(sync=True)
    tab = traitlets.Unicode().tag(sync=True)
    body = traitlets.Dict().tag(sync=True)


class ActionPanel(Panel):
    """Comment, decision, and what came of it."""

    _esm = _static("shared.js") + _static("actions.js")
    target = traitlets.Dict().tag(sync=True)
    confirm = traitlets.Dict().tag(sync=True)
    message = traitlets.Dict().tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)
