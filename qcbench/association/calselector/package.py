"""A package for an archive user: the files of an answer, the tree, a download list, and what is what.

A second call copies only what is missing or differs. A file that can't be had is named, and the rest goes on.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyUserWarning
from sqlalchemy import or_, select

from qcbench.archive import fetch_product, fetch_raw
from qcbench.association.calselector.service import Answer
from qcbench.association.calselector.tree import AssociationTree, Download, download_text, dp_id_of, gather
from qcbench.association.calselector.xml_form import print_tree
from qcbench.core.errors import ArchiveError, BusyError, FrameError
from qcbench.core.files import TMP_PREFIX, copy_file, make_folder, sha256, write_text
from qcbench.core.locks import exclusive
from qcbench.core.paths import safe_name
from qcbench.core.progress import progress_bar
from qcbench.fits import read_header
from qcbench.store import Frame, Product
from qcbench.workbench import Workbench

README, LIST = "README.txt", "download_list.txt"
_CHUNK = 500
_FOLDERS = re.compile(r"(?<![^\s('\"])/(?:[^/\s]+/)*")
# what a killed call leaves of a file that it was writing
_LEFTOVER = re.compile(
    rf"{re.escape(TMP_PREFIX)}(.+\.fits|.+_raw2(raw|master)\.xml|{README}|{LIST})-[0-9a-f]{{8}}"
)


@dataclass(frozen=True)
class Package:
    """What came of a package.

    Attributes
    ----------
    copied, kept : tuple of str
        Files that this call put there, and those that were there already.
    missing : tuple of (name, reason)
        Files that can't be had.
    """

    folder: Path
    tree: Path
    copied: tuple[str, ...]
    kept: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]


def make_package(bench: Workbench, answer: Answer, folder: Path) -> Package:
    """Gather the files of an answer in a folder.

    Raises
    ------
    FileWriteError
        The folder can't be written.
    BusyError
        Another process fills the same folder.
    """
    make_folder(folder)
    _remove_dead_fetches(bench)
    name = f"package-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}"
    remedy = f"It fills the same folder, {folder}: wait until it has ended, then call again"
    with exclusive(bench.tree.locks, name, remedy=remedy):
        _remove_leftovers(folder)
        source = _Source(bench, _places(bench) / name)
        try:
            return _fill(source, answer, folder)
        finally:
            shutil.rmtree(source.place, ignore_errors=True)


@dataclass(frozen=True)
class _Source:
    """Where files come from.

    Attributes
    ----------
    place : Path
        Folder of the workbench for what comes from the archive: an archive on this machine may give a link to its own
        file, which has no place in the folder of a user.
    """

    bench: Workbench
    place: Path


def _places(bench: Workbench) -> Path:
    # not among the working folders of recipes, which auto-daily clears
    return bench.tree.root / "packages"


def _remove_dead_fetches(bench: Workbench) -> None:
    """Remove what killed calls fetched from the archive; the lock of a call goes with it."""
    for place in _places(bench).glob("package-*"):
        with suppress(BusyError), exclusive(bench.tree.locks, place.name):
            shutil.rmtree(place, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed call left in the folder of a user, and nothing else."""
    for path in folder.iterdir():
        if _LEFTOVER.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def _fill(source: _Source, answer: Answer, folder: Path) -> Package:
    wanted = gather(answer.tree)
    frames, products = _known(source.bench, answer.rules.instrument, [item.dp_id for item in wanted])
    copied: list[str] = []
    kept: list[str] = []
    missing: list[tuple[str, str]] = []
    with progress_bar(len(wanted), "gather files") as step:
        for item in wanted:
            try:
                is_new = _put(source, folder, item.dp_id, frames.get(item.dp_id), products.get(item.dp_id))
                (copied if is_new else kept).append(item.dp_id)
            except ArchiveError as err:
                missing.append((item.dp_id, str(err)))
            step(item.dp_id)
    tree = write_text(folder / tree_name(answer), print_tree(answer.tree))
    write_text(folder / LIST, download_text(wanted))
    told = [(name, _without_folders(source.bench, why)) for name, why in missing]
    write_text(folder / README, _readme(answer, wanted, told))
    return Package(folder, tree, tuple(copied), tuple(kept), tuple(missing))


def _without_folders(bench: Workbench, text: str) -> str:
    """Leave only names of the paths in a text: where the archive lies is nothing to its user."""
    for folder in (bench.settings.archive_path, bench.settings.root):
        text = text.replace(str(folder), "")
    return _FOLDERS.sub("", text)


def tree_name(answer: Answer) -> str:
    """Return the name of the XML file of an answer, as the archive's service names it."""
    return safe_name(f"{dp_id_of(answer.arcfile).replace(':', '_')}_{answer.mode}.xml")


def _known(
    bench: Workbench, instrument: str, names: Sequence[str]
) -> tuple[Mapping[str, Frame], Mapping[str, Product]]:
    """Return the frames and products of some names in the archive."""
    frames: dict[str, Frame] = {}
    products: dict[str, Product] = {}
    with bench.store.read() as session:
        for first in range(0, len(names), _CHUNK):
            chunk = names[first : first + _CHUNK]
            files = [f"{name}.fits" for name in chunk]
            for frame in session.scalars(select(Frame).where(Frame.arcfile.in_(files))):
                frames[dp_id_of(frame.arcfile)] = frame
            query = select(Product).where(
                Product.instrument == instrument,
                or_(Product.dp_id.in_(chunk), Product.final_name.in_(files), Product.pipefile.in_(files)),
            )
            for product in session.scalars(query):
                products[dp_id_of(product.dp_id or product.file_name)] = product
    return frames, products


def _put(source: _Source, folder: Path, name: str, frame: Frame | None, product: Product | None) -> bool:
    """Put a file into the folder unless it is there as it should be; tell whether it was put."""
    target = folder / f"{safe_name(name)}.fits"
    if frame is not None:
        return _put_frame(source, target, frame)
    if product is not None:
        return _put_product(source, target, product)
    raise ArchiveError("the database does not know it")


def _put_frame(source: _Source, target: Path, frame: Frame) -> bool:
    if _difference(target, frame) is None and not _has_wrong_sum(target):
        return False
    local = source.bench.data(frame.instrument).raw(frame.dfo_date) / safe_name(frame.arcfile)
    if _difference(local, frame) is None:
        return _copy_unless_same(local, target)
    with _fetching(source, target) as fetched:
        fetch_raw(source.bench.archive, frame.uri, fetched)
        if problem := _difference(fetched, frame):
            raise ArchiveError(f"what the archive gives is not what was loaded: {problem}")
        return _copy_unless_same(fetched, target)


def _copy_unless_same(origin: Path, target: Path) -> bool:
    # the sum of a frame may be wrong in the archive, too
    if (
        target.is_file()
        and target.stat().st_size == origin.stat().st_size
        and sha256(target) == sha256(origin)
    ):
        return False
    copy_file(origin, target)
    return True


def _has_wrong_sum(path: Path) -> bool:
    """Tell whether the data of an HDU are not those of its DATASUM; where there is none, they can't be told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)
        try:
            with fits.open(path, disable_image_compression=True) as hdus:
                return any(hdu.verify_datasum() == 0 for hdu in hdus)
        except (OSError, ValueError, TypeError, KeyError, VerifyError):
            return True


@contextmanager
def _fetching(source: _Source, target: Path) -> Iterator[Path]:
    """Give the path for a file from the archive, which goes when it was copied."""
    fetched = source.place / target.name
    with _reasons():
        try:
            yield fetched
        finally:
            fetched.unlink(missing_ok=True)


def _difference(path: Path, frame: Frame) -> str | None:
    """Say how a file differs from a frame as it was loaded; None if size and header are the same."""
    if not path.is_file():
        return "it is not there"
    size = path.stat().st_size
    if size != frame.size:
        return f"{size} bytes instead of {frame.size}"
    try:
        return None if read_header(path).sha256 == frame.header_sha256 else "its header is another one"
    except FrameError as err:
        return err.problem


def _put_product(source: _Source, target: Path, product: Product) -> bool:
    local = Path(product.path) if product.path and Path(product.path).is_file() else None
    with _reasons():
        found = sha256(local) if local else None
        wanted = product.sha256 or found
        if wanted and target.is_file() and sha256(target) == wanted:
            return False
        if local and found == wanted:
            copy_file(local, target)
        elif product.dp_id and wanted:
            _fetch_product(source, target, product.dp_id, wanted)
        elif local:
            raise ArchiveError(f"{local}: its content is not what the database says (SHA-256)")
        else:
            raise ArchiveError(
                f"{product.file_name}: there is no file of it in the data tree ({product.location})"
            )
    return True


def _fetch_product(source: _Source, target: Path, dp_id: str, wanted: str) -> None:
    """Get from the archive what is no longer, or not as it was, in the data tree."""
    with _fetching(source, target) as fetched:
        fetch_product(source.bench.archive, dp_id, fetched, wanted)
        copy_file(fetched, target)


@contextmanager
def _reasons() -> Iterator[None]:
    """Turn what keeps a file from being read into the reason why it can't be had."""
    try:
        yield
    except OSError as err:
        raise ArchiveError(f"can't be read: {err}") from err


def _readme(answer: Answer, wanted: Sequence[Download], missing: Sequence[tuple[str, str]]) -> str:
    """Return the text for the archive user."""
    rules, tree = answer.rules, answer.tree
    until = f"to {rules.in_force_to}" if rules.in_force_to else "on"
    lines = [
        f"Calibrations for {dp_id_of(answer.arcfile)}",
        "",
        f"The frame is of type {tree.category} and was taken in the night of {answer.date} (DFO date).",
        f"The calibrations are those of {rules.name}, which is in force from {rules.valid_from} {until}",
        f"(SHA-256 of the rules: {rules.sha256}), in the mode {answer.mode}.",
        _state(tree),
        "",
        "What is here",
        f"  {tree_name(answer)}: which file calibrates which, as XML",
        f"  {LIST}: the names of all files in the archive, one a line",
        *(f"  {text}" for text in _contents(wanted, missing)),
        "",
        "How to read the XML",
        "  mainFiles are the files of an association; associatedFiles are the associations of what these need.",
        '  match="calib_plan": within the calibration plan; "extended": further away, but within the limits of the',
        '  rules; "N/A": without validity in time, such as a general calibration.',
        '  complete="true": all that is required is there. certified="true": all of it was certified.',
    ]
    messages = list(dict.fromkeys(text for _, one in tree.walk() for text in one.messages))
    if messages:
        lines += ["", "What the service says", *(f"  {text}" for text in messages)]
    if missing:
        lines += ["", "What is missing", *(f"  {name}: {why}" for name, why in missing)]
        lines += ["  Ask for the package again, into the same folder: only what is missing is copied."]
    return "\n".join(lines) + "\n"


def _state(tree: AssociationTree) -> str:
    complete = (
        "is complete" if tree.complete else "is NOT complete: calibrations that are required are missing"
    )
    certified = "all of it is certified" if tree.certified else "not all of it is certified"
    return f"The cascade {complete}; {certified}."


def _contents(wanted: Sequence[Download], missing: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Give a line for each category of files."""
    absent = {name for name, _ in missing}
    for category in dict.fromkeys(item.category for item in wanted):
        names = [item.dp_id for item in wanted if item.category == category and item.dp_id not in absent]
        if names:
            shown = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
            yield f"{len(names)} x {category}: {shown}"
