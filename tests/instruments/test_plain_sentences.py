"""A mistake in a file of a pack is one plain sentence; nothing at all is an empty list, and no mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qcbench.instruments import load_pack, models
from qcbench.instruments.checking import check_pack
from qcbench.instruments.wording import mistakes
from tests.instruments.example import TODAY, checked, told

LIMITS = "low: 0.1, high: 100.0"


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "text"),
    [
        (
            "scores.yaml",
            LIMITS,
            "low: 100, high: 0.1",
            "scores.0.thresholds.0",
            "low (100.0) is above high (0.1)",
        ),
        ("scores.yaml", f"{LIMITS}, ", "", "scores.0.thresholds.0", "a threshold needs low, high, or both"),
        ("scores.yaml", "low: 0.1", "low: abc", "scores.0.thresholds.0.low", "give a number (it is 'abc')"),
        (
            "scores.yaml",
            ", why: wide limits to begin with",
            "",
            "scores.0.thresholds.0.why",
            "this key is missing",
        ),
        (
            "scores.yaml",
            "2000-01-01",
            "2026-02-30",
            "scores.0.thresholds.0.valid_from",
            "give a date, as 2026-11-19: day value is outside expected range (it is '2026-02-30')",
        ),
        (
            "instrument.yaml",
            "engine: python, recipe: bias",
            "engine: pyton, recipe: bias",
            "recipes.mycam_bias.engines.0.engine",
            "give 'esorex' or 'python' (it is 'pyton')",
        ),
        (
            "instrument.yaml",
            'raw_tags: "BIAS"',
            "raw_tags: [BIAS]",
            "recipes.mycam_bias.engines.0.parameters.raw_tags",
            "give a text, a number, or true or false",
        ),
        (
            "instrument.yaml",
            "setups:",
            "setups: 3\n.setups:",
            "setups",
            "give names, each in a line of its own below, as NAME: … (it is 3)",
        ),
        (
            "names.yaml",
            "code: MBIA",
            "code: mbia",
            "products.MASTER_BIAS.code",
            "give a capital letter, then 1 to 7 capital letters, digits and _ (it is 'mbia')",
        ),
        (
            "qc1.yaml",
            "name: level",
            "name: ron",
            "tables.mycam_bias",
            "columns are named twice: ron",
        ),
        (
            "qc1.yaml",
            "description: Products of BIAS",
            "description: 5",
            "tables.mycam_bias.description",
            "give a text, in quotes where it looks like a number, a date or a truth value (it is 5)",
        ),
    ],
)
def test_one_mistake_is_one_plain_sentence(
    tmp_path: Path, file: str, old: str, new: str, key: str, text: str
) -> None:
    result = checked(tmp_path, (file, old, new))
    assert [(item.key, item.text) for item in result.findings if item.code == "file"] == [(key, text)]


def test_a_long_value_is_not_shown_in_full(tmp_path: Path) -> None:
    result = checked(tmp_path, ("names.yaml", "code: MBIA", f"code: {'x' * 500}"))
    (found,) = (item.text for item in result.findings if item.code == "file")
    assert len(found) < 150


def test_every_pattern_of_a_pack_is_told_in_words() -> None:
    used = set(re.findall('pattern=r"([^"]+)"', Path(models.__file__).read_text()))
    errors = [
        {"type": "string_pattern_mismatch", "loc": (), "input": "x", "msg": "", "ctx": {"pattern": pattern}}
        for pattern in used
    ]
    assert used
    assert [text for _, text in mistakes(errors) if "^" in text] == []


@pytest.mark.parametrize("file", ["keys.yaml", "qc1.yaml", "scores.yaml", "breakpoints.yaml", "filters.yaml"])
def test_an_empty_file_is_an_empty_list(tmp_path: Path, file: str) -> None:
    checked(tmp_path)
    pack = tmp_path / "mycam"
    for content in ("", "# nothing any more\n", f"{CONTENTS[file]}:\n  # - nothing any more\n"):
        (pack / file).write_text(content)
        assert [item for item in check_pack(pack, today=TODAY).findings if item.code == "file"] == []


CONTENTS = {
    "keys.yaml": "keys",
    "qc1.yaml": "tables",
    "scores.yaml": "scores",
    "breakpoints.yaml": "breakpoints",
    "filters.yaml": "filters",
}


def test_a_pack_whose_last_filter_and_breakpoint_were_taken_out_is_loaded(tmp_path: Path) -> None:
    checked(tmp_path)
    (tmp_path / "mycam" / "filters.yaml").write_text("filters:\n#  - files: [a]\n")
    (tmp_path / "mycam" / "breakpoints.yaml").write_text("")
    pack = load_pack(tmp_path / "mycam")
    assert (pack.filters, pack.breakpoints) == ((), ())


def test_a_list_in_the_middle_of_a_file_may_be_left_empty(tmp_path: Path) -> None:
    result = checked(tmp_path, ("instrument.yaml", "static: {}", "static:"))
    assert told(result) == set()


def test_an_empty_file_that_needs_something_says_what(tmp_path: Path) -> None:
    checked(tmp_path)
    (tmp_path / "mycam" / "instrument.yaml").write_text("# nothing\n")
    (found,) = (item for item in check_pack(tmp_path / "mycam", today=TODAY).findings if item.code == "file")
    assert found.text == "nothing is in the file; it needs name, title, instrume, code, archive_prefix"
