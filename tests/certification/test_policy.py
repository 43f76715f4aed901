"""Red, failed and unscored ABs are always reviewed; of the green ones a random share (handbook 4.1.3, 5.5.5)."""

from __future__ import annotations

import pytest

from qcbench.certification import explain, review_reason
from qcbench.core.settings import CertificationSection
from qcbench.store import ABState, AssociationBlock, Score
from tests.builders import add_ab, add_score

NO_SAMPLE = CertificationSection(sample_fraction=0)


def block(*verdicts: int | None, name: str = "A.ab", state: ABState = ABState.SCORED) -> AssociationBlock:
    scores = [Score(verdict=verdict) for verdict in verdicts]
    return AssociationBlock(name=name, state=state, scores=scores, report_path="plots/x.html")


@pytest.mark.parametrize(
    ("ab", "reason"),
    [
        (block(0, 0), None),
        (block(0, 1, None), "red"),
        (block(None, None), "unscored"),
        (block(), "unscored"),
        (block(0, state=ABState.FAILED), "failed"),
    ],
)
def test_the_scores_say_who_has_to_look(ab, reason):
    assert review_reason(ab, NO_SAMPLE) == reason


def test_without_automatic_certification_every_green_ab_is_offered():
    settings = CertificationSection(auto=False, sample_fraction=1)
    assert review_reason(block(0), settings) == "manual"
    assert review_reason(block(1), settings) == "red"


def drawn(seed: str, fraction: float) -> set[str]:
    settings = CertificationSection(sample_fraction=fraction, sample_seed=seed)
    names = [f"TINY.{number:04d}.ab" for number in range(2000)]
    return {name for name in names if review_reason(block(0, name=name), settings) == "sampled"}


def test_a_fifth_of_the_green_abs_is_drawn_and_always_the_same_ones():
    first = drawn("seed", 0.2)
    assert 340 < len(first) < 460
    assert drawn("seed", 0.2) == first
    assert drawn("another seed", 0.2) != first
    assert drawn("seed", 0.1) < first


def test_a_share_of_nothing_draws_none_and_a_share_of_one_draws_all():
    assert not drawn("seed", 0.0)
    assert len(drawn("seed", 1.0)) == 2000


def test_the_reason_is_told_in_a_sentence(bench):
    with bench.store.write() as session:
        red = add_ab(session, 1)
        for value, verdict in ((11.3, 1), (14.9, 1), (9.0, 0)):
            add_score(session, red, value, verdict)
        failed = add_ab(session, 2, state=ABState.FAILED, reason="the recipe timed out after 1800 s")
        assert explain(red, "red", NO_SAMPLE) == "Readout noise of CHIP2 is 14.9 ADU, above 11.2"
        assert explain(failed, "failed", NO_SAMPLE) == "the recipe timed out after 1800 s"
        sample = explain(red, "sampled", CertificationSection())
        assert sample == "All 3 scores are green; it was drawn for the sample of 20%"
