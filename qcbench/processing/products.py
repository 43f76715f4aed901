"""What a recipe wrote: which product is which, and what the database is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qcbench.core.errors import FrameError
from qcbench.core.files import sha256
from qcbench.fits import HeaderReader, Scanner, Value, data_hash
from qcbench.processing.engines import RecipeResult
from qcbench.store import AssociationBlock, Product
from qcbench.workbench import Workbench


def positions(bench: Workbench, ab: AssociationBlock, result: RecipeResult) -> dict[int, tuple[Path, str]]:
    """Give the products that the pack has a name for their positions: those that the rules predict come first."""
    names = bench.pack(ab.instrument).names
    expected = {product.pro_catg: product.position for product in reversed(ab.products)}
    found: dict[int, tuple[Path, str]] = {}
    extra = []
    for path, category in sorted(result.products, key=lambda item: (item[1], item[0].name)):
        if category in expected:
            found[expected.pop(category)] = path, category
        elif category in names and path.is_file():
            extra.append((path, category))
    return found | dict(enumerate(extra, len(ab.products)))


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
        It can't be read, or is cut short.
    """
    scanner = Scanner()
    header = HeaderReader(scanner).read(path)
    if header.is_truncated:
        raise FrameError(path.name, "the recipe wrote a product that is cut short")
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
