"""An AB goes through its life by checked steps, each with an event."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import select

from qcbench.core.errors import StoreError, TransitionError
from qcbench.store import ABState, AssociationBlock, Event, Store, advance, record_event
from qcbench.store.states import NEXT
from tests.builders import add_ab

PAIRS = list(itertools.product(ABState, ABState))
LEGAL = [(old, new) for old, new in PAIRS if new in NEXT[old]]
ILLEGAL = [(old, new) for old, new in PAIRS if new not in NEXT[old]]


@pytest.mark.parametrize(("old", "new"), LEGAL)
def test_a_step_of_its_life_changes_the_state_and_adds_an_event(
    store: Store, old: ABState, new: ABState
) -> None:
    with store.write() as session:
        advance(session, add_ab(session, 1.0, name="A.ab", frames=(), state=old), new, "a-tool")
    with store.read() as session:
        ab, event = session.scalars(select(AssociationBlock)).one(), session.scalars(select(Event)).one()
    assert ab.state == new
    # its creation is told once
    flag = "ab_unqueued" if new == ABState.CREATED else f"ab_{new}"
    assert (event.ab_name, event.flag, event.tool, event.message) == (
        "A.ab",
        flag,
        "a-tool",
        f"{old} → {new}",
    )


def test_no_other_step_is_possible(store: Store) -> None:
    with store.write() as session:
        ab = add_ab(session, 1.0, name="A.ab", frames=())
        for old, new in ILLEGAL:
            ab.state = old
            with pytest.raises(TransitionError, match=f"A.ab: can't go from '{old}' to '{new}'"):
                advance(session, ab, new, "a-tool")
            assert ab.state == old
    with store.read() as session:
        assert session.scalars(select(Event)).all() == []


def test_every_state_is_reached_from_created_and_only_ingested_is_an_end() -> None:
    reached = {ABState.CREATED}
    for _ in ABState:
        reached |= {new for old in reached for new in NEXT[old]}
    assert reached == set(ABState)
    assert [state for state in ABState if not NEXT[state]] == [ABState.INGESTED]


def go_too_far(store: Store) -> None:
    with store.write() as session:
        ab = session.scalars(select(AssociationBlock)).one()
        advance(session, ab, ABState.QUEUED, "a-tool")
        advance(session, ab, ABState.INGESTED, "a-tool")


def test_a_refused_step_leaves_nothing_of_its_transaction(store: Store) -> None:
    with store.write() as session:
        add_ab(session, 1.0, name="A.ab", frames=(), state=ABState.CREATED)
    with pytest.raises(TransitionError):
        go_too_far(store)
    with store.read() as session:
        assert session.scalars(select(AssociationBlock.state)).one() == "created"
        assert session.scalars(select(Event)).all() == []


def test_an_ab_that_was_read_in_another_session_is_refused(store: Store) -> None:
    with store.write() as session:
        stale = add_ab(session, 1.0, name="A.ab", frames=())
    with store.write() as session, pytest.raises(StoreError, match="read it in the session"):
        advance(session, stale, ABState.QUEUED, "a-tool")


def test_an_event_of_a_date_belongs_to_no_ab(store: Store) -> None:
    with store.write() as session:
        record_event(session, "create-ab", "cal_AB", "done", instrument="tiny")
    with store.read() as session:
        event = session.scalars(select(Event)).one()
    assert (event.ab_name, event.instrument, event.level) == (None, "tiny", "info")
    assert event.user
    assert event.at.utcoffset() is not None
