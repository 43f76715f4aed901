"""What was said and decided is never changed or taken away, only followed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from qcbench.core.dates import utc_now
from qcbench.core.errors import StoreError
from qcbench.store import AssociationBlock, Comment, Decision, Event, Store, record_event
from tests.builders import add_ab

MODELS = [Event, Decision, Comment]


@pytest.fixture
def filled(store: Store) -> Store:
    with store.write() as session:
        ab = add_ab(session, 1.0, name="A.ab", frames=())
        record_event(session, "a-tool", "cal_AB", "said", ab=ab)
        session.add(Comment(kind="ab", target="A.ab", text="said", by="somebody", at=utc_now()))
        session.add(
            Decision(
                ab=ab, verdict="certified", scope="ab", by="somebody", at=utc_now(), comment="said",
                automatic=False, policy="",
            )
        )  # fmt: skip
    return store


def changed(session: Session, model: type[Event]) -> None:
    row = session.scalars(select(model)).one()
    row.at = utc_now()


def removed(session: Session, model: type[Event]) -> None:
    session.delete(session.scalars(select(model)).one())


def changed_in_bulk(session: Session, model: type[Event]) -> None:
    session.execute(update(model).values(at=utc_now()))


def removed_in_bulk(session: Session, model: type[Event]) -> None:
    session.execute(delete(model))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("act", [changed, removed, changed_in_bulk, removed_in_bulk])
def test_a_row_is_neither_changed_nor_removed(
    filled: Store, model: type[Event], act: Callable[[Session, type[Event]], None]
) -> None:
    with filled.read() as session:
        before = session.scalars(select(model.at)).all()
    with (
        pytest.raises(StoreError, match=f"{model.__name__} rows are only ever added"),
        filled.write() as session,
    ):
        act(session, model)
    with filled.read() as session:
        assert session.scalars(select(model.at)).all() == before


def test_an_ab_with_a_decision_is_not_removed(filled: Store) -> None:
    with pytest.raises(StoreError), filled.write() as session:
        session.delete(session.scalars(select(AssociationBlock)).one())
    with filled.read() as session:
        assert session.scalars(select(AssociationBlock.name)).all() == ["A.ab"]


def test_other_rows_are_changed_in_bulk_as_ever(filled: Store) -> None:
    with filled.write() as session:
        session.execute(update(AssociationBlock).values(setup="DIT20"))
    with filled.read() as session:
        assert session.scalars(select(AssociationBlock.setup)).all() == ["DIT20"]
