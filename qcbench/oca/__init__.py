"""The OCA rule language: organization, classification and association of data, the basis of every AB."""

from qcbench.oca.candidates import Candidate, CandidatePool, Match
from qcbench.oca.cascade import Cascade, Need, cascade_of, product_keys
from qcbench.oca.check import Finding, check_rules
from qcbench.oca.classification import TYPE_KEYS, Classification, Classifier
from qcbench.oca.evaluate import ConditionResult, classify, explain, matches, preferred
from qcbench.oca.expressions import Expression
from qcbench.oca.grouping import Group, Grouping, group
from qcbench.oca.mistakes import examine_rules
from qcbench.oca.parser import load_rules, parse_expression, parse_rules
from qcbench.oca.printer import print_expression, print_rules
from qcbench.oca.rules import Action, Association, Organizer, Product, RuleSet
from qcbench.oca.validity import Validity, Window, validity_of
from qcbench.oca.values import Keys, Value

__all__ = [
    "TYPE_KEYS",
    "Action",
    "Association",
    "Candidate",
    "CandidatePool",
    "Cascade",
    "Classification",
    "Classifier",
    "ConditionResult",
    "Expression",
    "Finding",
    "Group",
    "Grouping",
    "Keys",
    "Match",
    "Need",
    "Organizer",
    "Product",
    "RuleSet",
    "Validity",
    "Value",
    "Window",
    "cascade_of",
    "check_rules",
    "classify",
    "examine_rules",
    "explain",
    "group",
    "load_rules",
    "matches",
    "parse_expression",
    "parse_rules",
    "preferred",
    "print_expression",
    "print_rules",
    "product_keys",
    "validity_of",
]
