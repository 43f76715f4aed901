from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from qcbench.cli.main import cli

DATE = "2026-11-19"
Run = Callable[..., Result]


def run_qcbench(*words: str, workbench: Path | None = None) -> Result:
    """Run the command line in this process; what it could not foresee is raised."""
    env = {"QCBENCH_WORKBENCH": str(workbench) if workbench else None, "QCBENCH_PROCESSING_ENGINE": "python"}
    result = CliRunner().invoke(cli, list(words), env=env)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_json(*words: str, workbench: Path) -> dict[str, Any]:
    """Run a command with --json; its standard output is one document."""
    content = json.loads(run_qcbench(*words, "--json", workbench=workbench).stdout)
    assert isinstance(content, dict)
    return content


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    yield
    # a command logs to the standard error of its run, which is gone afterwards
    structlog.reset_defaults()


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A workbench of one instrument with an empty archive."""
    root = tmp_path / "bench"
    assert run_qcbench("init", str(root), "--instrument", "hawki").exit_code == 0
    return root


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbench with a simulated night and one file that is not FITS; a test that works on it takes a copy."""
    root = tmp_path_factory.mktemp("night") / "bench"
    run_qcbench("init", str(root), "--instrument", "hawki")
    words = ["--nights", "1", "--start", DATE, "--seed", "1", "--window", "64", "--anomalies", "not-fits"]
    assert run_qcbench("simulate", *words, workbench=root).exit_code == 0
    return root
