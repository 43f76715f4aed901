"""A workbench whose queue has one AB of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from qcbench.store import ABState
from qcbench.workbench import Workbench
from tests import builders

HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass(frozen=True)
class Night:
    """A workbench and the names of its ABs."""

    bench: Workbench
    red: str
    green: str
    failed: str
    unscored: str
    user: str


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    """A red dark that a flat used, a green one, a failed flat, a dark without scores; all wait for a person."""
    root = tmp_path / "bench"
    bench = builders.build_workbench(root, {"QCBENCH_CERTIFICATION_SAMPLE_FRACTION": "1"})
    red = builders.add_dark(bench, 1, ron=12.9)
    green = builders.add_dark(bench, 2)
    user = builders.add_flat(bench, 3, red)
    with bench.store.write() as session:
        log = root / "data" / "tiny" / "logs" / "failed.log"
        log.write_text("\n".join(f"line {number} {HOSTILE}" for number in range(1000)))
        failed = builders.add_ab(
            session, 4, raw_type="FLAT", state=ABState.FAILED, reason="frame is truncated", log_path=str(log)
        ).name
        frame = builders.add_frame(session, 5, keys={"OBJECT": HOSTILE})
        unscored = builders.add_ab(session, 5, frames=[frame], setup=HOSTILE).name
    yield Night(bench, red, green, failed, unscored, user)
    bench.close()
