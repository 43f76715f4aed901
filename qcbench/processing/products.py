"""What a recipe wrote: which product is which, and what the database is told of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.core.errors import FrameError
from qcbench.core.files import sha256, write_error
from qcbench.fits import HeaderReader, Scanner, Value, data_hash
from qcbench.instruments import InstrumentPack
from qcbench.oca import product_keys
from qcbench.processing.engines import RecipeResult
from qcbench.store import ABCalibration, AssociationBlock, Product, RunFile


def predicted(pack: InstrumentPack, ab: AssociationBlock) -> list[Product]:
    """Return the products of an AB that the rules predict: the others an earlier run wrote besides.

    Where the rules have lost the action of the AB, nothing tells them apart.
    """
    action = {item.name: item for item in pack.rules.actions}.get(ab.action)
    if action is None:
        return list(ab.products)
    awaited = Counter(str(product_keys(rule, ab.keys)["PRO.CATG"]) for rule in action.products)
    found = []
    for product in ab.products:
        if awaited[product.pro_catg]:
            awaited[product.pro_catg] -= 1
            found.append(product)
    return found


def positions(
    pack: InstrumentPack, ab: AssociationBlock, result: RecipeResult
) -> dict[int, tuple[Path, str]]:
    """Give the products that are predicted, or that the pack has a name for, their positions.

    Those of a category take its positions in turn, also such as an earlier run gave it; what is left gets new ones.
    """
    rows: dict[str, list[int]] = {}
    for product in ab.products:
        rows.setdefault(product.pro_catg, []).append(product.position)
    awaited = Counter(product.pro_catg for product in predicted(pack, ab))
    used = {product.position for product in ab.products}
    new = (position for position in count() if position not in used)
    found: dict[int, tuple[Path, str]] = {}
    for path, category in sorted(result.products, key=lambda item: (item[1], item[0].name)):
        if path.is_file() and (awaited[category] > 0 or category in pack.names):
            own = rows.get(category)
            found[own.pop(0) if own else next(new)] = path, category
            awaited[category] -= 1
    return found


@dataclass(frozen=True)
class ProductFacts:
    """What the database is told of a product; `path` is where it is."""

    position: int
    category: str
    path: Path
    sha256: str
    data_hash: str
    keys: dict[str, Value]


def examine(ab: AssociationBlock, position: int, category: str, path: Path) -> ProductFacts:
    """Read a product that a recipe wrote.

    Raises
    ------
    FrameError
        It can't be read, is cut short, or says of itself that it is something else.
    """
    scanner = Scanner()
    header = HeaderReader(scanner).read(path)
    if header.is_truncated:
        raise FrameError(path.name, "the recipe wrote a product that is cut short")
    own = header.keys.get("PRO.CATG")
    if own != category:
        said = "has no PRO.CATG" if own is None else f"has PRO.CATG {own}"
        raise FrameError(path.name, f"the recipe lists it as {category}, but its header {said}")
    keys = {**ab.keys, **header.keys}
    return ProductFacts(position, category, path, sha256(path), data_hash(path, scanner), keys)


def tell(ab: AssociationBlock, facts: ProductFacts) -> None:
    """Write what was read of a product into its row; one that the rules did not predict gets a row."""
    product = next((item for item in ab.products if item.position == facts.position), None)
    if product is None:
        product = Product(instrument=ab.instrument, position=facts.position, mjd_obs=ab.mjd_obs)
        ab.products.append(product)
    product.pro_catg, product.pipefile, product.path = facts.category, facts.path.name, str(facts.path)
    product.location, product.sha256, product.data_hash = "product", facts.sha256, facts.data_hash
    product.keys = facts.keys


def remove_others(area: Path, prod_root: str, kept: Collection[Path]) -> None:
    """Remove the products of an AB that are not of its last run, also those of a run that was killed.

    That is before the database is told: a kill in between leaves the AB to be processed again.
    """
    numbered = re.compile(re.escape(prod_root) + r"_\d{4,}\.fits")
    for path in area.iterdir():
        if numbered.fullmatch(path.name) and path not in kept:
            try:
                path.unlink(missing_ok=True)
            except OSError as err:
                raise write_error(path, err) from err


def forget_others(session: Session, ab: AssociationBlock, made: Collection[int]) -> None:
    """Forget the products at positions that the last run has not made.

    The row of one that another AB counts on, or has used, stays: it is purged.
    """
    others = [product for product in ab.products if product.position not in made]
    ids = [product.id for product in others]
    if not ids:
        return
    wanted = select(ABCalibration.product_id).where(ABCalibration.product_id.in_(ids))
    used = select(RunFile.product_id).where(RunFile.product_id.in_(ids), ~RunFile.is_output)
    referred = set(session.scalars(wanted.union(used)))
    for product in others:
        if product.id in referred:
            product.location, product.path = "purged", None
        else:
            ab.products.remove(product)
