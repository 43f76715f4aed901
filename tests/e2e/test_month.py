"""Nights of three instruments, hour by hour, with anomalies and late files: nothing is unaccounted for in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcbench.workflow import account, auto_daily
from tests.e2e.month import SETTINGS, WINDOWS, hours, live
from tests.workflow.state import rows

NIGHTS = 2


@pytest.mark.long
@pytest.mark.esorex
@pytest.mark.timeout(1800)
def test_every_file_and_every_ab_is_accounted_for(tmp_path: Path) -> None:
    bench = live(tmp_path, WINDOWS, NIGHTS, SETTINGS)
    for name in WINDOWS:
        files, blocks = account(bench, name)
        assert files.missing == 0
        calibrations = files.files - sum(n for why, n in files.others.items() if why.startswith("SCIENCE"))
        assert files.in_abs > 0.9 * calibrations
        assert blocks.missing == 0
        assert blocks.succeeded > 0.5 * blocks.created
        assert all(blocks.failures)
        assert all(blocks.waiting.values())
    before = rows(bench)
    *_, last = hours(NIGHTS)
    auto_daily(bench, through="ingested", now=last, show=False)
    assert rows(bench) == before
