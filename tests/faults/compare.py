"""A workbench in which ABs failed, compared with one that no fault befell: row by row, and file by file."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select

from qcbench.store import ABState, AssociationBlock, Event
from qcbench.workbench import Workbench
from tests.faults import rig as rigs
from tests.nights import NIGHT
from tests.workflow.state import files

# of stages that `rigs.run` leaves out
_PAGES = {
    f"data/hawki/listings/REPORT/list_HAWKI_{NIGHT}_data.html",
    f"data/hawki/logs/{NIGHT}/status_{NIGHT}.html",
}


def only_these_suffer(rig: rigs.Rig, bench: Workbench, victims: set[str]) -> None:
    """The victims have failed, what needs them waits, and all else is as without a fault, row by row."""
    states = rigs.states(bench)
    assert {name for name, state in states.items() if state == ABState.FAILED} == victims
    waiting = {name for name, state in states.items() if state == ABState.QUEUED}
    assert rig.child in waiting
    with bench.store.read() as session:
        blocks = {ab.name: ab for ab in session.scalars(select(AssociationBlock))}
        for name in waiting:
            assert victims & {use.product.maker.name for use in blocks[name].calibrations}
        suffering = waiting | victims
        raw = {item.frame.arcfile for name in suffering for item in blocks[name].inputs}
        errors = session.scalars(select(Event).where(Event.level == "error")).all()
        assert {event.ab_name for event in errors} <= victims
    own = {name.removesuffix(".ab") for name in suffering}

    def others(table: list[rigs.Row]) -> list[rigs.Row]:
        return [row for row in table if not any(name in str(row) for name in own)]

    found = rigs.rows_of(bench)
    assert found.keys() == rig.rows.keys()
    for name, table in rig.rows.items():
        assert others(found[name]) == others(table), name
    differing = (rig.files ^ files(bench.settings.root)) - _PAGES
    assert {path for path in differing if not any(name in path for name in own | raw)} == set()
    assert rigs.damaged(bench) == []


def all_is_mended(rig: rigs.Rig, bench: Workbench, victims: set[str], runs: int) -> None:
    """All is as without a fault, but for one more attempt of each victim and what is kept of the failed one.

    That is so many `runs` of its recipe: none where it could not be started.
    """
    found = rigs.rows_of(bench)
    expected = {name: Counter(table) for name, table in rig.rows.items()}
    expected["abs"] = Counter(_tried_twice(row, victims) for row in rig.rows["abs"])
    failed = Counter(row for row in found["recipe_runs"] if ("reason", "None") not in row)
    assert all(len([row for row in failed if ("ab", name) in row]) == runs for name in victims)
    expected["recipe_runs"] += failed
    tried = victims if runs else set()
    assert failed.total() == len(tried)
    expected["run_files"] += Counter(row for row in rig.rows["run_files"] if row[0] in tried and not row[1])
    assert found.keys() == expected.keys()
    for name, table in expected.items():
        assert Counter(found[name]) == table, name
    assert files(bench.settings.root) == rig.files - _PAGES
    assert rigs.damaged(bench) == []


def _tried_twice(row: rigs.Row, victims: set[str]) -> rigs.Row:
    """The row of an AB; a victim has one attempt more."""
    if not any(("name", name) in row for name in victims):
        return row
    assert ("attempts", "1") in row
    return tuple(("attempts", "2") if item == ("attempts", "1") else item for item in row)
