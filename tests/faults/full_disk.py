"""A program for a small file system: fills it at one moment of auto-daily after the other, and tells how each ended.

Everything meets the same full disk: files, the database, the logs, the recipes.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.faults import daily
from tests.faults import rig as rigs
from tests.faults.befall import is_beyond, look
from tests.faults.disturbances import Full

REPOSITORY = Path(__file__).resolve().parents[2]
_MOUNTED = 'mount -t tmpfs -o size=60m tmpfs "$1" && exec "$0" -m tests.faults.full_disk "$2" "$1" "$3"'


def run_on_small_disk(rig: rigs.Rig, folder: Path, moments: Iterable[int]) -> list[dict[str, Any]]:
    """Run this program in a mount namespace of its own, its folder on a file system of some MiB."""
    kept, small = folder / "rig.pickle", folder / "small"
    kept.write_bytes(pickle.dumps(rig))
    small.mkdir()
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", _MOUNTED, sys.executable, str(small), str(kept), json.dumps(list(moments))],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "QCBENCH_PROCESSING_MIN_FREE_MB": "0"},
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    return [json.loads(line) for line in ended.stdout.splitlines()]


def _outcomes(rig: rigs.Rig, folder: Path, moments: Iterable[int]) -> Iterator[dict[str, Any]]:
    root, ballast = folder / "bench", folder / "ballast"
    for moment in moments:
        rig.fresh(root).close()
        first = daily.run(rig, root, Full(moment, ballast), output=folder.parent / "said")
        ballast.unlink(missing_ok=True)
        outcome = look(rig, root, first)
        yield {
            "moment": moment,
            "is_beyond": is_beyond(rig, moment, first),
            "is_equal": outcome.is_equal,
            "problems": outcome.problems(),
            "said": outcome.first.said,
            "code": outcome.first.code,
        }
        shutil.rmtree(root)


if __name__ == "__main__":
    _, kept_in, small_disk, listed = sys.argv
    for one in _outcomes(pickle.loads(Path(kept_in).read_bytes()), Path(small_disk), json.loads(listed)):
        print(json.dumps(one), flush=True)  # noqa: T201 (that is how it tells)
