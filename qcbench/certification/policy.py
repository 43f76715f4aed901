"""The policy: which ABs are offered for review, and why, in words.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.3 and 5.5.5: red ABs and a random share of the green
ones are reviewed, the others are certified automatically.
"""

from __future__ import annotations

import hashlib

from qcbench.core.settings import CertificationSection
from qcbench.scoring import Verdict, score_count, verdicts_of, worst_first
from qcbench.store import ABState, AssociationBlock


def review_reason(ab: AssociationBlock, settings: CertificationSection) -> str | None:
    """Say why a person has to see an AB: failed, red, unscored, sampled or manual.

    None means that it may be certified automatically: it is green, and there is a report of it. The sample of green
    ABs depends on their names and the seed of the workbench alone, so that it is the same in every call.
    """
    if ab.state == ABState.FAILED:
        return "failed"
    count = score_count(ab)
    if count.n_red:
        return "red"
    if not count.n_scored:
        return "unscored"
    if not settings.auto or ab.report_path is None:
        return "manual"
    return "sampled" if _drawn(ab.name, settings.sample_seed) < settings.sample_fraction else None


def explain(ab: AssociationBlock, tag: str, settings: CertificationSection) -> str:
    """Say in a sentence what the tag of `review_reason` means for an AB."""
    if tag == "failed":
        return ab.reason or "It failed, and nothing says why: see its log"
    if tag == "red":
        return worst_first(verdicts_of(ab))[0].sentence()
    if tag == "unscored":
        return "None of its QC parameters has a threshold in force"
    green = all_green(ab)
    if tag == "sampled":
        return f"{green}; it was drawn for the sample of {settings.sample_fraction:.0%}"
    if ab.report_path is None:
        return f"{green}; its QC report could not be made"
    return f"{green}; automatic certification is switched off"


def brief(ab: AssociationBlock, tag: str, settings: CertificationSection) -> str:
    """Say the same in a few words, the detector first: for a list, where a line is short."""
    if tag == "failed":
        return ab.reason or "no reason known"
    if tag == "red":
        worst = worst_first(verdicts_of(ab))[0]
        return f"{worst.detector} {_direction(worst)} {worst.label}"
    if tag == "sampled":
        return f"{settings.sample_fraction:.0%} of the green"
    if tag == "manual" and ab.report_path is None:
        return "its QC report could not be made"
    return {"unscored": "no limits in force", "manual": "all are reviewed"}.get(tag, tag)


def _direction(verdict: Verdict) -> str:
    if verdict.value is None:
        return "missing"
    return "▲" if verdict.high is not None and verdict.value > verdict.high else "▼"


def all_green(ab: AssociationBlock) -> str:
    """Say that all scores of an AB are green."""
    number = score_count(ab).n_scored
    return f"All {number} scores are green" if number != 1 else "Its only score is green"


def _drawn(name: str, seed: str) -> float:
    """Return a number in [0, 1) that is fixed for a name and a seed."""
    digest = hashlib.sha256(f"{seed}|{name}".encode()).digest()
    # 53 bits are what a float holds: more could round up to 1
    return (int.from_bytes(digest[:8]) >> 11) / 2**53
