"""A template runs in a kernel of its own, which is gone afterwards, whatever happened."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from qcbench.core.errors import ReportError
from qcbench.reports import engine
from qcbench.reports.engine import START_ATTEMPTS
from qcbench.reports.execute import run_notebook
from qcbench.reports.zygote import Zygote, zygote

HEAD = "from qcbench.reports.sections import Head\nHead('Title', 'All is well.', 'ok')"
SVG = "from IPython.display import SVG\nSVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')"


def template(folder: Path, *cells: str) -> Path:
    made = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {},
            "source": cell,
            "execution_count": None,
            "outputs": [],
        }
        for n, cell in enumerate(cells)
    ]
    made[0]["metadata"] = {"tags": ["parameters"]}
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    path = folder / "template.ipynb"
    path.write_text(json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_a_page_is_made_of_what_the_cells_displayed(tmp_path):
    told = run_notebook(template(tmp_path, "ab = ''", HEAD, SVG, "ab", "print('noise')"), {"ab": "A.1"})
    assert told.head().headline == "All is well."
    assert str(told.body()).strip().startswith("<svg")
    assert "noise" not in told.body()


def test_a_notebook_without_a_head_is_no_report(tmp_path):
    with pytest.raises(ReportError, match="displayed no head"):
        run_notebook(template(tmp_path, "ab = ''"), {}).head()


def test_a_cell_that_fails_is_named_with_its_error(tmp_path):
    with pytest.raises(ReportError, match=r"template\.ipynb: ZeroDivisionError: division by zero\. "):
        run_notebook(template(tmp_path, "1 / 0"), {})


def test_a_stuck_cell_is_stopped_and_its_kernel_is_gone(tmp_path):
    note = tmp_path / "pid"
    stuck = f"import os, time\nopen({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    with pytest.raises(ReportError, match=r"took longer than 1 s"):
        run_notebook(template(tmp_path, stuck), {}, timeout_s=1)
    assert not psutil.pid_exists(int(note.read_text()))


def test_a_kernel_that_dies_is_an_error_and_is_not_tried_again(tmp_path):
    note = tmp_path / "starts"
    dying = f"import os, signal\nopen({str(note)!r}, 'a').write('x')\nos.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(ReportError, match="kernel died"):
        run_notebook(template(tmp_path, dying), {})
    assert note.read_text() == "x"


def test_what_a_cell_writes_to_the_standard_output_disturbs_no_one(tmp_path):
    noisy = template(tmp_path, "import os\n_ = os.write(1, b'12345\\n')")
    first, second = run_notebook(noisy, {}), run_notebook(noisy, {})
    assert len(first.content["cells"]) == len(second.content["cells"])


def test_a_kernel_starts_in_an_empty_folder_and_leaves_none(tmp_path):
    told = run_notebook(template(tmp_path, "import os\nos.getcwd()"), {})
    (folder,) = re.findall(r"/[^'\"]*qcb-[a-z0-9_]+", told.text)
    assert not Path(folder).exists()


def test_a_start_that_fails_is_tried_again(tmp_path, monkeypatch):
    real, calls = Zygote.fork, []

    def fork(self, *arguments):
        calls.append(arguments)
        if len(calls) < START_ATTEMPTS:
            raise ReportError("no kernel this time")
        return real(self, *arguments)

    monkeypatch.setattr(Zygote, "fork", fork)
    assert run_notebook(template(tmp_path, "1"), {}).content
    assert len(calls) == START_ATTEMPTS


def test_a_start_that_always_fails_is_an_error(tmp_path, monkeypatch):
    def fork(self, *arguments):
        raise ReportError("no kernel at all")

    monkeypatch.setattr(Zygote, "fork", fork)
    with pytest.raises(ReportError, match=r"no kernel at all \(3 attempts\)"):
        run_notebook(template(tmp_path, "1"), {})


@pytest.fixture
def pids(monkeypatch):
    """The kernels that were started; silence is noticed after a second."""
    real, found = Zygote.fork, []

    def fork(self, *arguments):
        found.append(real(self, *arguments))
        return found[-1]

    monkeypatch.setattr(Zygote, "fork", fork)
    monkeypatch.setattr(engine, "SILENCE_S", 1)
    return found


def test_a_kernel_that_gets_a_cell_and_says_nothing_is_replaced(tmp_path, monkeypatch, pids):
    """It is stopped before it gets the cell, so that it lives and never says that the cell runs."""
    real = engine._Client.owes

    def stop(client, **cell):
        real(client, **cell)
        if len(pids) == 1:
            os.kill(pids[0], signal.SIGSTOP)

    monkeypatch.setattr(engine._Client, "owes", stop)
    found = run_notebook(template(tmp_path, "1", "6 * 7"), {})
    assert "'text/plain': '42'" in str(found.content)
    assert len(pids) == 2
    assert not psutil.pid_exists(pids[0])


def test_kernels_that_are_all_silent_are_an_error(tmp_path, monkeypatch, pids):
    def stop(client, **_cell):
        os.kill(pids[-1], signal.SIGSTOP)
        client.owing_since = 0.0

    monkeypatch.setattr(engine._Client, "owes", stop)
    with pytest.raises(ReportError, match=r"silent for 1 s \(3 attempts\). Call again"):
        run_notebook(template(tmp_path, "1"), {})
    assert len(pids) == START_ATTEMPTS


def test_a_cell_that_displays_nothing_for_long_is_not_taken_as_silent(tmp_path, pids):
    found = run_notebook(template(tmp_path, "import time\ntime.sleep(4)\n'done'"), {})
    assert "done" in found.text
    assert len(pids) == 1


def test_a_warm_process_that_was_killed_is_replaced(tmp_path):
    first = run_notebook(template(tmp_path, "import os\nos.getppid()"), {})
    (pid,) = [int(o["data"]["text/plain"]) for c in first.content["cells"] for o in c["outputs"]]
    assert psutil.Process(pid).ppid() == os.getpid()
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)], timeout=10)
    assert run_notebook(template(tmp_path, "1"), {}).content
    assert zygote().is_alive()


def test_the_warm_process_ends_with_its_owner(tmp_path):
    note = tmp_path / "pid"
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom qcbench.reports.zygote import zygote\n"
        f"pid = zygote().fork([], Path('/'), dict(os.environ))\n"
        f"Path({str(note)!r}).write_text(str(zygote()._process.pid))\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    pid = int(note.read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)
