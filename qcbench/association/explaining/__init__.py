"""Why: for a frame, which rules gave it its type and its AB; for an AB, what decided each association."""

from qcbench.association.explaining.blocks import ABExplanation, AssociationExplanation, explain_ab
from qcbench.association.explaining.candidates import CandidateExplanation
from qcbench.association.explaining.frames import FrameExplanation, explain_frame
from qcbench.association.explaining.telling import ab_lines, frame_lines

__all__ = [
    "ABExplanation",
    "AssociationExplanation",
    "CandidateExplanation",
    "FrameExplanation",
    "ab_lines",
    "explain_ab",
    "explain_frame",
    "frame_lines",
]
