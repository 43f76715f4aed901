"""A server as `qcbench serve` starts it, in a process of its own, and a browser's view of its addresses."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

START = """\
import os, sys
from pathlib import Path
from qcbench.apps.serve import serve
from qcbench.workbench import open_workbench
sys.exit(serve(open_workbench(Path(sys.argv[1]), os.environ), open_browser=False))
"""


@dataclass(frozen=True)
class Served:
    """The addresses that the server printed, and its process."""

    certify: str
    lab: str
    process: subprocess.Popen[str]

    @property
    def base(self) -> str:
        parts = urlsplit(self.certify)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def token(self) -> str:
        return urlsplit(self.certify).query.removeprefix("token=")


@contextmanager
def served(root: Path, home: Path) -> Iterator[Served]:
    """Serve the workbench in `root`, with none of the user's own settings, until the block ends."""
    home.mkdir(exist_ok=True)
    environment = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER_", "QCBENCH_"))
        },
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "QCBENCH_CERTIFICATION_SAMPLE_FRACTION": "0",
    }
    command = [sys.executable, "-c", START, str(root)]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield _addresses(process, home / "server.log")
        finally:
            process.terminate()
            process.wait(timeout=20)


def _addresses(process: subprocess.Popen[str], log: Path) -> Served:
    assert process.stdout is not None
    found: dict[str, str] = {}
    for line in process.stdout:
        if match := re.match(r"(Certify|JupyterLab):\s+(\S+)", line):
            found[match[1]] = match[2]
        if len(found) == 2:
            return Served(found["Certify"], found["JupyterLab"], process)
    raise AssertionError(f"the server ended before it said where it is:\n{log.read_text()}")
