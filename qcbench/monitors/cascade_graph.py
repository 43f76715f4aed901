"""The cascade of a rule set as boxes and lines: what each action needs, what makes it, and how long that is valid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

from markupsafe import Markup

from qcbench.instruments import product_category
from qcbench.look.graphs import Edge, EdgeKind, Node, NodeKind, Row
from qcbench.oca import Action, Cascade, Need, Organizer, RuleSet, cascade_of, print_expression
from qcbench.oca.cascade import categories_of, product_categories
from qcbench.oca.expressions import Comparison, Expression, Key, Literal, Pattern, terms_of
from qcbench.oca.validity import TIME_KEY

_LONG = 34


@dataclass(frozen=True)
class AssociationRow:
    """An association as a table shows it.

    Attributes
    ----------
    makers : str
        The actions that make it; or raw frames, general, or that no rule makes it.
    required : str
        minRet to maxRet.
    keys : str
        The keys in which both have to agree.
    """

    action: str
    tag: str
    categories: str
    makers: str
    validity: str
    required: str
    keys: str
    place: str


@dataclass(frozen=True)
class CascadeGraph:
    """A rule set's cascade, ready to be drawn.

    Parameters
    ----------
    static : dict
        What is known of general calibrations: PRO.CATG and what it is.
    """

    rules: RuleSet
    static: Mapping[str, str]

    @cached_property
    def cascade(self) -> Cascade:
        """Who needs what of whom."""
        return cascade_of(self.rules, self.static)

    @cached_property
    def actions(self) -> Mapping[str, Action]:
        """The actions by name; of two of one name, the last."""
        return {action.name: action for action in self.rules.actions}

    @cached_property
    def made(self) -> Mapping[str, tuple[str, ...]]:
        """The actions that make each category."""
        found: dict[str, list[str]] = {}
        for name, action in self.actions.items():
            for product in action.products:
                # the category that a rule asks for may be that of PRO.CATG or what classification makes of it
                for category in sorted(product_categories(self.rules, product)):
                    found.setdefault(category, []).append(name)
        return {category: tuple(dict.fromkeys(names)) for category, names in found.items()}

    @cached_property
    def science(self) -> frozenset[str]:
        """The types that classifiers give to frames of DPR.CATG SCIENCE."""
        return frozenset(
            str(value.value)
            for rule in self.rules.classifiers
            if any(_is_science(term) for term in terms_of(rule.condition))
            for key, value in rule.assignments
            if key in ("RAW.TYPE", "DO.CATG") and isinstance(value, Literal)
        )

    @property
    def without_action(self) -> tuple[str, ...]:
        """Raw types that classifiers give, and for which no group is formed."""
        given = {
            str(value.value)
            for rule in self.rules.classifiers
            for key, value in rule.assignments
            if key == "RAW.TYPE" and isinstance(value, Literal)
        }
        grouped = {item for rule in self.rules.organizers for item in categories_of(rule.condition)}
        return tuple(sorted(given - grouped))

    def organizers(self, action: str) -> tuple[Organizer, ...]:
        """Return the rules that form groups for an action."""
        return tuple(rule for rule in self.rules.organizers if rule.action == action)

    def raw_types(self, action: str) -> tuple[str, ...]:
        """Return the types of the frames that are grouped for an action."""
        found = (item for rule in self.organizers(action) for item in sorted(categories_of(rule.condition)))
        return tuple(dict.fromkeys(found))

    def makes(self, action: str) -> list[str]:
        """Return the categories of the products of an action."""
        return [product_category(product) for product in self.actions[action].products]

    def is_science(self, action: str) -> bool:
        """Tell whether an action is for science frames."""
        return not self.science.isdisjoint(self.raw_types(action))

    def place(self, rule: Organizer | Action) -> str:
        """Return where a rule stands, such as ``rules.oca:35``."""
        return f"{PurePath(rule.file or self.rules.source).name}:{rule.line}"

    def associations(self) -> list[AssociationRow]:
        """Return all associations, in the order of the cascade and of the rules."""
        depth = self.cascade.depth
        needs = sorted(self.cascade.needs, key=lambda need: (depth(need.action), self._order(need.action)))
        return [self._association(need) for need in needs]

    def nodes(self) -> list[Node]:
        """Return the boxes: actions in odd columns by their depth, what they need and make in even ones."""
        return [*map(self._action_node, self.actions), *map(self._category_node, self._categories)]

    def edges(self) -> list[Edge]:
        """Return the lines: from what is needed to the association, and from an action to what it makes."""
        return [*self._needed(), *self._making()]

    def heads(self) -> dict[int, str]:
        """Return what stands above the columns of the actions."""
        depths = sorted({self.cascade.depth(name) for name in self.actions})
        return {2 * depth + 1: f"depth {depth}" for depth in depths}

    def _order(self, action: str) -> int:
        return self.cascade.actions.index(action)

    @cached_property
    def _categories(self) -> Mapping[str, tuple[NodeKind, list[Need]]]:
        """What is needed, by its name: what kind it is, and the needs; and what is made and needed by nobody."""
        found: dict[str, tuple[NodeKind, list[Need]]] = {}
        for need in self.cascade.needs:
            for name in _named(need):
                kind = self._kind(need, name)
                found.setdefault(_node_name(name, kind), (kind, []))[1].append(need)
        for action in self.actions.values():
            for product in action.products:
                categories = product_categories(self.rules, product)
                if not any(_node_name(name, "product") in found for name in categories):
                    found[_node_name(product_category(product), "product")] = ("product", [])
        return found

    def _kind(self, need: Need, category: str) -> NodeKind:
        if need.is_raw:
            return "raw"
        if category in self.made or (need.makers and not need.categories):
            return "product"
        if need.association.source == "inputFiles":
            return "raw"
        return "general" if category in self.static else "unmade"

    def _made_by(self, title: str, needs: Sequence[Need]) -> tuple[str, ...]:
        """Return the actions that make a category; where needs name none, those that might make what they ask for."""
        if title in self.made:
            return self.made[title]
        return tuple(dict.fromkeys(maker for need in needs for maker in need.makers))

    def _action_node(self, name: str) -> Node:
        action, depth = self.actions[name], self.cascade.depth(name)
        types = [item for item in self.raw_types(name) if item != name]
        lines = [action.recipe or "no recipe"]
        if types:
            text = f"from {', '.join(types)}"
            lines.append(text if len(text) <= _LONG else f"{text[: _LONG - 1]}…")
        return Node(
            name=f"action {name}",
            column=2 * depth + 1,
            kind="science" if self.is_science(name) else "action",
            title=name,
            lines=tuple(lines),
            rows=tuple(self._row(need, number) for number, need in enumerate(self.cascade.needs_of(name))),
            mark="cycle" if any(name in cycle for cycle in self.cascade.cycles) else "",
            details=self._action_details(name),
        )

    def _row(self, need: Need, number: int) -> Row:
        required = _required(need)
        note = self.legend(need) + ("" if required == "1" else f" ×{required}")
        return Row(_row_name(need.action, number), need.association.tag, note, self._need_details(need))

    def legend(self, need: Need) -> str:
        """Return the validity of a need as the legend has it."""
        return need.validity.legend(static=not need.categories.isdisjoint(self.static))

    def _category_node(self, name: str) -> Node:
        kind, needs = self._categories[name]
        title = name.partition(" ")[2]
        users = [self.cascade.depth(need.action) for need in needs]
        makers = self._made_by(title, needs) if kind == "product" else ()
        column = (
            2 * max(self.cascade.depth(maker) for maker in makers) + 2
            if makers
            else 2 * min(users, default=0)
        )
        return Node(name, column, kind, title, self._category_details(title, kind, needs))

    def _needed(self) -> Iterator[Edge]:
        for action in self.actions:
            for number, need in enumerate(self.cascade.needs_of(action)):
                kind: EdgeKind = (
                    "raw" if need.is_raw else "needs" if need.association.min_ret > 0 else "optional"
                )
                for name in _named(need):
                    yield Edge(
                        _node_name(name, self._kind(need, name)),
                        f"action {action}",
                        kind,
                        row=_row_name(action, number),
                        label=f"{name} → {action}: {self.legend(need)}, {_required(need)}",
                        in_cycle=any(
                            self.cascade.in_cycle_with(action, maker)
                            for maker in self._made_by(name, [need])
                            if maker in need.makers
                        ),
                    )

    def _making(self) -> Iterator[Edge]:
        for name, (kind, needs) in self._categories.items():
            title = name.partition(" ")[2]
            if kind == "product":
                for maker in self._made_by(title, needs):
                    yield Edge(f"action {maker}", name, "makes", label=f"{maker} makes {title}")

    def _association(self, need: Need) -> AssociationRow:
        return AssociationRow(
            action=need.action,
            tag=need.association.tag,
            categories=", ".join(sorted(need.categories)) or need.condition or "any",
            makers=self._makers(need),
            validity=self.legend(need),
            required=_required(need),
            keys=", ".join(match_keys(need.association.condition)),
            place=_association_place(need, self.rules),
        )

    def _makers(self, need: Need) -> str:
        if need.is_raw or (need.association.source == "inputFiles" and not need.makers):
            return "raw frames"
        if need.makers:
            return ", ".join(need.makers)
        known = not need.categories.isdisjoint(self.static)
        return "general calibration" if known else "no rule here makes it"

    def _action_details(self, name: str) -> Markup:
        action = self.actions[name]
        needs = self.cascade.needs_of(name)
        groups = [
            f"{self.place(rule)}: {print_expression(rule.condition)}; group by {', '.join(rule.group_keys)}"
            + (f"; at least {rule.min_ret}" if rule.min_ret else "")
            for rule in self.organizers(name)
        ]
        cycle = next((cycle for cycle in self.cascade.cycles if name in cycle), ())
        return _details(
            name,
            "science action" if self.is_science(name) else "action",
            ("rule", [self.place(action)]),
            ("recipe", [action.recipe or "none: its groups are formed, and not processed"]),
            ("groups", groups or ["no organizer forms a group for it"]),
            ("parameters", [f"--{key}={value}" for key, value in action.parameters]),
            ("needs", [f"{need.association.tag}  {self.legend(need)}  {_required(need)}" for need in needs]),
            ("makes", self.makes(name)),
            ("cycle", [" → ".join((*cycle, cycle[0]))] if cycle else []),
        )

    def _need_details(self, need: Need) -> Markup:
        item = need.association
        return _details(
            item.tag,
            f"association of {need.action}",
            ("rule", [_association_place(need, self.rules)]),
            ("from", [item.source]),
            ("made by", [self._makers(need)]),
            ("number", [f"{item.min_ret} to {item.max_ret}" + ("" if item.min_ret else ", optional")]),
            ("validity", [self.legend(need)]),
            ("equal keys", match_keys(item.condition)),
            ("conditions", [print_expression(term) for term in terms_of(item.condition)]),
        )

    def _category_details(self, title: str, kind: NodeKind, needs: Sequence[Need]) -> Markup:
        what = {
            "product": "product",
            "raw": "raw frames that are associated",
            "general": "general calibration",
            "unmade": "calibration that no rule of this set makes",
        }[kind]
        return _details(
            title,
            what,
            ("what", [self.static[title]] if title in self.static else []),
            ("made by", list(self._made_by(title, needs)) if kind == "product" else []),
            ("used by", [f"{need.action}  {self.legend(need)}  {_required(need)}" for need in needs]),
        )


def match_keys(condition: Expression) -> list[str]:
    """Return the keys in which a file and the AB that asks for it have to agree."""
    found = []
    for term in terms_of(condition):
        match term:
            case Comparison(operator="==" | "?=", left=Key() as left, right=Key() as right):
                if left.of_input != right.of_input and left.name != TIME_KEY:
                    found.append(left.header_name)
    return found


def _named(need: Need) -> list[str]:
    return sorted(need.categories) or [need.condition or f"any for {need.association.tag}"]


def _node_name(name: str, kind: NodeKind) -> str:
    return f"{'raw' if kind == 'raw' else 'file'} {name}"


def _row_name(action: str, number: int) -> str:
    return f"row {number} of {action}"


def _association_place(need: Need, rules: RuleSet) -> str:
    return f"{PurePath(need.association.file or rules.source).name}:{need.association.line}"


def _required(need: Need) -> str:
    low, high = need.association.min_ret, need.association.max_ret
    return str(low) if low == high else f"{low}–{high}"


def _is_science(term: Expression) -> bool:
    match term:
        case Comparison(operator="==", left=Key(name="DPR.CATG"), right=Literal(value="SCIENCE")):
            return True
        case Pattern(operator="like", operand=Key(name="DPR.CATG"), pattern=pattern):
            return "SCIENCE" in pattern
    return False


def _details(title: str, what: str, *facts: tuple[str, Iterable[str]]) -> Markup:
    rows = Markup("").join(
        Markup("<dt>{}</dt><dd>{}</dd>").format(
            name, Markup("").join(Markup("<code>{}</code>").format(text) for text in texts)
        )
        for name, texts in ((name, list(texts)) for name, texts in facts)
        if texts
    )
    return Markup('<h3>{}</h3><span class="muted">{}</span><dl>{}</dl>').format(title, what, rows)
