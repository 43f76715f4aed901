"""Where a product comes from, and what was made with a file: the runs of recipes, followed back and forth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from sqlalchemy import null, or_, select
from sqlalchemy.orm import Session, selectinload

from qcbench.core.errors import NotFoundError
from qcbench.store import (
    ABCalibration,
    ABInput,
    AssociationBlock,
    Frame,
    Product,
    RecipeRun,
    RunFile,
)

_LOADED = (
    selectinload(RecipeRun.ab),
    selectinload(RecipeRun.files).selectinload(RunFile.frame),
    selectinload(RecipeRun.files).selectinload(RunFile.product).selectinload(Product.ab),
)


@dataclass(frozen=True)
class Origin:
    """A file in the history of a product.

    Attributes
    ----------
    kind : str
        raw, product, or general (a calibration that no AB makes).
    name, tag : str
        Its name now (that of then, if it is gone), and what it was to the run that used it.
    state : str
        What has become of the AB that made it; of a general calibration and of a raw frame nothing.
    run : RecipeRun, optional
        The run that made it as it was used; None for a raw frame, a general calibration, and for a product of which
        no run is known.
    origins : tuple of Origin
        What went into that run.
    changed : bool
        It was made anew since: what is there now is not what was used.
    """

    kind: str
    name: str
    tag: str
    sha256: str | None
    data_hash: str | None
    state: str = ""
    run: RecipeRun | None = None
    origins: tuple[Origin, ...] = ()
    changed: bool = False

    @property
    def version(self) -> str | None:
        """The hash that tells one content of a file from another."""
        return _version(self.sha256, self.data_hash)

    def walk(self) -> Iterator[Origin]:
        """Give this one and all before it, each content of a file once, nearest first."""
        seen: set[tuple[str, str | None]] = set()
        waiting = [self]
        while waiting:
            now = waiting.pop(0)
            if (now.name, now.version) not in seen:
                seen.add((now.name, now.version))
                yield now
                waiting += now.origins


def _version(sha256: str | None, data_hash: str | None) -> str | None:
    """Return the hash of the data, which no name in a header changes; else that of the file."""
    return data_hash or sha256


@dataclass(frozen=True)
class Use:
    """An AB that used a file, or is to use it, and what it makes.

    `depth` is 1 for what uses the file itself; `via` is the file that it uses. `times` counts its runs that did.
    """

    ab: AssociationBlock
    depth: int
    via: str
    times: int
    products: tuple[str, ...] = field(default=())


def find_file(session: Session, name: str) -> Product | Frame:
    """Find a product or raw frame by a name that it has, or by a path.

    Raises
    ------
    NotFoundError
        Neither has that name.
    """
    plain = PurePath(name).name
    stem = plain.removesuffix(".fits")
    wanted = or_(
        Product.pipefile.in_((plain, f"{stem}.fits")),
        Product.final_name.in_((plain, f"{stem}.fits")),
        Product.dp_id.in_((plain, stem)),
    )
    product = session.scalars(select(Product).where(wanted)).first()
    if product is not None:
        return product
    frame = session.scalars(select(Frame).where(Frame.arcfile.in_((plain, f"{stem}.fits")))).first()
    if frame is None:
        raise NotFoundError(
            f"{plain}: no product and no raw frame of this workbench has that name. Give a name as "
            "get-status-ab, extract-ab or the archive shows it"
        )
    return frame


def lineage(session: Session, product: Product) -> Origin:
    """Follow a product back to its raw frames."""
    return _Tracer(session).origin_of(product, product.pro_catg, product.sha256, product.data_hash)


class _Tracer:
    """Follows products back; each run is read once."""

    def __init__(self, session: Session):
        self._session = session
        self._known: dict[tuple[int, str | None], Origin] = {}

    def origin_of(self, product: Product, tag: str, sha256: str | None, data_hash: str | None) -> Origin:
        key = product.id, _version(sha256, data_hash)
        if key not in self._known:
            # while it is followed it counts as without origin: nothing can be made of itself
            self._known[key] = self._plain(product, tag, sha256, data_hash)
            self._known[key] = self._followed(product, tag, sha256, data_hash)
        return self._known[key]

    def _plain(self, product: Product, tag: str, sha256: str | None, data_hash: str | None) -> Origin:
        return Origin(
            kind="product" if product.ab else "general",
            name=product.file_name,
            tag=tag,
            sha256=sha256,
            data_hash=data_hash,
            state=product.ab.state if product.ab else "",
            changed=_version(product.sha256, product.data_hash) != _version(sha256, data_hash),
        )

    def _followed(self, product: Product, tag: str, sha256: str | None, data_hash: str | None) -> Origin:
        plain = self._plain(product, tag, sha256, data_hash)
        run = self._maker(product, data_hash)
        if run is None:
            return plain
        origins = tuple(self._input(item) for item in run.inputs)
        return Origin(**{**vars(plain), "run": run, "origins": origins})

    def _maker(self, product: Product, data_hash: str | None) -> RecipeRun | None:
        """Return the run that made a product with these data, the latest one."""
        if product.ab_id is None or data_hash is None:
            return None
        query = (
            select(RecipeRun)
            .join(RunFile)
            .where(RunFile.is_output, RunFile.product_id == product.id, RunFile.data_hash == data_hash)
            .order_by(RecipeRun.id.desc())
            .options(*_LOADED)
        )
        return self._session.scalars(query).first()

    def _input(self, item: RunFile) -> Origin:
        if item.product is not None:
            return self.origin_of(item.product, item.tag, item.sha256, item.data_hash)
        name = item.frame.arcfile if item.frame else item.name
        return Origin("raw", name, item.tag, item.sha256, item.data_hash)


def uses(session: Session, files: Iterable[Product | Frame]) -> list[Use]:
    """Return the ABs that used some files, directly or through what was made with them, nearest first.

    ABs that have not been processed yet, but count on them, are among them.
    """
    found: dict[int, Use] = {}
    own = list(files)
    # what made one of the files is no user of it, even where two files of one AB are asked for
    makers = {file.ab_id for file in own if isinstance(file, Product)}
    names = {(type(file), file.id): _name(file) for file in own}
    depth = 0
    while names:
        depth += 1
        users = _users(session, names)
        new = users.keys() - found.keys() - makers
        names = {}
        query = (
            select(AssociationBlock)
            .where(AssociationBlock.id.in_(new))
            .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
            .options(selectinload(AssociationBlock.products))
        )
        for ab in session.scalars(query):
            via, times = users[ab.id]
            found[ab.id] = Use(ab, depth, via, times, tuple(map(_name, ab.products)))
            names |= {(Product, product.id): _name(product) for product in ab.products}
    return list(found.values())


def _name(file: Product | Frame) -> str:
    return file.file_name if isinstance(file, Product) else file.arcfile


def _users(session: Session, names: Mapping[tuple[type, int], str]) -> dict[int, tuple[str, int]]:
    """Return for each AB that used, or is to use, one of the files, its name and in how many runs it did."""
    products = [number for kind, number in names if kind is Product]
    frames = [number for kind, number in names if kind is Frame]
    ran = (
        select(RecipeRun.ab_id, RunFile.product_id, RunFile.frame_id).join(RunFile).where(~RunFile.is_output)
    )
    counts_on_product = (
        select(ABCalibration.ab_id, ABCalibration.product_id, null())
        .where(ABCalibration.product_id.in_(products), ABCalibration.role == "MCALIB")
        .order_by(ABCalibration.id)
    )
    counts_on_frame = (
        select(ABInput.ab_id, null(), ABInput.frame_id)
        .where(ABInput.frame_id.in_(frames), ABInput.role != "RASSOC")
        .order_by(ABInput.id)
    )
    found: dict[int, tuple[str, int]] = {}
    for times, query in (
        (1, ran.where(RunFile.product_id.in_(products)).order_by(RunFile.id)),
        (1, ran.where(RunFile.frame_id.in_(frames)).order_by(RunFile.id)),
        (0, counts_on_product),
        (0, counts_on_frame),
    ):
        for ab_id, product_id, frame_id in session.execute(query):
            used = (Product, product_id) if product_id is not None else (Frame, frame_id or 0)
            via, before = found.get(ab_id, (names[used], 0))
            found[ab_id] = via, before + times
    return found
