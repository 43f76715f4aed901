"""Names of certified products: ``<II>_<CODE>_<YYMMDD><V>_<PARAMS>.fits``.

Source: dfos documentation of renameProducts, and the product codes on the ESO QC pages.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, product
from string import ascii_uppercase

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.distribution.nights import Mode, Night
from qcbench.instruments import NameRule
from qcbench.instruments.models import setup_part
from qcbench.store import ABState, AssociationBlock, Product
from qcbench.workbench import Workbench

_LONGEST_PART = 30
_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]")


@dataclass(frozen=True)
class Rename:
    """A product of an AB, its name now and the one that it gets."""

    ab_name: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.old} -> {self.new}"


def plan_names(bench: Workbench, instrument: str, date: dt.date, mode: Mode = "CALIB") -> list[Rename]:
    """Return the names that the moved products of a date get, by time. Names that were given once are kept.

    Raises
    ------
    PackError
        The pack has no name for a product.
    """
    night = Night(bench, instrument, date, mode)
    with bench.store.read() as session:
        return [rename for rename, _ in planned(night, session, {ABState.MOVED})]


def planned(night: Night, session: Session, states: Iterable[ABState]) -> list[tuple[Rename, Product]]:
    """Return the names of all products in the calibration folder or archive whose AB is in one of some states."""
    wanted = set(states)
    found = [
        (ab, item)
        for ab in night.blocks(session)
        if ABState(ab.state) in wanted
        for item in ab.products
        if item.location in ("calib", "archive")
    ]
    found.sort(key=lambda pair: (pair[1].mjd_obs, pair[1].pipefile))
    taken = _taken(night, session)
    renames = []
    for ab, item in found:
        new = item.final_name or _next_name(night, ab, item, taken)
        taken.add(new)
        renames.append((Rename(ab.name, item.pipefile, new), item))
    return renames


def versions() -> Iterator[str]:
    """Give the version letters A, B, … Z, AA, AB, …."""
    for length in count(1):
        yield from map("".join, product(ascii_uppercase, repeat=length))


def parameters_text(rule: NameRule, ab: AssociationBlock, item: Product) -> str:
    """Return the setup of a product as a part of its name.

    Header values are hostile: what is not a letter, a digit or one of ``. + -`` is left out.
    """
    keys = {**ab.keys, **item.keys}
    parts = (_UNSAFE.sub("", setup_part(key, keys))[:_LONGEST_PART] for key in rule.parameters)
    return "_".join(part for part in parts if part)


def _next_name(night: Night, ab: AssociationBlock, item: Product, taken: set[str]) -> str:
    rule = night.rule(item)
    stem = f"{night.pack.instrument.code}_{rule.code}_{night.date:%y%m%d}"
    text = parameters_text(rule, ab, item)
    ending = f"_{text}.fits" if text else ".fits"
    return next(name for version in versions() if (name := f"{stem}{version}{ending}") not in taken)


def _taken(night: Night, session: Session) -> set[str]:
    """Return the names of this date that are given, by whatever instrument has the same code."""
    pattern = night.pack.instrument.code
    names = session.scalars(
        select(Product.final_name).where(
            Product.final_name.startswith(f"{pattern}_", autoescape=True),
            Product.final_name.contains(f"_{night.date:%y%m%d}", autoescape=True),
        )
    )
    return {name for name in names if name}
