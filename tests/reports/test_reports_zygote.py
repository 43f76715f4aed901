"""The warm process of the reports, whose owner may end at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "qcbench.reports.zygote"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def request(folder: Path) -> str:
    return json.dumps({"arguments": [], "folder": str(folder), "environment": {}}) + "\n"


def test_a_kernel_whose_folder_has_gone_ends_without_a_word_and_the_next_is_made(tmp_path: Path) -> None:
    process = start()
    said, complaint = process.communicate(request(tmp_path / "gone") * 2, timeout=60)
    assert len({int(line) for line in said.split()}) == 2
    assert complaint == ""
    assert process.returncode == 0


def test_it_ends_without_a_word_when_nobody_hears_its_answers(tmp_path: Path) -> None:
    process = start()
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    process.stdin.write(request(tmp_path / "gone"))
    process.stdin.flush()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    process.stdin.close()
    process.stderr.close()
