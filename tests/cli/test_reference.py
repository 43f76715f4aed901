from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from qcbench.cli.main import cli
from qcbench.cli.reference import write
from qcbench.core.settings import Settings
from qcbench.instruments import available_packs, find_pack

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    assert CliRunner().invoke(write, [str(folder)]).exit_code == 0
    return folder


@pytest.mark.parametrize("name", ["cli.md", "qc1.md", "pack.md", "recipes.md"])
def test_the_reference_is_the_one_of_this_code(name: str, written: Path) -> None:
    assert (COMMITTED / name).read_text() == (written / name).read_text(), "run make docs"


def test_every_command_is_documented(written: Path) -> None:
    text = (written / "cli.md").read_text()
    assert [name for name in cli.commands if f"\n### {name}\n" not in text] == []


def test_every_qc1_column_and_threshold_is_documented(written: Path) -> None:
    text = (written / "qc1.md").read_text()
    for name in available_packs():
        pack = find_pack(name)
        for table, spec in pack.tables.items():
            part = text.partition(f"\n### {table}\n")[2].partition("\n### ")[0]
            assert [
                column.name for column in spec.columns if f"| `{column.name}` | `{column.key}` |" not in part
            ] == []
            limits = [limit for score in pack.scores if score.table == table for limit in score.thresholds]
            assert [limit.why for limit in limits if limit.why not in part] == []


def test_every_parameter_input_and_qc_key_of_the_recipes_is_documented(written: Path) -> None:
    text = (written / "recipes.md").read_text()
    command = [sys.executable, "-m", "qcbench.recipes", "list"]
    for recipe in json.loads(subprocess.run(command, capture_output=True, check=True).stdout):
        part = text.partition(f"\n## {recipe['name']}\n")[2].partition("\n## ")[0]
        wanted = [item["name"] for item in recipe["parameters"]] + [item["key"] for item in recipe["qc"]]
        assert [name for name in wanted if f"| `{name}` |" not in part] == []


def test_every_setting_is_in_the_user_guide() -> None:
    rows = (COMMITTED.parent / "user-guide" / "settings.md").read_text().splitlines()
    for section, field in Settings.model_fields.items():
        for key in getattr(field.annotation, "model_fields", {}):
            own = [row for row in rows if f"| `{key}` |" in row]
            assert own, f"[{section}] {key}"
