"""The OCA rule language: organization, classification and association of data, the basis of every AB."""

from qcbench.oca.classification import Classification, Classifier
from qcbench.oca.evaluate import ConditionResult, classify, explain, matches, preferred
from qcbench.oca.expressions import Expression
from qcbench.oca.grouping import Group, Grouping, group
from qcbench.oca.parser import load_rules, parse_expression, parse_rules
from qcbench.oca.printer import print_expression, print_rules
from qcbench.oca.rules import Action, Association, Organizer, Product, RuleSet
from qcbench.oca.values import Keys, Value

__all__ = [
    "Action",
    "Association",
    "Classification",
    "Classifier",
    "ConditionResult",
    "Expression",
    "Group",
    "Grouping",
    "Keys",
    "Organizer",
    "Product",
    "RuleSet",
    "Value",
    "classify",
    "explain",
    "group",
    "load_rules",
    "matches",
    "parse_expression",
    "parse_rules",
    "preferred",
    "print_expression",
    "print_rules",
]
