"""The kinds of values that commands take: DFO dates, AB names, modes; they complete from the database."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from qcbench.cli.invocation import Invocation
from qcbench.core.dates import dfo_date, mjd_of, parse_date, utc_now
from qcbench.core.errors import QcbenchError

if TYPE_CHECKING:
    from qcbench.store import AssociationBlock
    from qcbench.workbench import Workbench

    _Date = click.ParamType[dt.date]
    _Name = click.ParamType[str]
    _Setting = click.ParamType[tuple[str, str | int | float | bool | None]]
else:
    # generic in newer versions of click only
    _Date = _Name = _Setting = click.ParamType

MAX_COMPLETIONS = 60
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DAYS_BACK = {"today": 0, "yesterday": 1}
Decorator = Callable[[Any], Any]


class DfoDate(_Date):
    """A DFO date: ``YYYY-MM-DD``, ``today`` or ``yesterday``."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Read a date; ``today`` starts at the hour that the workbench's site has set."""
        if isinstance(value, dt.date):
            return value
        if value in DAYS_BACK and ctx is not None:
            start_hour = ctx.find_root().ensure_object(Invocation).settings().site.start_hour
            return dfo_date(mjd_of(utc_now()), start_hour) - dt.timedelta(days=DAYS_BACK[value])
        try:
            return parse_date(str(value))
        except ValueError:
            self.fail(f"'{value}' is no DFO date: YYYY-MM-DD, today or yesterday", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer the dates that have frames, newest first."""
        from sqlalchemy import select

        from qcbench.store import Frame

        query = select(Frame.dfo_date).distinct().order_by(Frame.dfo_date.desc()).limit(MAX_COMPLETIONS)
        found = [str(date) for date in _ask(ctx, query)]
        return [CompletionItem(text) for text in (*DAYS_BACK, *found) if text.startswith(incomplete)]


class RecipeParameter(_Setting):
    """A parameter of a recipe, ``NAME=VALUE``; without a value it is taken back (None)."""

    name = "parameter"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str | int | float | bool | None]:
        """Read true, false and numbers as such, anything else as text."""
        if isinstance(value, tuple):
            return value
        key, sign, text = str(value).partition("=")
        if not key or not sign:
            self.fail(f"'{value}' is not NAME=VALUE, as in stacking=median", param, ctx)
        return key.strip(), _scalar(text.strip())


def _scalar(text: str) -> str | int | float | bool | None:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        with suppress(ValueError):
            number: int | float = kind(text)
            # what is no number in a pack is none here: 1_0, nan
            if _NUMBER.fullmatch(text):
                return number
    return text or None


class NamedAB(str):
    """The name of an AB; `text_file` is the path by which it was given, if it was."""

    text_file: Path | None = None


class ABName(_Name):
    """The name of an AB, with or without ``.ab``, or the path of its text file."""

    name = "AB"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> NamedAB:
        """Return the name with its ending."""
        name = PurePath(str(value)).name.removesuffix(".ab")
        if not name:
            self.fail("the name of an AB is empty; qcbench get-status-ab lists those of a date", param, ctx)
        named = NamedAB(f"{name}.ab")
        if Path(str(value)).is_file():
            named.text_file = Path(str(value))
        return named

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer the ABs whose names start so, newest first."""
        from sqlalchemy import select

        from qcbench.store import AssociationBlock

        query = (
            select(AssociationBlock.name)
            .where(AssociationBlock.name.startswith(incomplete, autoescape=True))
            .order_by(AssociationBlock.mjd_obs.desc(), AssociationBlock.name)
            .limit(MAX_COMPLETIONS)
        )
        return [CompletionItem(name) for name in _ask(ctx, query)]


def date_option(
    text: str = "DFO date: YYYY-MM-DD, today or yesterday.", *, required: bool = True, multiple: bool = False
) -> Decorator:
    """Return the option ``-d``."""
    return click.option(
        "-d", "--date", type=DfoDate(), required=required, multiple=multiple, metavar="DATE", help=text
    )


def mode_option(*, science: bool = False) -> Decorator:
    """Return the option ``-m``; a command that takes science too gets its value."""
    return click.option(
        "-m",
        "--mode",
        type=click.Choice(["CALIB", "SCIENCE"] if science else ["CALIB"]),
        default="CALIB",
        show_default=True,
        expose_value=science,
        help="Which frames: calibrations or science." if science else "Which frames: calibrations.",
    )


def ab_option(*, multiple: bool = False) -> Decorator:
    """Return the option ``-a``."""
    return click.option(
        "-a",
        "--ab",
        type=ABName(),
        required=True,
        multiple=multiple,
        metavar="AB",
        help="Name of the AB, with or without .ab, or the path of its text file.",
    )


def include_option() -> Decorator:
    """Return the option ``-I``: folders from which rule files may include."""
    return click.option(
        "-I",
        "--include",
        "folders",
        type=click.Path(file_okay=False, exists=True, path_type=Path),
        multiple=True,
        metavar="DIR",
        help="Folder besides that of the rules from which they may #include; can be given again.",
    )


def known_ab(bench: Workbench, name: str) -> AssociationBlock:
    """Return an AB of the workbench.

    Raises
    ------
    NotFoundError
        There is no such AB; every command says so in the same words.
    BlockError
        It was given by its text file, which is no AB, or says something else than the database.
    """
    from qcbench.blocks import check_text
    from qcbench.store.queries import find_ab

    text_file = name.text_file if isinstance(name, NamedAB) else None
    with bench.store.read() as session:
        ab = find_ab(session, name, whole=text_file is not None)
        if text_file is not None:
            check_text(text_file, ab)
        return ab


def _ask(ctx: click.Context, query: Any) -> Sequence[Any]:
    """Ask the database for completions; where there is no workbench there are none."""
    from qcbench.core.settings import load_settings
    from qcbench.store import Store

    with suppress(QcbenchError):
        root = ctx.find_root().ensure_object(Invocation).root
        store = Store(load_settings(root, os.environ).database_url)
        store.check()
        with store.read() as session:
            return list(session.scalars(query))
    return []
