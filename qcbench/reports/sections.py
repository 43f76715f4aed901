"""The pieces of a report: what a notebook displays, and a page is put together from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bokeh.models import LayoutDOM
from markupsafe import Markup

from qcbench.core.addresses import relative_url
from qcbench.look.figures import components
from qcbench.look.pages import HeadlineKind

HEAD_TYPE = "application/vnd.qcbench.head+json"
SECTION_TYPE = "application/vnd.qcbench.section+json"

_CARD = Markup('<section class="card"><h2>{title}<small>{note}</small></h2>{body}</section>')
_BODY = Markup('<div class="body">{content}</div>')
_FOLD = Markup('<details class="body"><summary>{title}</summary>{body}</details>')
_FACT = Markup("<tr><td class='muted'>{name}</td><td>{value}</td></tr>")
_LINK = Markup('<a href="{href}">{text}</a>')


@dataclass(frozen=True)
class Head:
    """The head of a page: its title and what it answers, in words."""

    title: str
    headline: str
    kind: HeadlineKind

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {HEAD_TYPE: asdict(self), "text/markdown": f"### {self.headline}", "text/plain": self.headline}


@dataclass(frozen=True)
class Section:
    """A card of a page; narrow ones stand side by side."""

    html: Markup
    narrow: bool = False

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle = {SECTION_TYPE: {"narrow": self.narrow}, "text/html": str(self.html)}
        # Else the notebook would hold all of it a second time, as the text of this object.
        return bundle | {"text/plain": "a section of a report"}


def card(title: str, body: Markup, *, note: str = "", narrow: bool = False) -> Section:
    """Return a card; a text in `title` or `note` is escaped."""
    return Section(_CARD.format(title=title, note=note, body=body), narrow)


def padded(content: Markup) -> Markup:
    """Return a content with the padding of a card; tables do without."""
    return _BODY.format(content=content)


def folded(title: str, body: Markup) -> Markup:
    """Return a content that a click opens."""
    return _FOLD.format(title=title, body=body)


def drawn(layout: LayoutDOM) -> Markup:
    """Return a figure, with its script, as the content of a card."""
    script, div = components(layout)
    return padded(div + script)


def facts(rows: Iterable[tuple[str, str | Markup]]) -> Markup:
    """Return names and values below each other; values that are empty are left out."""
    lines = Markup("").join(_FACT.format(name=name, value=value) for name, value in rows if value)
    return Markup('<div class="scroll"><table class="data"><tbody>{}</tbody></table></div>').format(lines)


def anchor(text: str, target: Path | None, folder: Path) -> str | Markup:
    """Return a text as a link to a file, where the file is there."""
    if target is None or not target.exists():
        return text
    return _LINK.format(text=text, href=relative_url(target, folder))
