"""Association: the third step of AB creation chooses, for each rule of an action, the files that fit best.

A pool is made once and asked often, so it keeps candidates by category and by the keys that a rule compares, in the
order of time: to find the closest of 20,000 calibrations takes about as long as to find it among twenty.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.5.2.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from qcbench.oca.cascade import categories_of
from qcbench.oca.expressions import Comparison, Expression, Key, has_preference, terms_of
from qcbench.oca.rules import Association
from qcbench.oca.tagging import CATEGORY_KEYS
from qcbench.oca.validity import TIME_KEY, validity_of
from qcbench.oca.values import Evaluator, Keys, Value, as_number

# limits are compared again by the rule itself: this only keeps rounding from hiding a candidate
_MARGIN_DAYS = 1e-6


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be associated.

    Attributes
    ----------
    name : str
        What breaks ties: names that hold ARCFILE sort like it.
    keys : Mapping
        Its header keys together with those that classification assigned.
    time : float or None
        Mid-exposure time (MJD, days) of it or of the group that makes it; None for a general calibration.
    tier : int
        Candidates of a lower tier win over those of a higher one within the same level.
    """

    name: str
    keys: Keys
    time: float | None
    tier: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate that fits.

    Attributes
    ----------
    position : int
        Where it is in the pool's sequence of candidates.
    level : int
        0 within the calibration plan; else how many preferences (`tryBetween`) of the rule it does not fulfil.
    dt_days : float or None
        Candidate minus input, days; None for a general calibration.
    """

    position: int
    level: int
    dt_days: float | None


Allowed = Callable[[int], bool]
_Comparable = Value | tuple[str, bool]
_Series = tuple[list[float], list[int]]


class CandidatePool:
    """Candidates, kept so that the best ones for a rule are found without looking at all.

    Parameters
    ----------
    candidates : sequence of Candidate
    keys : collection of str
        The keys that the rules read: others are forgotten.
    """

    def __init__(self, candidates: Sequence[Candidate], keys: Iterable[str]):
        wanted = tuple(set(keys) | set(CATEGORY_KEYS))
        self.candidates = candidates
        self._keys = [_read(candidate, wanted) for candidate in candidates]
        self._by_category: dict[str, list[int]] = defaultdict(list)
        for position, known in enumerate(self._keys):
            for category in {str(known[key]) for key in CATEGORY_KEYS if key in known}:
                self._by_category[category].append(position)
        # by identity: to hash a tree of conditions takes longer than to use it
        self._plans: dict[int, tuple[Association, _Plan]] = {}

    def find(
        self, association: Association, input_keys: Keys, time: float, allowed: Allowed | None = None
    ) -> list[Match]:
        """Return the best candidates, best first, at most as many as the rule's `maxRet`.

        The order is that of level, tier, distance in time, name.

        Parameters
        ----------
        input_keys : Mapping
            Keys of the group that asks.
        time : float
            Its mid-exposure time, MJD, days.
        allowed : callable, optional
            Tells whether a candidate (by position) may be taken at all.
        """
        if association.max_ret == 0:
            return []
        plan = self._plan(association)
        own = {**input_keys, TIME_KEY: time}
        bucket = plan.buckets.get(plan.bucket_of(own), {})
        found: list[tuple[tuple[int, int, float, str], Match]] = []
        settled = 0
        for tier, (times, positions) in bucket.items():
            n_tier = 0
            walk = plan.walk_general if self.candidates[positions[0]].time is None else plan.walk
            for position, distance in walk(times, positions, time, self._name):
                keys = self._keys[position]
                if (allowed is not None and not allowed(position)) or plan.condition(keys, own) is not True:
                    continue
                level = sum(1 for term in plan.preferences if term(keys, own) is not True)
                moment = self.candidates[position].time
                match = Match(position, level, None if moment is None else moment - time)
                found.append(((level, tier, distance, self._name(position)), match))
                n_tier += 1
                settled += level == 0
                if settled >= association.max_ret or (
                    n_tier >= association.max_ret and distance > plan.plan_reach
                ):
                    break
            if settled >= association.max_ret:
                break
        found.sort(key=lambda pair: pair[0])
        return [match for _, match in found[: association.max_ret]]

    def named(self, association: Association) -> list[int]:
        """Return the candidates of the categories that a rule asks for, whatever else it asks."""
        categories = categories_of(association.condition)
        if not categories:
            return list(range(len(self.candidates)))
        return sorted({position for category in categories for position in self._by_category[category]})

    def keys_of(self, position: int) -> Keys:
        """Return the keys of a candidate as the rules see them: MJD-OBS is its mid-exposure time."""
        return self._keys[position]

    def _name(self, position: int) -> str:
        return self.candidates[position].name

    def _plan(self, association: Association) -> _Plan:
        known = self._plans.get(id(association))
        if known is None:
            plan = _Plan(association.condition)
            plan.fill(self.named(association), self._keys, self.candidates)
            self._plans[id(association)] = known = association, plan
        return known[1]


class _Plan:
    """How a condition is searched: what is compared for equality, and in which window of time."""

    def __init__(self, condition: Expression):
        validity = validity_of(condition)
        terms = list(terms_of(condition))
        self.condition: Evaluator = condition.evaluate
        self.preferences = [term.prefer for term in terms if has_preference(term)]
        self.window = validity.extended
        # beyond this distance no candidate fulfils all preferences, and the closest is the best
        simple = len(self.preferences) == len(validity.plan) <= 1
        self.plan_reach = (
            max((window.reach for window in validity.plan), default=0.0) if simple else float("inf")
        )
        joins = [join for term in terms if (join := _join(term)) is not None]
        self._candidate_keys = tuple(candidate for candidate, _ in joins)
        self._input_keys = tuple(asking for _, asking in joins)
        self._tests = [term.evaluate for term in terms if _is_about_candidate(term)]
        self.buckets: dict[tuple[_Comparable, ...], dict[int, _Series]] = {}

    def fill(self, positions: Iterable[int], keys: Sequence[Keys], candidates: Sequence[Candidate]) -> None:
        """Sort candidates into buckets of equal keys, each by tier and time."""
        sorted_in: dict[tuple[_Comparable, ...], dict[int, list[tuple[float, str, int]]]] = {}
        for position in positions:
            known = keys[position]
            if not all(test(known, {}) is True for test in self._tests):
                continue
            values = tuple(_comparable(known.get(key)) for key in self._candidate_keys)
            if None in values:  # a missing key equals nothing
                continue
            candidate = candidates[position]
            moment = known.get(TIME_KEY) if candidate.time is None else candidate.time
            entry = (as_number(moment) or 0.0, candidate.name, position)
            sorted_in.setdefault(values, {}).setdefault(candidate.tier, []).append(entry)
        for values, tiers in sorted_in.items():
            self.buckets[values] = {}
            for tier in sorted(tiers):
                entries = sorted(tiers[tier])
                self.buckets[values][tier] = (
                    [entry[0] for entry in entries],
                    [entry[2] for entry in entries],
                )

    def bucket_of(self, own: Keys) -> tuple[_Comparable, ...]:
        """Return the bucket in which the candidates for a group are."""
        return tuple(_comparable(own.get(key)) for key in self._input_keys)

    def walk(
        self, times: list[float], positions: list[int], time: float, name: Callable[[int], str]
    ) -> Iterator[tuple[int, float]]:
        """Walk over the candidates within the window, the closest first, with their distances (days)."""
        first = bisect_left(times, time + self.window.low - _MARGIN_DAYS)
        end = bisect_right(times, time + self.window.high + _MARGIN_DAYS)
        right = min(max(bisect_left(times, time), first), end)
        left = right - 1
        while left >= first or right < end:
            before = time - times[left] if left >= first else float("inf")
            after = times[right] - time if right < end else float("inf")
            distance = min(before, after)
            equal = []
            while left >= first and time - times[left] == distance:
                equal.append(positions[left])
                left -= 1
            while right < end and times[right] - time == distance:
                equal.append(positions[right])
                right += 1
            if len(equal) > 1:
                equal.sort(key=name)
            for position in equal:
                yield position, distance

    def walk_general(
        self, times: list[float], positions: list[int], time: float, name: Callable[[int], str]
    ) -> Iterator[tuple[int, float]]:
        """Walk over general calibrations: the one in force, older ones, then those that came later."""
        last = bisect_right(times, time)
        while last:
            # those of one time stand together, in the order of their names
            first = bisect_left(times, times[last - 1])
            yield from ((positions[index], time - times[index]) for index in range(first, last))
            last = first
        started = bisect_right(times, time)
        # what came later stands behind: its MJD is greater than any distance
        yield from ((positions[index], times[index]) for index in range(started, len(times)))


def _read(candidate: Candidate, wanted: Iterable[str]) -> Keys:
    """Return the keys that the rules read; the time is that of mid-exposure."""
    keys: dict[str, Value] = {}
    for key in wanted:
        value = candidate.keys.get(key)
        if value is not None:
            keys[key] = value
    if candidate.time is not None:
        keys[TIME_KEY] = candidate.time
    return keys


def _join(term: Expression) -> tuple[str, str] | None:
    """Return the key of the candidate and the key of the input that a term wants to be equal."""
    match term:
        case Comparison(operator="==", left=Key() as left, right=Key() as right):
            if left.of_input != right.of_input:
                asking, candidate = (left, right) if left.of_input else (right, left)
                return candidate.header_name, asking.header_name
    return None


def _is_about_candidate(term: Expression) -> bool:
    """Tell whether a term depends on the candidate alone, and not on the time."""
    nodes = list(term.key_nodes())
    return bool(nodes) and not any(node.of_input or node.name == TIME_KEY for node in nodes)


def _comparable(value: Value) -> _Comparable:
    """Return something that is equal wherever two values may be equal to the rules."""
    if isinstance(value, bool):
        return "logical", value
    number = as_number(value)
    return value if number is None else number
