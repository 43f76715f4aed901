"""Which raw types the rules of a pack assign, and which of its actions get frames of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from qcbench.instruments.models import InstrumentPack
from qcbench.oca import Classifier, Organizer, RuleSet, Value
from qcbench.oca.expressions import Key, Literal
from qcbench.oca.reasoning import Term, alternatives

RAW_TYPE = "RAW.TYPE"
DO_CATG = "DO.CATG"
_CATEGORIES = (RAW_TYPE, DO_CATG)


@dataclass(frozen=True)
class RawTypes:
    """The raw types of a rule set."""

    rules: RuleSet

    @cached_property
    def assigned(self) -> Mapping[str, tuple[Classifier, ...]]:
        """Each raw type with the classifiers that assign it."""
        found: dict[str, tuple[Classifier, ...]] = {}
        for rule in self.rules.classifiers:
            value = _constants(rule).get(RAW_TYPE)
            if value is not None:
                found[str(value)] = (*found.get(str(value), ()), rule)
        return found

    @cached_property
    def open_ended(self) -> bool:
        """A classifier copies the raw type from a header: there may be any."""
        return any(
            key == RAW_TYPE and not isinstance(value, Literal)
            for rule in self.rules.classifiers
            for key, value in rule.assignments
        )

    @cached_property
    def of_actions(self) -> Mapping[str, frozenset[str]]:
        """For each action the raw types that its ABs can have."""
        found: dict[str, set[str]] = {action.name: {action.name} for action in self.rules.actions}
        for organizer in self.rules.organizers:
            if organizer.action in found:
                found[organizer.action] |= {name for name in self.assigned if self.selects(organizer, name)}
        return {action: frozenset(types) for action, types in found.items()}

    def tags_of(self, action: str) -> set[str] | None:
        """Return the tags (DO.CATG) that the frames of an action can have; None where a header says them."""
        found: set[str] = set()
        for organizer in self.rules.organizers:
            if organizer.action == action:
                for rule in self.rules.classifiers:
                    tag = dict(rule.assignments).get(DO_CATG)
                    if tag is None or not _fits(organizer, _constants(rule)):
                        continue
                    if isinstance(tag, Literal):
                        found.add(str(tag.value))
                    elif tag != Key("PRO.CATG"):
                        # products get the tag that they have; raw frames with one of their own may have any
                        return None
        return found

    def selects(self, organizer: Organizer, raw_type: str) -> bool:
        """Tell whether an organizer might select frames of a raw type."""
        rules = self.assigned.get(raw_type, ())
        return any(_fits(organizer, _constants(rule)) for rule in rules)

    def makers(self, raw_type: str) -> tuple[str, ...]:
        """Return the actions whose ABs can be of a raw type."""
        return tuple(action for action, types in self.of_actions.items() if raw_type in types)


def raw_types_of(pack: InstrumentPack) -> RawTypes:
    """Return the raw types of the rules of a pack."""
    return RawTypes(pack.rules)


def _constants(rule: Classifier) -> dict[str, Value]:
    return {
        key: value.value
        for key, value in rule.assignments
        if key in _CATEGORIES and isinstance(value, Literal)
    }


def _fits(organizer: Organizer, values: Mapping[str, Value]) -> bool:
    """Tell whether a condition might be true of a frame with some categories."""
    found = alternatives(organizer.condition)
    return found is None or any(all(_allows(term, values) for term in terms) for terms in found)


def _allows(term: Term, values: Mapping[str, Value]) -> bool:
    return all(
        term.allows(Key(name), value) for name, value in values.items() if term.keys == frozenset({Key(name)})
    )
