"""A night on PostgreSQL, a server of the tests' own, ends as it does on SQLite."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from qcbench.certification import decide, queue
from qcbench.workbench import Workbench
from qcbench.workflow import account, auto_daily
from tests.nights import NIGHT, PYTHON_ENGINE, simulated_workbench
from tests.workflow.state import archived_pixels, files, rows

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
# the server refuses to be run by root; Debian's package has a user for it
OWNER = "postgres"
ANOMALIES = ("rotten-pixels", "not-fits", "noise-jump")


def program(name: str) -> str:
    """The path of a program of the server, of its newest version."""
    found = next((folder / name for folder in PROGRAMS if (folder / name).is_file()), shutil.which(name))
    if found is None:
        pytest.skip(f"needs {name}, of Debian's package postgresql")
    return str(found)


def run(*command: str, cwd: Path) -> None:
    user = OWNER if os.geteuid() == 0 else None
    subprocess.run(command, cwd=cwd, user=user, group=user, extra_groups=[] if user else None, check=True)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of an empty database on a server that is gone after the tests."""
    initdb, pg_ctl = program("initdb"), program("pg_ctl")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # not below the folder of pytest, into which that user may not look
    with tempfile.TemporaryDirectory(prefix="qcbench-pg-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam(OWNER).pw_uid, pwd.getpwnam(OWNER).pw_gid)
        data = str(folder / "data")
        run(initdb, "-D", data, "-A", "trust", "-U", OWNER, "--no-sync", cwd=folder)
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        run(pg_ctl, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start", cwd=folder)
        try:
            yield f"postgresql+psycopg://{OWNER}@127.0.0.1:{port}/postgres"
        finally:
            run(pg_ctl, "-D", data, "-m", "immediate", "stop", cwd=folder)


def lived(root: Path) -> Workbench:
    """A night that went all the way, with a person who certifies what is offered."""
    environ = {**os.environ, **PYTHON_ENGINE}
    bench = simulated_workbench(root, window=128, anomalies=ANOMALIES, environ=environ)
    auto_daily(bench, through="ingested", show=False)
    for item in queue(bench, "hawki", NIGHT):
        verdict = "rejected" if item.state == "failed" else "certified"
        decide(bench, item.ab_name, verdict, by="test", comment=f"seen: {item.tag}")
    auto_daily(bench, through="ingested", show=False)
    return bench


def test_a_night_ends_as_on_sqlite(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = lived(tmp_path / "sqlite")
    # for the kernels of the reports, too
    monkeypatch.setenv("QCBENCH_DATABASE_URL", server)
    bench = lived(tmp_path / "postgresql")
    assert bench.store.engine.dialect.name == "postgresql"
    found, expected = rows(bench), rows(usual)
    assert len(expected["abs"]) > 5
    for table, content in expected.items():
        assert found[table] == content, table
    assert files(tmp_path / "postgresql") == files(tmp_path / "sqlite")
    assert archived_pixels(bench) == archived_pixels(usual)
    _, blocks = account(bench, "hawki")
    assert (blocks.missing, blocks.failures.total()) == (0, 1)

    auto_daily(bench, through="ingested", show=False)
    assert rows(bench) == found, "called again it changes nothing"
