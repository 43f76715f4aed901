"""Organization: the second step of AB creation puts the files of one action into groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from qcbench.oca.expressions import LAST_FRAME_PREFIX, SIGNAL_KEYS
from qcbench.oca.rules import FILE_KEY, TEMPLATE_KEY, Organizer, RuleSet
from qcbench.oca.values import Keys, Value, as_number

# without one of these a frame shares it with none: it is of no template, of no observation block, has no name
_UNIT_KEYS = frozenset({FILE_KEY, TEMPLATE_KEY, "OBS.START"})
_MANY_PROFILES = 100
_BucketKey = tuple[object, ...]
_Bucket = dict[_BucketKey, list[int]]


@dataclass(frozen=True)
class Group:
    """Files that are processed together.

    Attributes
    ----------
    action : str
        Name of the action that the group triggers.
    organizer : Organizer
        The rule that made the group.
    key_values : tuple of (key, value)
        The keys of `group by` and what the members have in common.
    members : tuple of int
        Positions in the sequence of frames, in the order of (MJD-OBS, ARCFILE).
    """

    action: str
    organizer: Organizer
    key_values: tuple[tuple[str, Value], ...]
    members: tuple[int, ...]


@dataclass(frozen=True)
class Grouping:
    """All groups of a sequence of frames, and what is in none.

    Attributes
    ----------
    groups : tuple of Group
        In the order of the rules; groups of one rule in the order of their first member.
    too_small : tuple of Group
        Groups with fewer members than the rule's `minRet`.
    ungrouped : tuple of int
        Positions of the frames that are in no group of `groups`.
    """

    groups: tuple[Group, ...]
    too_small: tuple[Group, ...]
    ungrouped: tuple[int, ...]


def group(rules: RuleSet, frames: Sequence[Keys]) -> Grouping:
    """Group classified frames by the organizers of a rule set.

    A frame joins a group of each organizer that selects it. Organizers that give the same action the same
    files make one group.

    Parameters
    ----------
    frames : sequence of Mapping
        The header keys of each frame together with those that `classify` assigned.
    """
    built = tuple(_select(rules.organizers, frames))
    large = _distinct(made for made in built if len(made.members) >= (made.organizer.min_ret or 0))
    small = _distinct(made for made in built if len(made.members) < (made.organizer.min_ret or 0))
    grouped = {index for made in large for index in made.members}
    return Grouping(
        groups=large,
        too_small=small,
        ungrouped=tuple(index for index in range(len(frames)) if index not in grouped),
    )


class _Selection:
    """Organizers that test the same keys and group by the same keys.

    Frames of one setup agree in what is tested, so that it is found out once for each such profile. The frames are
    gone through in their order of time, so that every bucket is in this order.
    """

    def __init__(self, organizers: Sequence[Organizer], frames: Sequence[Keys], order: Sequence[int]):
        self.organizers = organizers
        self._frames, self._order = frames, order
        self._group_keys = organizers[0].group_keys
        self._names, self._last_names = _tested_keys(organizers[0])
        self._values: list[tuple[Value, ...]] = []
        # typed: 1, 1.0 and T are equal in Python, but not in the rules
        profile = lru_cache(maxsize=None, typed=True)(self._new_profile)
        self._profiles = [profile(*map(frame.get, self._names)) for frame in frames]
        self._accepting = cache(self._accepting_rules)

    def buckets(self) -> list[_Bucket]:
        """Give the frames that each organizer takes, by the values of the group keys."""
        found: list[_Bucket] = [{} for _ in self.organizers]
        for key, index, last in self._with_last() if self._last_names else self._alone():
            for number in self._accepting(self._profiles[index], last):
                found[number].setdefault(key, []).append(index)
        return found

    def _alone(self) -> Iterator[tuple[_BucketKey, int, int | None]]:
        """Give each frame that an organizer takes, with the values of the group keys."""
        for index in self._order:
            if self._accepting(self._profiles[index], None):
                yield _bucket_key(self._frames[index], self._group_keys, index), index, None

    def _with_last(self) -> Iterator[tuple[_BucketKey, int, int | None]]:
        """Give each frame with the values of the group keys, and the profile of the last frame that has them."""
        if not self._can_accept():
            return
        units: _Bucket = {}
        for index in self._order:
            key = _bucket_key(self._frames[index], self._group_keys, index)
            units.setdefault(key, []).append(index)
        for key, members in units.items():
            last = self._profiles[members[-1]]
            yield from ((key, index, last) for index in members)

    def _can_accept(self) -> bool:
        """Tell whether any frame can be taken; most rules are for frames that a night has not got."""
        profiles = range(len(self._values))
        if len(profiles) > _MANY_PROFILES:
            return True
        return any(self._accepting(profile, last) for last in profiles for profile in profiles)

    def _new_profile(self, *values: Value) -> int:
        self._values.append(values)
        return len(self._values) - 1

    def _accepting_rules(self, profile: int, last: int | None) -> tuple[int, ...]:
        """Return which organizers take a frame of a profile where the last frame has another."""
        known = dict(zip(self._names, self._values[profile], strict=True))
        if last is not None:
            of_last = dict(zip(self._names, self._values[last], strict=True))
            known |= {LAST_FRAME_PREFIX + name: of_last[name] for name in self._last_names}
        return tuple(
            number
            for number, rule in enumerate(self.organizers)
            if rule.condition.evaluate(known, known) is True
        )


def _select(organizers: Sequence[Organizer], frames: Sequence[Keys]) -> Iterator[Group]:
    """Give the groups of each organizer, in the order of the rules and of their first members."""
    order = sorted(range(len(frames)), key=lambda index: _order(frames[index], index))
    rank = {index: position for position, index in enumerate(order)}
    alike: dict[object, list[int]] = {}
    for number, rule in enumerate(organizers):
        alike.setdefault((rule.group_keys, _tested_keys(rule)), []).append(number)
    buckets: dict[int, _Bucket] = {}
    for numbers in alike.values():
        selection = _Selection([organizers[number] for number in numbers], frames, order)
        buckets |= zip(numbers, selection.buckets(), strict=True)
    for number, rule in enumerate(organizers):
        for members in sorted(buckets[number].values(), key=lambda members: rank[members[0]]):
            first = frames[members[0]]
            values = tuple((key, first.get(key)) for key in rule.group_keys)
            yield Group(rule.action, rule, values, tuple(members))


def _tested_keys(rule: Organizer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the header keys that a condition tests, and those of them that it tests of the last frame."""
    nodes = [node for node in rule.condition.key_nodes() if node.name not in SIGNAL_KEYS]
    every = {node.header_name for node in nodes}
    return tuple(sorted(every)), tuple(sorted({node.header_name for node in nodes if node.of_last_frame}))


def _bucket_key(frame: Keys, keys: tuple[str, ...], index: int) -> _BucketKey:
    """Give what the members of a group share."""
    found = tuple(map(frame.get, keys))
    if None in found:
        alone = any(value is None and key in _UNIT_KEYS for key, value in zip(keys, found, strict=True))
        return (*found, index if alone else -1)
    return found


def _distinct(groups: Iterator[Group]) -> tuple[Group, ...]:
    """Keep one of the groups that give the same action the same files: the first."""
    found: dict[tuple[str, tuple[int, ...]], Group] = {}
    for made in groups:
        found.setdefault((made.action, made.members), made)
    return tuple(found.values())


def _order(frame: Keys, index: int) -> tuple[bool, float, str, int]:
    """Order by (MJD-OBS, ARCFILE); frames without a time come last."""
    time = as_number(frame.get("MJD-OBS"))
    return (time is None, time or 0.0, str(frame.get(FILE_KEY) or ""), index)
