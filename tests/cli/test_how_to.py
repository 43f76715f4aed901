"""The page on a new instrument: its commands run as they are written, its pieces of configuration are right."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from qcbench.instruments.exceptions import BreakpointsFile, FiltersFile
from qcbench.instruments.models import NamesFile, Qc1File, RecipeConfig, ScoresFile
from qcbench.instruments.qc0 import Qc0
from qcbench.oca import parse_rules
from tests.cli.conftest import run_qcbench
from tests.instruments.mycam import observe_unknown

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "add-an-instrument.md").read_text()
MODELS = {
    "names.yaml": NamesFile,
    "qc1.yaml": Qc1File,
    "scores.yaml": ScoresFile,
    "breakpoints.yaml": BreakpointsFile,
    "filters.yaml": FiltersFile,
}


def blocks(kind: str) -> list[str]:
    return re.findall(f"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines)
    return [shlex.split(line.removeprefix("$ ")) for line in lines]


def follow(monkeypatch: pytest.MonkeyPatch, until: str = "") -> list[tuple[list[str], str]]:
    """Run the commands of the page, one after the other; return each with what it printed."""
    answers: list[tuple[list[str], str]] = []
    here = Path.cwd()
    for words in commands():
        if until and until in words:
            break
        if words[0] == "cd":
            here = here / words[1]
            monkeypatch.chdir(here)
        elif words[0] == "cp":
            copy(Path(words[2]), Path(words[3]))
        else:
            assert words[0] == "qcbench"
            answer = run_qcbench(*words[1:])
            assert answer.exit_code == 0, f"{' '.join(words)}: {answer.output}"
            answers.append((words, answer.stdout))
    return answers


def copy(source: Path, parent: Path) -> None:
    for path in source.rglob("*.fits"):
        target = parent / path.relative_to(source.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with raw frames in `raw`, where the reader of the page begins."""
    observe_unknown(tmp_path / "night").rename(tmp_path / "raw")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_the_page_run_as_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = follow(monkeypatch, until="create-job")
    said = {(words[1], words[2]): text for words, text in answers}
    assert "✕" not in said["instrument", "check"]
    assert "▲" not in said["instrument", "check"]
    assert ", 0 unclassified, 0 unreadable" in said["oca", "classify"]
    assert "4 ABs" in said["create-ab", "-d"] or said["create-ab", "-d"].count("_tpl.ab") == 4
    assert "RAW.TYPE SKY_FLAT" in said["explain-frame", "MYCAM.2026-11-17T22:38:55.663"]
    assert "MASTER_BIAS" in said["explain-ab", "MYCAM.2026-11-17T22:38:55.663_tpl"]
    assert (folder / "bench" / "cascade.html").is_file()


@pytest.mark.long
def test_the_first_night_of_the_page_ends_with_scores(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, text = follow(monkeypatch)[-1]
    assert words[1] == "get-status-ab"
    lines = [line for line in text.splitlines() if "_tpl.ab" in line]
    # standard stars and flats through a slit, of which the first pack has no recipe
    assert sum(" scored " in line for line in lines) == len(lines) - 3
    assert any("BIAS" in line and "✓ 0/1" in line for line in lines)


def test_the_pieces_of_configuration_are_right() -> None:
    seen = set()
    for block in blocks("yaml"):
        name = block.splitlines()[0].removeprefix("# ")
        seen.add(name)
        content = yaml.load(block, yaml.BaseLoader)
        if name in MODELS:
            MODELS[name].model_validate(content)
        elif name == "instrument.yaml, recipes":
            RecipeConfig.model_validate(content["mycam_bias"])
        elif name == "instrument.yaml, qc0":
            Qc0.model_validate(content["qc0"])
        else:
            assert name == "instrument.yaml, static"
    assert seen >= set(MODELS)
    for block in blocks("oca"):
        parse_rules(block, "page")


def test_every_link_of_the_page_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    home = Path(__file__).parents[2] / "docs" / "how-to"
    assert [link for link in links if not (home / link).is_file()] == []
