"""The night that every fault befalls, made once in a run, and what each fault led to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults import rig as rigs
from tests.faults.befall import Outcome, is_beyond
from tests.faults.table import EQUAL, LATER, OUTCOMES, add


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> rigs.Rig:
    return rigs.build(tmp_path_factory.mktemp("rig"))


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Note for the table of faults what was injected how often, and what it led to."""

    def note(fault: str, outcome: str, times: int = 1) -> None:
        assert outcome in OUTCOMES
        add(request.node.user_properties, fault, outcome, times)

    return note


@pytest.fixture
def judge(rig: rigs.Rig, tell: Callable[..., None]) -> Callable[[str, Outcome, int], None]:
    """Look for what is wrong with how it ended, and note it for the table of faults where one has struck."""

    def note(fault: str, outcome: Outcome, moment: int) -> None:
        assert outcome.problems() == []
        if not is_beyond(rig, moment, outcome.first):
            tell(fault, EQUAL if outcome.is_equal else LATER)

    return note
