"""The pool without its daemons: what is written for it, and what is said when it is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qcbench.core.errors import SettingsError
from qcbench.core.settings import HTCondorSection
from qcbench.processing.dag import PoolJob, write_dag
from qcbench.processing.pool import last_line

SETTINGS = HTCondorSection(retries=2, submit='accounting_group = qc\n+Project = "night"')
JOBS = [
    PoolJob("process0", ("-m", "qcbench", "it's"), priority=3, memory_mb=2048.0),
    PoolJob("qc0", ("b",), frozenset({"process0"}), priority=1),
    PoolJob("process1", ("c",), frozenset({"process0"}), priority=2),
]
ASK = """
import sys
from pathlib import Path
from qcbench.core.errors import QcbenchError
from qcbench.core.settings import HTCondorSection
if sys.argv[1] == "without":
    sys.modules["htcondor2"] = None
from qcbench.processing.pool import Pool
try:
    pool = Pool(HTCondorSection(patience_s=0))
    if sys.argv[1] == "submit":
        pool.submit(Path(sys.argv[2]), "token")
    else:
        pool.watch("token", print)
except QcbenchError as err:
    print(err.exit_code, err)
"""


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("QCBENCH_"):
            monkeypatch.delenv(name)
    return monkeypatch


def test_a_dag_has_each_job_with_its_priority_memory_retries_and_parents(tmp_path, clean):
    lines = (
        write_dag(tmp_path, JOBS, SETTINGS, executable="/opt/python").read_text(encoding="utf-8").splitlines()
    )
    assert f"JOB process0 {tmp_path}/job.sub" in lines
    assert """VARS process0 arguments="'-m' 'qcbench' 'it''s'" memory="2048\"""" in lines
    assert [line for line in lines if line.startswith("PRIORITY")] == [
        "PRIORITY process0 3",
        "PRIORITY qc0 1",
        "PRIORITY process1 2",
    ]
    assert "RETRY process1 2" in lines
    assert lines[-2:] == ["PARENT process0 CHILD qc0", "PARENT process0 CHILD process1"]


def test_a_job_gets_the_settings_of_its_submitter_and_the_lines_of_the_site(tmp_path, clean):
    clean.setenv("QCBENCH_PROCESSING_ENGINE", "it's")
    clean.setenv("QCBENCH_WORKBENCH", "elsewhere")
    clean.setenv("SECRET", "of nobody's concern")
    write_dag(tmp_path, JOBS, SETTINGS, executable="/opt/python")
    text = (tmp_path / "job.sub").read_text(encoding="utf-8")
    assert "'QCBENCH_PROCESSING_ENGINE=it''s'" in text
    assert "elsewhere" not in text
    assert "SECRET" not in text
    assert 'accounting_group = qc\n+Project = "night"\nqueue\n' in text


@pytest.mark.parametrize("folder", ['a"b', "a$(b)", "a\nb"])
def test_a_folder_that_a_description_can_not_name_is_refused(tmp_path, clean, folder):
    with pytest.raises(SettingsError, match="Rename the folder"):
        write_dag(tmp_path / folder, JOBS, SETTINGS, executable="/opt/python")


def test_a_password_in_the_environment_is_not_shown_to_the_pool(tmp_path, clean):
    clean.setenv("QCBENCH_DATABASE_URL", "postgresql://qc:secret@db/qc")
    with pytest.raises(SettingsError, match="settings file") as caught:
        write_dag(tmp_path, JOBS, SETTINGS, executable="/opt/python")
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "job.sub").exists()


def ask(folder: Path, what: str) -> str:
    config = folder / "condor_config"
    config.write_text(
        "CONDOR_HOST = 127.0.0.1\nCOLLECTOR_HOST = 127.0.0.1:1\nENABLE_IPV6 = False\nQUERY_TIMEOUT = 2\n"
    )
    environment = os.environ | {"CONDOR_CONFIG": str(config)}
    command = [sys.executable, "-c", ASK, what, str(folder)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=120
    ).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="HTCondor's bindings are for Linux")
@pytest.mark.parametrize(("what", "problem"), [("watch", "does not answer"), ("submit", "takes no job")])
def test_a_pool_that_was_never_there_is_said_with_what_to_look_at(tmp_path, clean, what, problem):
    write_dag(tmp_path, JOBS, SETTINGS, executable="/opt/python")
    said = ask(tmp_path, what)
    assert said.startswith(f"16 the HTCondor pool {problem}: "), said
    assert "condor_status" in said
    assert "CONDOR_CONFIG" in said


def test_bindings_that_are_not_installed_are_said_with_the_command_that_installs_them(tmp_path):
    said = ask(tmp_path, "without")
    assert said.startswith("3 key processing.cascade is htcondor, but its Python bindings are not here")
    assert "-m pip install 'qcbench[htcondor]'" in said


def test_the_last_line_of_a_text_is_the_last_that_is_not_empty(tmp_path):
    (tmp_path / "job.err").write_text("first\nlast \n\n")
    assert last_line(tmp_path / "job.err") == "last"
    assert last_line(tmp_path / "none") == ""
