"""Organization: the second step of AB creation puts the files of one action into groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qcbench.oca.rules import DEFAULT_GROUP_KEY, Organizer, RuleSet
from qcbench.oca.values import Keys, Value, as_number


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

    A frame joins a group of each organizer that selects it.

    Parameters
    ----------
    frames : sequence of Mapping
        The header keys of each frame together with those that `classify` assigned.
    """
    buckets: list[dict[tuple[object, ...], list[int]]] = [{} for _ in rules.organizers]
    selecting = [
        (rule.condition.evaluate, rule.group_keys, bucket)
        for rule, bucket in zip(rules.organizers, buckets, strict=True)
    ]
    for index, frame in enumerate(frames):
        for condition, keys, bucket in selecting:
            if condition(frame, frame) is True:
                bucket.setdefault(_bucket_key(frame, keys, index), []).append(index)
    built = [
        made
        for rule, bucket in zip(rules.organizers, buckets, strict=True)
        for made in _groups_of(rule, bucket, frames)
    ]
    large = tuple(made for made in built if len(made.members) >= (made.organizer.min_ret or 0))
    grouped = {index for made in large for index in made.members}
    return Grouping(
        groups=large,
        too_small=tuple(made for made in built if len(made.members) < (made.organizer.min_ret or 0)),
        ungrouped=tuple(index for index in range(len(frames)) if index not in grouped),
    )


def _bucket_key(frame: Keys, keys: tuple[str, ...], index: int) -> tuple[object, ...]:
    """Give what the members of a group share; a frame of no template shares it with none."""
    found = tuple(frame.get(key) for key in keys)
    alone = DEFAULT_GROUP_KEY in keys and frame.get(DEFAULT_GROUP_KEY) is None
    return (*found, index if alone else -1)


def _groups_of(
    rule: Organizer, bucket: dict[tuple[object, ...], list[int]], frames: Sequence[Keys]
) -> list[Group]:
    ordered = sorted(
        (sorted(indices, key=lambda index: _order(frames[index], index)) for indices in bucket.values()),
        key=lambda indices: _order(frames[indices[0]], indices[0]),
    )
    return [
        Group(
            action=rule.action,
            organizer=rule,
            key_values=tuple((key, frames[indices[0]].get(key)) for key in rule.group_keys),
            members=tuple(indices),
        )
        for indices in ordered
    ]


def _order(frame: Keys, index: int) -> tuple[bool, float, str, int]:
    """Order by (MJD-OBS, ARCFILE); frames without a time come last."""
    time = as_number(frame.get("MJD-OBS"))
    return (time is None, time or 0.0, str(frame.get("ARCFILE") or ""), index)
