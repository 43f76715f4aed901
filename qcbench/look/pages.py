"""Pages: the frame of every web page and report, and the tables in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path
from typing import Literal, get_args

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from qcbench.core.errors import ReportError
from qcbench.core.files import write_bytes
from qcbench.look.links import safe_url
from qcbench.look.marks import value_text
from qcbench.look.tokens import css

HeadlineKind = Literal["ok", "nok", "warn", "none"]
_SIGNS: dict[str, str] = {"ok": "✓", "nok": "✕", "warn": "▲", "none": "–"}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    `numeric` ones are monospaced and right-aligned, with the unit in the header; `name_like` ones (file names) are
    monospaced and never broken.
    """

    name: str
    unit: str = ""
    numeric: bool = False
    digits: int = 4
    name_like: bool = False


@dataclass(frozen=True)
class Link:
    """A cell that leads somewhere; an address that is not safe leaves the text alone."""

    text: str | float
    href: str


Cell = str | float | Markup | Link | None


@dataclass(frozen=True)
class _ShownCell:
    text: str
    href: str
    numeric: bool


def environment(*loaders: BaseLoader) -> Environment:
    """Return the template environment: escapes always, fails on an unknown name.

    Parameters
    ----------
    loaders : BaseLoader
        Further places of templates, asked before the look's own.
    """
    own = PackageLoader("qcbench.look", "templates")
    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=ChoiceLoader([*loaders, own]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["safe_url"] = safe_url
    return made


def render_page(
    title: str,
    *,
    headline: str,
    headline_kind: HeadlineKind,
    body: Markup,
    crumbs: Sequence[tuple[str, str | None]],
    generated: datetime,
    bokeh: bool = False,
    bokeh_src: str | None = None,
) -> str:
    """Render one self-contained page; only Bokeh's script is a file beside it.

    Parameters
    ----------
    title : str
        Name of the page.
    headline : str
        The answer in words: what is wrong and where.
    headline_kind : {"ok", "nok", "warn", "none"}
        How the headline is marked.
    body : Markup
        What follows; a plain string is escaped.
    crumbs : sequence of (str, str or None)
        The way to this page: text and address.
    generated : datetime
        When the page was made, shown in UT; a naive one is UT.
    bokeh : bool
        The body holds figures.
    bokeh_src : str or None
        Relative address of Bokeh's script, see `write_static`.

    Raises
    ------
    ReportError
        Where `bokeh_src` is missing or leads away from this site, or `headline_kind` is unknown.
    """
    if headline_kind not in get_args(HeadlineKind):
        raise ReportError(f"page '{title}': no headline of kind '{headline_kind}'; use ok, nok, warn or none")
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            headline=headline,
            headline_kind=headline_kind,
            sign=_SIGNS[headline_kind],
            body=body,
            crumbs=crumbs,
            generated=_in_ut(generated),
            css=Markup(css()),
            bokeh_src=_script_address(title, bokeh_src) if bokeh else "",
        )
    )


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    *,
    sorted_by: str | None = None,
    descending: bool = False,
    caption: str = "",
    empty: str = "Nothing to show.",
) -> Markup:
    """Render a table.

    Parameters
    ----------
    columns : sequence of Column
        Header.
    rows : sequence of sequence of Cell
        One cell per column. Numbers are written by `value_text`; text is escaped.
    sorted_by : str or None
        Name of the column to sort by; empty cells come last. None keeps the order of `rows`.
    descending : bool
        Largest first.
    caption : str
        What the table says, above it.
    empty : str
        What is said where there are no rows.
    """
    names = [column.name for column in columns]
    for row in rows:
        if len(row) != len(columns):
            raise ReportError(f"table {names}: a row has {len(row)} cells, expected {len(columns)}")
    ordered = list(rows)
    if sorted_by is not None:
        if sorted_by not in names:
            raise ReportError(f"table {names}: can't sort by '{sorted_by}', which is not a column")
        ordered = _sort(ordered, names.index(sorted_by), descending)
    shown = [[_shown(cell, column) for cell, column in zip(row, columns, strict=True)] for row in ordered]
    text = (
        environment()
        .get_template("table.html.j2")
        .render(
            columns=columns,
            rows=shown,
            sorted_by=sorted_by,
            descending=descending,
            caption=caption,
            empty=empty,
        )
    )
    return Markup(text)


def write_static(directory: Path) -> str:
    """Put Bokeh's script into `directory`, unless it is there, and return its versioned file name."""
    name = f"bokeh-{metadata.version('bokeh')}.min.js"
    target = directory / name
    if not target.exists():
        source = resources.files("bokeh").joinpath("server", "static", "js", "bokeh.min.js")
        write_bytes(target, source.read_bytes())
    return name


def _script_address(title: str, bokeh_src: str | None) -> str:
    if not bokeh_src:
        raise ReportError(
            f"page '{title}' has figures: pass bokeh_src, the relative address of Bokeh's script"
        )
    if ":" in bokeh_src or bokeh_src.startswith("//") or not safe_url(bokeh_src):
        raise ReportError(f"page '{title}': bokeh_src '{bokeh_src}' leads elsewhere; use a relative address")
    return bokeh_src


def _in_ut(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _sort(rows: list[Sequence[Cell]], index: int, descending: bool) -> list[Sequence[Cell]]:
    def value(row: Sequence[Cell]) -> str | float | None:
        cell = row[index]
        return cell.text if isinstance(cell, Link) else cell

    def key(row: Sequence[Cell]) -> tuple[bool, float, str]:
        found = value(row)
        return (False, found, "") if isinstance(found, int | float) else (True, 0.0, str(found))

    full = sorted((row for row in rows if value(row) is not None), key=key, reverse=descending)
    return full + [row for row in rows if value(row) is None]


def _shown(cell: Cell, column: Column) -> _ShownCell:
    href = safe_url(cell.href) if isinstance(cell, Link) else ""
    content = cell.text if isinstance(cell, Link) else cell
    if isinstance(content, str):
        return _ShownCell(content, href, column.numeric)
    return _ShownCell(value_text(content, digits=column.digits), href, column.numeric)
