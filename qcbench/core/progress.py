"""The one progress bar for long work: tqdm on a terminal, ipywidgets in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

Advance = Callable[[str], None]


@contextmanager
def progress_bar(total: int, title: str, *, show: bool | None = None) -> Iterator[Advance]:
    """Show a bar of `total` steps; the block calls what it is given once a step, with a short text.

    Parameters
    ----------
    total : int
        Number of steps; with 0 nothing is shown.
    title : str
        What is being done.
    show : bool, optional
        Show the bar; by default on a terminal only, so that logs of cron stay readable.
    """
    visible = sys.stderr.isatty() if show is None else show
    with tqdm(total=total, desc=title, unit="", disable=not visible or total == 0, leave=False) as bar:

        def advance(text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(1)

        yield advance


def silent(_text: str) -> None:
    """Take the place of a progress bar where none is wanted."""
