from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from qcbench.cli.invocation import Command
from qcbench.cli.main import cli
from qcbench.core import errors

COMMANDS = sorted(cli.commands)
HANDBOOK = {
    "auto-daily", "certify-products", "create-ab", "create-job", "create-report", "data-loader", "finish-night",
    "get-status-ab", "ingest-products", "move-products", "process-ab", "process-qc", "rename-products", "score-qc",
    "update-ab",
}  # fmt: skip
SLOW = ("alembic", "astropy", "bokeh", "numpy", "pandas", "papermill", "pydantic", "sqlalchemy", "yaml")


def command(name: str) -> Command:
    found = cli.commands[name]
    assert isinstance(found, Command)
    return found


def test_commands_have_the_names_of_the_handbook_in_kebab_case() -> None:
    assert set(COMMANDS) >= HANDBOOK


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_gives_an_example(name: str) -> None:
    text = CliRunner().invoke(cli, [name, "--help"]).stdout
    assert len((command(name).help or "").split()) > 3
    assert f"  qcbench {name}" in text.partition("Example")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str) -> None:
    options = [param for param in command(name).params if isinstance(param, click.Option)]
    assert [param.opts for param in options if not param.help] == []


@pytest.mark.parametrize(("name", "example"), [(n, e) for n in COMMANDS for e in command(n).examples])
def test_every_example_is_understood(
    name: str, example: str, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QCBENCH_WORKBENCH", str(empty))
    program, given, *words = shlex.split(example)
    assert (program, given) == ("qcbench", name)
    with click.Context(cli) as parent:
        command(name).make_context(name, words, parent=parent).close()


@pytest.mark.parametrize("name", COMMANDS)
def test_common_options_stand_before_or_behind_the_command(name: str) -> None:
    names = {option for param in command(name).params for option in param.opts}
    assert names >= {"-w", "--instrument", "--json", "-v"}
    assert {option for param in cli.params for option in param.opts} >= {"-w", "--instrument", "--json", "-v"}


def test_the_main_help_says_what_every_exit_code_means() -> None:
    words = CliRunner().invoke(cli, ["--help"]).stdout.partition("Exit codes:")[2].split()
    codes = {e.exit_code for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)}
    assert {"0", "1", "2", "20", "130", *map(str, codes)} <= set(words)


def test_help_waits_for_no_slow_library() -> None:
    code = "import sys; from qcbench.cli.main import cli; cli(['--help'], standalone_mode=False); "
    code += f"print([name for name in {SLOW!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_asks_qcbench(shell: str) -> None:
    assert f"_QCBENCH_COMPLETE={shell}_complete" in CliRunner().invoke(cli, ["completion", shell]).stdout
