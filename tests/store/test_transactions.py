"""Writers queue up, readers never wait, and a block that fails leaves nothing."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from qcbench.core.dates import utc_now
from qcbench.core.errors import StoreError
from qcbench.store import ABInput, AssociationBlock, Comment, Store
from tests.builders import add_ab

EAST = dt.timezone(dt.timedelta(hours=5, minutes=30))

ADD = """
import sys
from qcbench.core.dates import utc_now
from qcbench.store import Comment, Store
store = Store(sys.argv[1])
store.upgrade()
for number in range(25):
    with store.write() as session:
        session.add(Comment(kind="ab", target="A.ab", text=str(number), by="x", at=utc_now()))
"""


def comment(text_: str = "said", at: dt.datetime | None = None) -> Comment:
    return Comment(kind="ab", target="A.ab", text=text_, by="x", at=at or utc_now())


def n_comments(store: Store) -> int:
    with store.read() as session:
        return session.scalar(select(func.count()).select_from(Comment)) or 0


def fail_after_adding(store: Store) -> None:
    with store.write() as session:
        session.add(comment())
        session.flush()
        raise ZeroDivisionError


def test_a_block_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_after_adding(store)
    assert n_comments(store) == 0


def test_a_reading_session_changes_nothing(store: Store) -> None:
    with store.read() as session:
        session.add(comment())
        session.flush()
    assert n_comments(store) == 0


def test_writers_of_two_processes_queue_up(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    command = [sys.executable, "-c", ADD, url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[1] for process in processes] == ["", ""]
    assert n_comments(Store(url)) == 50


def test_writers_of_many_threads_queue_up(store: Store) -> None:
    def add(number: int) -> None:
        with store.write() as session:
            count = session.scalar(select(func.count()).select_from(Comment))
            session.add(comment(f"{count}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    with store.read() as session:
        said = session.scalars(select(Comment.text).order_by(Comment.id)).all()
    assert said == [str(number) for number in range(40)], "nobody read what another was about to change"


def test_a_reader_does_not_wait_for_a_writer(store: Store) -> None:
    with store.write() as session:
        session.add(comment())
        session.flush()
        assert n_comments(store) == 0
    assert n_comments(store) == 1


def test_foreign_keys_hold(store: Store) -> None:
    stray = ABInput(ab_id=76, frame_id=77, role="RAWFILE", tag="DARK", position=0)
    with pytest.raises(StoreError, match="FOREIGN KEY"), store.write() as session:
        session.add(stray)


def add_twice(session: Session) -> None:
    for hours in (1.0, 2.0):
        add_ab(session, hours, name="A.ab", frames=())


def test_a_name_that_is_taken_is_an_error_of_the_store(store: Store) -> None:
    with pytest.raises(StoreError, match=r"UNIQUE.*Nothing was changed"), store.write() as session:
        add_twice(session)
    with store.read() as session:
        assert session.scalars(select(AssociationBlock.name)).all() == []


@pytest.mark.parametrize("zone", [dt.UTC, EAST])
def test_a_time_comes_back_in_ut_to_the_microsecond(store: Store, zone: dt.tzinfo) -> None:
    when = dt.datetime(2020, 1, 11, 2, 29, 59, 123_456, zone)
    with store.write() as session:
        session.add(comment(at=when))
    with store.read() as session:
        back = session.scalars(select(Comment.at)).one()
        raw = session.scalar(text("select at from comments"))
    assert back == when
    assert back.tzinfo is dt.UTC
    assert raw == when.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def test_a_time_without_zone_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no time zone"), store.write() as session:
        session.add(comment(at=dt.datetime(2020, 1, 10)))
    assert n_comments(store) == 0


def test_hostile_text_is_kept_as_it_is(store: Store) -> None:
    hostile = "'); DROP TABLE comments; --\n<script>alert(1)</script> \u202e %s :x {}"
    with store.write() as session:
        session.add(comment(hostile))
    with store.read() as session:
        assert session.scalars(select(Comment.text)).one() == hostile


def test_a_store_that_is_closed_leaves_no_file_open(store: Store, tmp_path: Path) -> None:
    def are_open() -> set[str]:
        # other tests in this process have stores of their own
        return {file.path for file in psutil.Process().open_files() if file.path.startswith(f"{tmp_path}/")}

    n_comments(store)
    assert str(tmp_path / "state.db") in are_open()
    store.dispose()
    assert not are_open()
