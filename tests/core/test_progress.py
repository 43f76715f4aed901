"""A progress bar shows long work to people, and leaves the logs of cron alone."""

from __future__ import annotations

import pytest

from qcbench.core.progress import progress_bar, silent


def test_a_bar_counts_its_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(2, "frames", show=True) as advance:
        advance("A.fits")
        advance("B.fits")
    shown = capsys.readouterr()
    assert "frames" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(("total", "show"), [(2, None), (0, True), (2, False)])
def test_nothing_is_shown_off_a_terminal_or_without_work(
    capsys: pytest.CaptureFixture[str], total: int, show: bool | None
) -> None:
    with progress_bar(total, "frames", show=show) as advance:
        advance("A.fits")
        silent("A.fits")
    assert capsys.readouterr() == ("", "")
