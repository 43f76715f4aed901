"""The answer of calSelector: what a group of raw frames needs, what this needs in turn, and so on.

Which of several candidates is taken is decided as everywhere in qcbench: level, tier, distance in time, name; the
instrument's breakpoints hold. Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.7.4; what the
attributes of the tree mean is our reading of a real answer, see docs/user-guide/calselector.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select

from qcbench.association.associating import RAWFILE
from qcbench.association.calselector.groups import RawGroup
from qcbench.association.calselector.supply import Dataset, Offers, Supply
from qcbench.association.calselector.tree import (
    CALIB_PLAN,
    EXTENDED,
    NOT_APPLICABLE,
    AssociationTree,
    FileEntry,
    dp_id_of,
    worse_match,
)
from qcbench.association.candidates import Candidates, Span, read_frames
from qcbench.instruments import InstrumentPack
from qcbench.oca import Association, CandidatePool, Cascade, Keys, Match, Validity, cascade_of
from qcbench.store import ABInput, ABState, AssociationBlock, Frame
from qcbench.workbench import Workbench

RAW2RAW, RAW2MASTER = "Raw2Raw", "Raw2Master"
_CERTIFIED = frozenset({ABState.CERTIFIED, ABState.MOVED, ABState.RENAMED, ABState.INGESTED})


@dataclass(frozen=True)
class _Asking:
    """A group that needs calibrations: that of the frame in question, or a data set."""

    name: str
    action: str
    raw_type: str
    time: float
    keys: Keys
    files: frozenset[str]

    @classmethod
    def of_group(cls, made: RawGroup) -> _Asking:
        files = frozenset(frame.arcfile for frame in made.frames)
        return cls(made.name, made.action, made.raw_type, made.time, made.keys, files)

    @classmethod
    def of_dataset(cls, made: Dataset) -> _Asking:
        files = frozenset(file for file, _ in made.frames)
        return cls(made.name, made.action, made.raw_type, made.time, made.keys, files)


@dataclass
class _Needs:
    """What was found for a group: one association for each thing that is taken, however many rules ask for it."""

    found: dict[str, tuple[AssociationTree, bool]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    is_short: bool = False

    def add(self, name: str, tree: AssociationTree, *, required: bool) -> None:
        """Add an association; what is taken twice has the match of the rule that it fits worse."""
        before, was_required = self.found.get(name, (tree, False))
        match = worse_match(str(before.match), str(tree.match))
        self.found[name] = replace(before, match=match), required or was_required

    @property
    def children(self) -> tuple[AssociationTree, ...]:
        """The associations, in the order of the rules."""
        return tuple(tree for tree, _ in self.found.values())

    @property
    def complete(self) -> bool:
        """Nothing that is required is missing, here or further down."""
        return not self.is_short and all(tree.complete for tree, required in self.found.values() if required)

    @property
    def certified(self) -> bool:
        """All of it is certified."""
        return all(tree.certified for tree in self.children)


@dataclass(frozen=True)
class _Found:
    """An association that was found for a rule, and for how many of the wanted files it counts."""

    name: str
    tree: AssociationTree
    count: int = 1


def match_of(validity: Validity, level: int) -> str:
    """Return the match of what was taken under a rule at a level, see `qcbench.store.ABCalibration`."""
    if not validity.plan and validity.extended.is_open:
        return NOT_APPLICABLE
    return CALIB_PLAN if level == 0 else EXTENDED


def _by_time(pool: CandidatePool, matches: Sequence[Match]) -> list[Match]:
    """Return matches in the order in which ESO's service gives them, which is not that of their choice."""

    def time_and_name(match: Match) -> tuple[float, str]:
        candidate = pool.candidates[match.position]
        return (math.inf if candidate.time is None else candidate.time), candidate.name

    return sorted(matches, key=time_and_name)


class Answering:
    """Answers for groups of one action and date; what several groups need is worked out once.

    Parameters
    ----------
    pack : InstrumentPack
        The instrument's pack with the rules that are in force.
    rules_name : str
        What messages call these rules.
    """

    def __init__(self, bench: Workbench, pack: InstrumentPack, supply: Supply, rules_name: str):
        self._bench, self._pack, self._supply, self._rules_name = bench, pack, supply, rules_name
        self._cascade: Cascade = cascade_of(pack.rules)
        self._trees: dict[str, AssociationTree] = {}
        self._frames: dict[float, Candidates] = {}
        self._validities: Mapping[int, Validity] = {
            id(need.association): need.validity for need in self._cascade.needs
        }
        self._makers: Mapping[int, tuple[str, ...]] = {
            id(need.association): need.makers for need in self._cascade.needs
        }

    def answer(self, made: RawGroup, mode: str, *, is_science: bool) -> AssociationTree:
        """Return the tree of a group; it is that of the frame in question."""
        needs = self._needs(_Asking.of_group(made), with_masters=mode == RAW2MASTER)
        messages = list(needs.messages)
        if made.is_too_small:
            messages.insert(0, f"{len(made.frames)} raw frames are there, {made.wanted} are wanted at least.")
        files = tuple(FileEntry(frame.category, dp_id_of(frame.arcfile)) for frame in made.frames)
        # nobody certifies science frames: it is their calibrations that count
        own = is_science or self._is_certified([frame.arcfile for frame in made.frames])
        return AssociationTree(
            category=made.raw_type,
            certified=own and needs.certified,
            complete=needs.complete and not made.is_too_small,
            mode=mode,
            main_files=files,
            messages=tuple(messages),
            children=needs.children,
        )

    def _dataset(self, dataset: Dataset) -> AssociationTree:
        """Return the tree of a data set, without its match."""
        if dataset.name not in self._trees:
            needs = self._needs(_Asking.of_dataset(dataset), with_masters=False)
            self._trees[dataset.name] = AssociationTree(
                category=dataset.raw_type,
                certified=self._is_certified([file for file, _ in dataset.frames]) and needs.certified,
                complete=needs.complete,
                main_files=tuple(FileEntry(category, dp_id_of(file)) for file, category in dataset.frames),
                messages=tuple(needs.messages),
                children=needs.children,
            )
        return self._trees[dataset.name]

    def _needs(self, asking: _Asking, *, with_masters: bool) -> _Needs:
        needs = _Needs()
        for association in self._pack.rules.action(asking.action).associations:
            if association.max_ret <= 0:
                continue
            found: list[_Found] = []
            if association.source != "calibFiles":
                found = self._raw_frames(asking, association)
            if not found and association.source != "rawFiles":
                found = self._calibrations(asking, association, needs, with_masters=with_masters)
            for item in found:
                needs.add(item.name, item.tree, required=association.min_ret > 0)
            n_found = sum(item.count for item in found)
            if n_found < max(association.min_ret, 1):
                needs.messages.append(self._missing(asking, association, n_found))
                needs.is_short |= association.min_ret > 0
        return needs

    def _calibrations(
        self, asking: _Asking, association: Association, needs: _Needs, *, with_masters: bool
    ) -> list[_Found]:
        """Choose masters where they are asked for; else, and where a required one is missing, data sets."""
        if with_masters:
            found = self._find(asking, association, self._supply.masters)
            if len(found) >= association.min_ret:
                return found
        found = self._find(asking, association, self._supply.raw)
        if with_masters and found:
            needs.messages.append(
                f"{association.tag}: no certified master fits; the raw frames that would make one are given instead."
            )
        return found

    def _find(self, asking: _Asking, association: Association, offers: Offers) -> list[_Found]:
        allowed = self._allowed(asking, offers)
        matches = offers.pool.find(association, asking.keys, asking.time, allowed)
        found = []
        for match in _by_time(offers.pool, matches):
            offer = offers.items[match.position]
            if offer.dataset is None:
                tree = AssociationTree(offer.category, main_files=(FileEntry(offer.category, offer.name),))
            else:
                tree = self._dataset(offer.dataset)
            text = NOT_APPLICABLE if offer.is_general else self._match(association, match)
            found.append(_Found(offer.name, replace(tree, match=text)))
        return found

    def _allowed(self, asking: _Asking, offers: Offers) -> Callable[[int], bool]:
        """Return what tells whether an offer may be taken at all, whatever the rules say."""

        def allowed(position: int) -> bool:
            offer = offers.items[position]
            made = offer.dataset
            if made is not None and (
                made.name == asking.name
                or self._cascade.in_cycle_with(asking.action, made.action)
                or any(file in self._supply.rejected for file, _ in made.frames)
            ):
                return False
            return not self._is_separated(asking, offer.category, offers.pool.candidates[position].time)

        return allowed

    def _is_separated(self, asking: _Asking, category: str, time: float | None) -> bool:
        """Tell whether the instrument changed between a group and a calibration."""
        return time is not None and any(
            point.holds_for(asking.raw_type, category) and point.separates(asking.time, time)
            for point in self._pack.breakpoints
        )

    def _raw_frames(self, asking: _Asking, association: Association) -> list[_Found]:
        """Choose raw frames; those of one raw type make one association."""
        frames = self._frames_around(asking.time)

        def allowed(position: int) -> bool:
            candidate, known = frames.pool.candidates[position], frames.known[position]
            return not (
                candidate.name in asking.files
                or candidate.name in self._supply.rejected
                or self._is_separated(asking, known.category, candidate.time)
            )

        by_type: dict[str, list[Match]] = {}
        for match in frames.pool.find(association, asking.keys, asking.time, allowed):
            by_type.setdefault(frames.known[match.position].category, []).append(match)
        return [
            self._raw_association(association, raw_type, matches, frames)
            for raw_type, matches in by_type.items()
        ]

    def _raw_association(
        self, association: Association, raw_type: str, matches: Sequence[Match], frames: Candidates
    ) -> _Found:
        matches = _by_time(frames.pool, matches)
        names = [frames.pool.candidates[match.position].name for match in matches]
        categories = [frames.pool.keys_of(match.position).get("DO.CATG") for match in matches]
        tree = AssociationTree(
            raw_type or association.tag,
            certified=self._is_certified(names),
            match=self._match(association, max(matches, key=lambda match: match.level)),
            main_files=tuple(
                FileEntry(str(category or association.tag), dp_id_of(name))
                for name, category in zip(names, categories, strict=True)
            ),
        )
        return _Found(f"{association.tag} {raw_type} {' '.join(names)}", tree, len(names))

    def _frames_around(self, time: float) -> Candidates:
        if time not in self._frames:
            with self._bench.store.read() as session:
                self._frames[time] = read_frames(session, self._pack, self._cascade, Span(time, time))
        return self._frames[time]

    def _match(self, association: Association, match: Match) -> str:
        return match_of(self._validities[id(association)], match.level)

    def _missing(self, asking: _Asking, association: Association, n_found: int) -> str:
        """Say in a sentence what is missing."""
        rule = f"{self._rules_name}, line {association.line}"
        needed = "it is required" if association.min_ret > 0 else "it is not required"
        what = f"{n_found} of {association.min_ret} were found" if n_found else "nothing fits"
        text = f"{association.tag} is missing for {asking.raw_type} {asking.name}: {what} ({rule}); {needed}."
        round_about = [
            maker
            for maker in self._makers[id(association)]
            if self._cascade.in_cycle_with(asking.action, maker)
        ]
        if round_about:
            text += (
                f" Raw frames of {', '.join(round_about)} are not followed: it needs what {asking.action} makes, "
                f"so that the rules go round in a circle."
            )
        return text

    def _is_certified(self, files: Sequence[str]) -> bool:
        """Tell whether all of some raw frames are in ABs that were certified."""
        query = (
            select(Frame.arcfile)
            .join(ABInput, ABInput.frame_id == Frame.id)
            .join(AssociationBlock, ABInput.ab_id == AssociationBlock.id)
            .where(Frame.arcfile.in_(files), ABInput.role == RAWFILE, AssociationBlock.state.in_(_CERTIFIED))
            .distinct()
        )
        with self._bench.store.read() as session:
            return len(session.scalars(query).all()) == len(set(files))
