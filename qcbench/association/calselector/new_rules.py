"""Rules of calSelector before they are ingested: read, checked, and made whole by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qcbench.core.errors import RuleError
from qcbench.instruments import InstrumentPack
from qcbench.oca import Finding, RuleSet, check_rules, load_rules
from qcbench.oca.sourcetext import decode, needs_preprocessor


@dataclass(frozen=True)
class NewRules:
    """Rules that were read and checked: the text without directives, where it came from, what looks wrong."""

    text: str
    source: str
    findings: tuple[Finding, ...]


def read_rules(pack: InstrumentPack, path: Path | None = None) -> NewRules:
    """Read and check a rule file; by default the rules of the instrument's pack.

    Raises
    ------
    RuleError
        It can't be read, or the rules can't work as they are.
    """
    path = pack.folder / "rules.oca" if path is None else path
    rules = load_rules(path)
    _refuse_without_parts(rules, path)
    findings = check_rules(
        rules,
        known_key=lambda key: pack.keys.find(key) is not None,
        key_names=pack.keys.specs,
        static=pack.unannounced,
    )
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        first, more = errors[0], len(errors) - 1
        others = f" ({more} more: qcbench oca check {path} --instrument {pack.name})" if more else ""
        problem = f"{first.text}; {first.remedy}{others}. Nothing was ingested"
        raise RuleError(first.source, first.line, first.column or 1, problem)
    text = decode(path.read_bytes(), str(path))
    if needs_preprocessor(text):
        # its library takes a while to load, and few rules need it
        from qcbench.oca.preprocessor import preprocess

        text = preprocess(text, path).text
    return NewRules(text, path.name, tuple(finding for finding in findings if finding.level == "warning"))


def _refuse_without_parts(rules: RuleSet, path: Path) -> None:
    """Refuse rules under which no frame has a type, none is in a group, or no group needs anything."""
    parts = {
        "classification rule (if … then { RAW.TYPE = …; })": rules.classifiers,
        "organisation rule (select execute(ACTION) from inputFiles …)": rules.organizers,
        "action (action NAME { … })": rules.actions,
    }
    if lacking := [name for name, part in parts.items() if not part]:
        problem = (
            f"there is no {', no '.join(lacking)}: such rules answer nothing. Add it. Nothing was ingested"
        )
        raise RuleError(str(path), 1, 1, problem)
