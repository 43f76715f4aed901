"""Certification: which ABs a person has to see, what was decided on them, and what a rejection does."""

from qcbench.certification.automatic import CertificationResult, certify_products
from qcbench.certification.decisions import comment_on, decide
from qcbench.certification.policy import explain, review_reason
from qcbench.certification.queue import QueueItem, queue
from qcbench.certification.rejection import impact

__all__ = [
    "CertificationResult",
    "QueueItem",
    "certify_products",
    "comment_on",
    "decide",
    "explain",
    "impact",
    "queue",
    "review_reason",
]
