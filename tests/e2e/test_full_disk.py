"""A full disk: a clear message, nothing lost, and the next call goes on where there is space again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.tmpfs

# runs in a mount namespace of its own, with the workbench on a file system of a few MiB
SCRIPT = """
import os, sys
from pathlib import Path
from sqlalchemy import select
from qcbench.association import create_abs, load_headers, scan_archive
from qcbench.core.errors import QcbenchError
from qcbench.processing import create_job, process_ab
from qcbench.store import AssociationBlock
from qcbench.workbench import make_workbench
from qcbench.workflow import auto_daily
from tests.nights import NIGHT, simulated_archive

root = Path(sys.argv[1])
bench = make_workbench(root, ("hawki",), os.environ)
simulated_archive(Path(sys.argv[2]), window=128)

def states():
    with bench.store.read() as session:
        return sorted(session.scalars(select(AssociationBlock.state).where(AssociationBlock.recipe != "NONE")))

auto_daily(bench, dates=[], show=False)
load_headers(bench, "hawki", NIGHT)
create_abs(bench, "hawki", NIGHT)
job = create_job(bench, "hawki", NIGHT)
ballast = root / "ballast"
with ballast.open("wb") as stream:
    try:
        while True:
            stream.write(b"x" * 65536)
            stream.flush()
    except OSError:
        pass
try:
    process_ab(bench, job.queued[0])
    print("no error")
except QcbenchError as err:
    print("error:", err)
ballast.unlink()
print("left:", sorted(path.name for path in root.rglob(".tmp-*")))
print("states:", set(states()))
auto_daily(bench, show=False)
print("after:", set(states()))
"""


def test_nothing_is_lost_when_the_disk_is_full(tmp_path):
    small, archive = tmp_path / "small", tmp_path / "archive"
    small.mkdir()
    mount = f'mount -t tmpfs -o size=24m tmpfs "{small}"'
    command = f'{mount} && exec "{sys.executable}" -c "$SCRIPT" "{small}" "{archive}"'
    environ = {
        **os.environ,
        "SCRIPT": SCRIPT,
        "QCBENCH_PROCESSING_ENGINE": "python",
        "QCBENCH_ARCHIVE_PATH": str(archive),
        "QCBENCH_PROCESSING_MIN_FREE_MB": "0",
    }
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command], env=environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    lines = dict(line.split(": ", 1) for line in ended.stdout.splitlines())
    assert "disk is full" in lines["error"] or "full" in lines["error"]
    assert "call again" in lines["error"]
    assert lines["left"] == "[]"
    assert lines["states"] in ("{'queued'}", "{'processing', 'queued'}")
    assert lines["after"] == "{'scored'}"
