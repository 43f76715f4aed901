"""Move, rename, ingest, told step by step."""

from __future__ import annotations

from qcbench.apps.distribute import run_distribution, waiting_steps
from qcbench.certification import decide
from qcbench.core.locks import exclusive
from tests.apps.conftest import Night
from tests.builders import DATE, INSTRUMENT, find_ab, state_of


def test_each_step_is_seen_running_before_it_is_done(night: Night) -> None:
    decide(night.bench, night.green, "certified", by="anna", comment="")
    seen = [[step.state for step in steps] for steps in run_distribution(night.bench, INSTRUMENT, DATE)]
    assert seen[0] == ["running", "waiting", "waiting", "waiting", "waiting"]
    assert seen[1] == ["done", "waiting", "waiting", "waiting", "waiting"]
    assert seen[-1] == ["done"] * 5
    assert [step.state for step in waiting_steps()] == ["waiting"] * 5


def test_a_step_that_fails_says_why_and_nothing_is_ingested_after_it(night: Night) -> None:
    decide(night.bench, night.green, "certified", by="anna", comment="")
    with night.bench.store.read() as session:
        for product in find_ab(session, night.green).products:
            (night.bench.settings.root / str(product.path)).unlink()
    *_, last = run_distribution(night.bench, INSTRUMENT, DATE)
    assert [step.state for step in last] == ["failed", "skipped", "skipped", "skipped", "done"]
    assert night.green in last[0].text
    assert state_of(night.bench, night.green) == "certified"


def test_two_pages_do_not_distribute_the_same_date_at_once(night: Night) -> None:
    with exclusive(night.bench.tree.locks, f"distribution-{INSTRUMENT}-{DATE}"):
        *_, last = run_distribution(night.bench, INSTRUMENT, DATE)
    assert last[0].state == "failed"
    assert "is running" in last[0].text
