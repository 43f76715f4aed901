"""Rules as values: what a rule file says, statement by statement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from qcbench.core.errors import RuleError
from qcbench.oca.classification import Classifier, ClassifierProgram
from qcbench.oca.expressions import FRAME_SIGNAL, SIGNAL_KEYS, Compiled, Expression
from qcbench.oca.tagging import ProductTagging

TEMPLATE_KEY = "TPL.START"
FILE_KEY = "ARCFILE"
ORDER_KEYS = ("MJD-OBS", FILE_KEY)


@dataclass(frozen=True)
class Organizer:
    """A grouping rule: which files together are the input of one action."""

    action: str
    source: str
    condition: Expression
    group_by: tuple[str, ...] = ()
    group_alias: tuple[str, str] | None = None
    min_ret: int | None = None
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)

    @property
    def group_keys(self) -> tuple[str, ...]:
        """The keys whose values make a group: those of `group by`, and what the signal stands for.

        A frame's signal makes a group of each file; a template's signal, or no `group by`, one of the template.
        """
        signals = {key.name for key in self.condition.key_nodes()} & SIGNAL_KEYS
        if FRAME_SIGNAL in signals:
            unit = FILE_KEY
        elif signals or not self.group_by:
            unit = TEMPLATE_KEY
        else:
            return self.group_by
        return self.group_by if unit in self.group_by else (*self.group_by, unit)


@dataclass(frozen=True)
class Association:
    """A file that an action needs besides its input; `max_ret` 0 switches the rule off."""

    tag: str
    source: str
    condition: Expression
    min_ret: int = 1
    max_ret: int = 1
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)


@dataclass(frozen=True)
class Product:
    """A file that an action makes, and the keys that it will have."""

    name: str
    keys: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True)
class Action:
    """What is done with a group: the files it needs, the recipe, and the products."""

    name: str
    associations: tuple[Association, ...] = ()
    recipe: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    products: tuple[Product, ...] = ()
    priority: int | None = None
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)


@dataclass(frozen=True)
class RuleSet(Compiled):
    """All rules of one file. Two rule sets are equal when they say the same, whatever the lines."""

    classifiers: tuple[Classifier, ...] = ()
    organizers: tuple[Organizer, ...] = ()
    actions: tuple[Action, ...] = ()
    source: str = field(default="rules", compare=False)

    def action(self, name: str) -> Action:
        """Give the action of this name; the last one, where a file defines it twice.

        Raises
        ------
        RuleError
            The file has no such action; the line is that of the rule which asks for it.
        """
        found = self._actions.get(name)
        if found is None:
            asks = [rule for rule in self.organizers if rule.action == name]
            file, line = (asks[0].file, asks[0].line) if asks else (self.source, 1)
            problem = f"there is no action '{name}'; add 'action {name} {{ … }}' to the rules"
            raise RuleError(file or self.source, line, 1, problem)
        return found

    def has_action(self, name: str) -> bool:
        """Tell whether there is an action of this name."""
        return name in self._actions

    def keys(self) -> frozenset[str]:
        """Name every header key that classification, grouping or association reads."""
        return self._read_keys

    @cached_property
    def _read_keys(self) -> frozenset[str]:
        nodes = (node for expression in self._expressions() for node in expression.key_nodes())
        read = {node.header_name for node in nodes if node.name not in SIGNAL_KEYS}
        for organizer in self.organizers:
            read.update(organizer.group_keys, ORDER_KEYS)
        return frozenset(read)

    @cached_property
    def classifier_program(self) -> ClassifierProgram:
        """The classifiers, compiled once."""
        return ClassifierProgram(self.classifiers)

    @cached_property
    def product_tagging(self) -> ProductTagging:
        """The classifiers, prepared to be asked about products that are yet to be made."""
        return ProductTagging(self.classifiers)

    @cached_property
    def _actions(self) -> dict[str, Action]:
        return {action.name: action for action in self.actions}

    def _expressions(self) -> Iterator[Expression]:
        for classifier in self.classifiers:
            yield from classifier.expressions()
        for organizer in self.organizers:
            yield organizer.condition
        for action in self.actions:
            yield from (association.condition for association in action.associations)
            yield from (value for product in action.products for _, value in product.keys)
