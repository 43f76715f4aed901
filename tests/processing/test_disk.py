"""A recipe that failed on a full disk is not to blame, unless it filled the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcbench.core.errors import FileWriteError
from qcbench.processing.disk import blame_disk
from qcbench.processing.engines import RecipeJob
from qcbench.processing.running import Limits
from qcbench.workbench import Workbench, make_workbench

# MiB: more than any disk has
FULL = {"QCBENCH_PROCESSING_MIN_FREE_MB": "1e12"}


def job(bench: Workbench, disk_mb: float) -> RecipeJob:
    work = bench.tree.work
    (work / "temporary").write_bytes(bytes(2**21))
    return RecipeJob("a.ab", "dark", "dark", (), {}, work, work, work / "log", Limits(60, disk_mb=disk_mb))


@pytest.mark.parametrize("disk_mb", [0, 3])
def test_a_full_disk_is_to_blame(tmp_path: Path, disk_mb: float) -> None:
    bench = make_workbench(tmp_path, ("hawki",), FULL)
    with pytest.raises(FileWriteError, match=r"code 5; and only \d+ MiB are free below .* call again"):
        blame_disk(bench, job(bench, disk_mb), "it ended with code 5")


def test_who_wrote_more_than_it_may_is_to_blame(tmp_path: Path) -> None:
    bench = make_workbench(tmp_path, ("hawki",), FULL)
    blame_disk(bench, job(bench, 1), "it wrote 2 MiB")


def test_where_there_is_space_no_disk_is_to_blame(tmp_path: Path) -> None:
    bench = make_workbench(tmp_path, ("hawki",), {"QCBENCH_PROCESSING_MIN_FREE_MB": "0"})
    blame_disk(bench, job(bench, 0), "it ended with code 5")
