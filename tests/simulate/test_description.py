"""An error in a simulate.yaml names the file, the line and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcbench.core.errors import PackError
from qcbench.simulate import load_description


def spoil(source: Path, folder: Path, old: str, new: str) -> tuple[Path, int]:
    """Write a copy with the first `old` replaced; return it and the number of that line."""
    text = source.read_text()
    assert old in text
    path = folder / "simulate.yaml"
    path.write_text(text.replace(old, new, 1))
    return path, text[: text.index(old)].count("\n") + 1


def test_the_descriptions_of_the_packs_are_valid(infrared: Path, optical: Path) -> None:
    assert [d.name for d in load_description(infrared).detectors] == [f"CHIP{n}.INT1" for n in (1, 2, 4, 3)]
    assert load_description(optical).layout == "primary"


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        (
            "gain: 1.735\n",
            "gain: none\n",
            "detectors.3.gain",
            "valid number, unable to parse string as a number, not 'none'",
        ),
        ("gain: 1.735\n", "gain: -1\n", "detectors.3.gain", "greater than 0, not -1"),
        ("step: 0.015625", "stride: 2", "stride", "Extra inputs are not permitted"),
        ("pixels: int32", "pixels: int64", "pixels", "'int32', 'uint16' or 'float32', not 'int64'"),
        ("epoch: 2026-01-01", "epoch: yesterday", "epoch", "date"),
        ("DET.NDIT: ndit", "DET.NDIT: mdit", "computed.DET.NDIT", "not 'mdit'"),
        ("hour: 16.00", "hour: 25.00", "templates.7.hour", "less than 24, not 25"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(
    infrared: Path, tmp_path: Path, old: str, new: str, key: str, says: str
) -> None:
    path, line = spoil(infrared, tmp_path, old, new)
    with pytest.raises(PackError, match=r"simulate\.yaml, line") as caught:
        load_description(path)
    assert (caught.value.line, caught.value.key) == (line, key)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "level: [0, 0, 15000, 15000]",
            "level: [0, 0, 15000]",
            "scene.level has 3 values; .* nexp=4 needs 4",
        ),
        ("hour: 16.00", "hour: 14.00", "templates must stand in the order of their hour"),
        ("hour: 16.00", "hour: 23.90", "run past the end of the DFO date"),
        ("number: 3", "number: 4", "two detectors have the same number"),
        ("layout: extensions", "layout: primary", "holds one detector, not 4"),
    ],
)
def test_values_that_do_not_go_together_are_refused(
    infrared: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    path, _ = spoil(infrared, tmp_path, old, new)
    with pytest.raises(PackError, match=says):
        load_description(path)


def test_a_file_that_is_not_yaml_is_named_with_its_line(infrared: Path, tmp_path: Path) -> None:
    path, line = spoil(infrared, tmp_path, "layout: extensions", "layout: [extensions")
    with pytest.raises(PackError, match="is not YAML") as caught:
        load_description(path)
    assert caught.value.line is not None
    assert caught.value.line >= line


@pytest.mark.parametrize("content", ["", "- a list\n", "just text\n"])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "simulate.yaml"
    path.write_text(content)
    with pytest.raises(PackError, match=r"simulate\.yaml"):
        load_description(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="can't be read"):
        load_description(tmp_path / "simulate.yaml")
