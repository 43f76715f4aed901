"""verifyAB: do the science ABs say the same as calSelector?

Compared are the names of raw files (RAWFILE and RASSOC) and of calibrations (MCALIB and MASSOC), the validity of each
calibration, and whether all that is required is there. The answer is that of our own service, or one of the archive's
that was kept as a file. Differences show where the rules of the pack and those of calSelector have come apart.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 5.5.6 and 5.7.4.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from qcbench.association.calselector import (
    CALIB_PLAN,
    NOT_APPLICABLE,
    AssociationTree,
    CalSelector,
    Difference,
    Mode,
    NameSets,
    TreeError,
    compare_names,
    diff_text,
    dp_id_of,
    find_frame,
    read_tree,
    rules_on,
)
from qcbench.association.calselector.answering import match_of
from qcbench.association.calselector.compare import VALIDITY
from qcbench.association.calselector.service import MODES
from qcbench.association.calselector.tree import EXTENDED, worse_match
from qcbench.core.errors import NotFoundError
from qcbench.core.files import write_text
from qcbench.core.paths import safe_name
from qcbench.core.progress import progress_bar
from qcbench.oca import Need, cascade_of
from qcbench.store import ABCalibration, ABInput, AssociationBlock, Product, record_lasting
from qcbench.workbench import Workbench

TOOL = "verify-ab"
RAWFILE = "RAWFILE"
VERIFIED = "sci_Verified"
COMPLETENESS = "completeness"


@dataclass(frozen=True)
class Verified:
    """An AB and how it compares.

    Attributes
    ----------
    source : str
        What it was compared with; empty if there is no answer.
    differences : tuple of Difference
        Ours is the AB, theirs the answer.
    problem : str
        Why it was not compared; empty if it was.
    """

    ab: str
    source: str
    differences: tuple[Difference, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class VerifyResult:
    """The ABs of a date with their differences, and the file that lists these.

    Attributes
    ----------
    unreadable : tuple of (str, str)
        Files of answers that could not be compared, and why.
    """

    date: dt.date
    abs: tuple[Verified, ...]
    diff: Path | None
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def n_different(self) -> int:
        """How many ABs have differences."""
        return sum(bool(item.differences) for item in self.abs)

    @property
    def n_not_compared(self) -> int:
        """How many ABs were not compared."""
        return sum(bool(item.problem) for item in self.abs)


@dataclass(frozen=True)
class _Ours:
    """What an AB says, in the words of an answer.

    Attributes
    ----------
    matches : mapping of str to str
        Name of a file in the archive, and how it matches.
    """

    names: NameSets
    matches: Mapping[str, str]
    complete: bool


def verify_abs(
    bench: Workbench,
    instrument: str,
    date: dt.date,
    mode: Mode = "raw2master",
    *,
    answers: Path | None = None,
) -> VerifyResult:
    """Compare the science ABs of a date with calSelector.

    Parameters
    ----------
    answers : Path, optional
        A folder with XML files of the archive's service, or one such file; by default our own service is asked.
        A file of the folder that can't be read is named in the result, and the others are compared.

    Raises
    ------
    NotFoundError
        No calSelector rules are in force on the date.
    TreeError
        The one file of an answer can't be read.
    """
    return _verify(bench, instrument, date, _science(bench, instrument, date), mode, answers)


def verify_frame(
    bench: Workbench, name: str, mode: Mode = "raw2master", *, answers: Path | None = None
) -> VerifyResult:
    """Compare the science AB of a frame with calSelector.

    Raises
    ------
    NotFoundError
        There is no such frame, it is in no science AB, or no calSelector rules are in force on its date.
    TreeError
        The one file of an answer can't be read.
    """
    frame = find_frame(bench, name)
    # an AB has the date of its first frame
    for date in (frame.dfo_date, frame.dfo_date - dt.timedelta(days=1)):
        blocks = [ab for ab in _science(bench, frame.instrument, date) if frame.arcfile in _files(ab)]
        if blocks:
            return _verify(bench, frame.instrument, date, blocks, mode, answers, whole=False)
    if frame.dpr_catg != "SCIENCE":
        raise NotFoundError(f"{frame.arcfile} is a {frame.dpr_catg} frame: only ABs of science are verified")
    raise NotFoundError(
        f"{frame.arcfile} is in no science AB. Create them: qcbench create-ab -d {frame.dfo_date} -m SCIENCE"
    )


def _verify(
    bench: Workbench,
    instrument: str,
    date: dt.date,
    blocks: Sequence[AssociationBlock],
    mode: Mode,
    answers: Path | None,
    *,
    whole: bool = True,
) -> VerifyResult:
    if answers is None and blocks:
        with bench.store.read() as session:
            rules_on(session, instrument, date)
    found: list[Verified] = []
    files = _Files(answers, mode) if answers else None
    service = CalSelector(bench)
    with progress_bar(len(blocks), f"verify {instrument} {date}") as step:
        for ab in blocks:
            found.append(_verify_one(bench, ab, mode, service, files))
            step(ab.name)
    result = VerifyResult(date, tuple(found), None, files.unreadable if files else ())
    if not (blocks and whole):
        return result
    path = bench.data(instrument).logs(date) / safe_name(f"verify_{instrument}_{date}_{mode}.diff")
    write_text(path, _text(result))
    if not result.n_not_compared:
        text = f"{mode}: {len(found)} science ABs compared with calSelector, {result.n_different} with differences"
        with bench.store.write() as session:
            record_lasting(session, TOOL, VERIFIED, text, instrument=instrument, date=date, level="info")
    return replace(result, diff=path)


def _verify_one(
    bench: Workbench, ab: AssociationBlock, mode: Mode, service: CalSelector, files: _Files | None
) -> Verified:
    if files is not None:
        source, tree = files.find(_files(ab))
        if tree is None:
            problem = f"there is no {mode} answer for it in {source}"
            if files.unreadable:
                problem += ", unless it is one of those that can't be read"
            return Verified(ab.name, "", problem=problem)
    else:
        try:
            answer = service.answer(_files(ab)[0], mode)
        except NotFoundError as err:
            return Verified(ab.name, "", problem=str(err))
        source, tree = answer.rules.name, answer.tree
    with bench.store.read() as session:
        ours = _raw_ours(bench, session, ab) if mode == "raw2raw" else _ours(bench, ab)
        theirs = _theirs(session, tree, ours)
    differences = (*compare_names(ours.names, theirs), *_validity(ours, tree), *_completeness(ours, tree))
    return Verified(ab.name, source, differences)


class _Files:
    """Answers of the archive's service, kept as files; their names hold ARCFILE."""

    def __init__(self, place: Path, mode: Mode):
        self._place = place
        self._trees: list[tuple[Path, AssociationTree]] = []
        unreadable = []
        for path in sorted(place.rglob("*.xml")) if place.is_dir() else [place]:
            try:
                tree = read_tree(path)
            except TreeError as err:
                if path == place:
                    raise
                unreadable.append((str(path), str(err)))
            else:
                if tree.mode in (None, MODES[mode]):
                    self._trees.append((path, tree))
        self.unreadable = tuple(unreadable)

    def find(self, files: Sequence[str]) -> tuple[str, AssociationTree | None]:
        """Return the answer for any of some files, and where it is."""
        wanted = {dp_id_of(file) for file in files}
        for path, tree in self._trees:
            if wanted & {dp_id_of(entry.name) for entry in tree.main_files}:
                return str(path), tree
        return str(self._place), None


def _science(bench: Workbench, instrument: str, date: dt.date) -> list[AssociationBlock]:
    query = (
        select(AssociationBlock)
        .where(
            AssociationBlock.instrument == instrument,
            AssociationBlock.dfo_date == date,
            AssociationBlock.mode == "SCIENCE",
        )
        .options(
            selectinload(AssociationBlock.inputs).selectinload(ABInput.frame),
            selectinload(AssociationBlock.calibrations).selectinload(ABCalibration.product),
        )
        .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
    )
    with bench.store.read() as session:
        return list(session.scalars(query))


def _files(ab: AssociationBlock) -> list[str]:
    return [item.frame.arcfile for item in ab.inputs if item.role == RAWFILE]


def _name_of(product: Product) -> str:
    return dp_id_of(product.dp_id or product.file_name)


@dataclass(frozen=True)
class _Matching:
    """Says how what an AB was associated with matches: under the rules of the pack, of which the AB keeps the tag."""

    needs: tuple[Need, ...]

    @classmethod
    def of_block(cls, bench: Workbench, ab: AssociationBlock) -> _Matching:
        return cls(cascade_of(bench.pack(ab.instrument).rules).needs_of(ab.action))

    def __call__(self, item: ABCalibration | ABInput) -> str:
        if item.dt_days is None:
            return NOT_APPLICABLE
        found = [need.validity for need in self.needs if need.association.tag == item.tag]
        matches = [match_of(rule, item.level) for rule in found if item.dt_days in rule.extended]
        # a rule that has changed since is no reason to pass over the calibration
        return reduce(worse_match, matches) if matches else CALIB_PLAN if item.level == 0 else EXTENDED


def _matches(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the match of each name; as in an answer, what is taken twice has the worse one."""
    found: dict[str, str] = {}
    for name, match in pairs:
        found[name] = worse_match(found.get(name, match), match)
    return found


def _ours(bench: Workbench, ab: AssociationBlock) -> _Ours:
    """Return what an AB says; its calibrations are masters."""
    matching = _Matching.of_block(bench, ab)
    raw = frozenset(dp_id_of(item.frame.arcfile) for item in ab.inputs)
    masters = [(_name_of(item.product), matching(item)) for item in ab.calibrations]
    names = NameSets(raw, frozenset(name for name, _ in masters))
    return _Ours(names, _matches([*masters, *_raw_matches(ab, matching)]), ab.completeness == "COMPLETE")


def _raw_ours(bench: Workbench, session: Session, ab: AssociationBlock) -> _Ours:
    """Return what an AB says with the raw frames of each master in its place; general calibrations stay."""
    matching = _Matching.of_block(bench, ab)
    raw, general = {dp_id_of(item.frame.arcfile) for item in ab.inputs}, set()
    matches = _raw_matches(ab, matching)
    for item in ab.calibrations:
        if item.product.ab_id is None:
            name = _name_of(item.product)
            general.add(name)
            matches.append((name, matching(item)))
            continue
        query = select(ABInput).where(ABInput.ab_id == item.product.ab_id, ABInput.role == RAWFILE)
        for made_of in session.scalars(query.options(selectinload(ABInput.frame))):
            frame = dp_id_of(made_of.frame.arcfile)
            raw.add(frame)
            matches.append((frame, matching(item)))
    return _Ours(
        NameSets(frozenset(raw), frozenset(general)), _matches(matches), ab.completeness == "COMPLETE"
    )


def _raw_matches(ab: AssociationBlock, matching: _Matching) -> list[tuple[str, str]]:
    return [(dp_id_of(item.frame.arcfile), matching(item)) for item in ab.inputs if item.role != RAWFILE]


def _theirs(session: Session, tree: AssociationTree, ours: _Ours) -> NameSets:
    """Return the names of an answer; a master that is not in the archive yet is known by its final name."""
    names = NameSets.of_tree(tree)
    unknown = sorted(names.raw - ours.names.raw)
    files = [f"{name}.fits" for name in unknown]
    query = select(Product).where(Product.final_name.in_(files) | Product.pipefile.in_(files))
    masters = {_name_of(product) for product in session.scalars(query)} & set(unknown)
    return NameSets(names.raw - masters, names.calibrations | masters)


def _validity(ours: _Ours, tree: AssociationTree) -> Iterator[Difference]:
    """Give the calibrations that both have, and whose validity is not the same."""
    taken = [
        (dp_id_of(entry.name), child) for child in tree.children if child.match for entry in child.main_files
    ]
    theirs = _matches((name, str(child.match)) for name, child in taken)
    categories = {name: child.category for name, child in reversed(taken)}
    for name, wanted in theirs.items():
        have = ours.matches.get(name)
        if have is not None and have != wanted:
            text = f"{name} is {have} in the AB, {wanted} in the answer"
            yield Difference(VALIDITY, (tree.category, categories[name]), have, wanted, text)


def _completeness(ours: _Ours, tree: AssociationTree) -> Iterable[Difference]:
    if ours.complete == tree.complete:
        return ()
    have, wanted = (str(value).lower() for value in (ours.complete, tree.complete))
    text = f"complete is {have} for the AB, {wanted} in the answer"
    return (Difference(COMPLETENESS, (tree.category,), have, wanted, text),)


def _text(result: VerifyResult) -> str:
    """Return the DIFF file of a date: the ABs, and what is different."""
    parts = [f"# an answer could not be compared: {' '.join(why.split())}\n" for _, why in result.unreadable]
    for item in result.abs:
        parts.append(f"# {item.ab}: " + (item.problem or f"compared with {item.source}") + "\n")
        if not item.problem:
            parts.append(diff_text(item.differences))
    return "".join(parts)
