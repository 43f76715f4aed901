"""A wrong pack says which file, line and key to mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcbench.core.errors import PackError, RuleError
from qcbench.instruments import available_packs, find_pack, load_pack
from tests.builders import PACK


def pack_with(folder: Path, file: str = "", old: str = "", new: str = "") -> Path:
    """The pack of the test instrument, with one text in one file replaced."""
    pack = folder / "tiny"
    pack.mkdir()
    for name, text in PACK.items():
        assert name != file or old in text
        (pack / name).write_text(text.replace(old, new, 1) if name == file else text)
    return pack


@pytest.mark.parametrize(
    ("file", "old", "new", "key"),
    [
        ("instrument.yaml", "code: TI", "code: tiny", "code"),
        ("instrument.yaml", "title:", "titel:", "titel"),
        ("instrument.yaml", "engine: python", "engine: idl", "recipes.make_dark.engines.0.engine"),
        ("instrument.yaml", "instrume: [TINY]", "instrume: []", "instrume"),
        ("instrument.yaml", "name: tiny", "name: other", "name"),
        ("instrument.yaml", "make_dark:", "make_drak:", "recipes"),
        ("instrument.yaml", "prefix: DIT", "decimals: -1", "setups.DARK.0.decimals"),
        ("names.yaml", "code: MDRK", "code: mdrk", "products.MASTER_DARK.code"),
        ("names.yaml", "keep: false", "keep: perhaps", "products.DARK_BPM.keep"),
        ("names.yaml", "FLAT_PREVIEW", "FLAT_VIEW", "products"),
        ("qc1.yaml", "kind: KPI", "kind: KIP", "tables.tiny_dark.columns.0.kind"),
        ("qc1.yaml", "name: ron", "name: RON", "tables.tiny_dark.columns.0.name"),
        ("qc1.yaml", "name: ron", "name: detector", "tables.tiny_dark"),
        ("qc1.yaml", "names: [CHIP1]", "names: [CHIP1, CHIP1]", "tables.tiny_dark"),
        ("qc1.yaml", "product: MASTER_DARK", "product: MASTER_DRAK", "tables.tiny_dark.product"),
        ("scores.yaml", "2020-01-01", "2020-13-01", "scores.0.thresholds.0.valid_from"),
        ("scores.yaml", "low: 7.4", "low: 70", "scores.0.thresholds.0"),
        ("scores.yaml", "low: 7.4", "low: .nan", "scores.0.thresholds.0.low"),
        ("scores.yaml", "low: 7.4, high: 11.2, ", "", "scores.0.thresholds.0"),
        ("scores.yaml", "parameter: ron", "parameter: rno", "scores.0.parameter"),
        ("scores.yaml", "table: tiny_dark", "table: tiny_drak", "scores.0.table"),
        ("scores.yaml", "parameter: ron", "parameter: ron\n    detectors: [CHIP9]", "scores.0.detectors"),
        ("scores.yaml", "parameter: ron", "parameter: ron\n    where: {filter: J}", "scores.0.where"),
        ("scores.yaml", "remedy: Check", "why: Check", "scores.0.why"),
    ],
)
def test_a_wrong_value_is_named_with_file_line_and_key(
    tmp_path: Path, file: str, old: str, new: str, key: str
) -> None:
    pack = pack_with(tmp_path, file, old, new)
    with pytest.raises(PackError) as error:
        load_pack(pack)
    assert (error.value.path, error.value.key) == (pack / file, key)
    lines = (pack / file).read_text().splitlines()
    assert error.value.line is not None
    innermost = next(part for part in reversed(key.split(".")) if not part.isdigit())
    assert innermost in lines[error.value.line - 1]
    assert f"{pack / file}, line {error.value.line}, key {key}: " in str(error.value)


def test_a_key_that_stands_twice_is_not_silently_lost(tmp_path: Path) -> None:
    pack = pack_with(tmp_path, "names.yaml", "  DARK_BPM:", "  MASTER_DARK: {code: MOLD}\n  DARK_BPM:")
    with pytest.raises(PackError, match=r"names\.yaml, line 3, key MASTER_DARK: .*line 2 already"):
        load_pack(pack)


def test_two_thresholds_of_one_date_leave_it_open_which_one_counts(tmp_path: Path) -> None:
    both = "[{valid_from: 2020-01-01, high: 9, why: a}, {valid_from: 2020-01-01, high: 8, why: b}]"
    old = "[{valid_from: 2020-01-01, low: 7.4, high: 11.2, why: specification}]"
    with pytest.raises(PackError, match=r"key scores\.0: .*valid from 2020-01-01"):
        load_pack(pack_with(tmp_path, "scores.yaml", old, both))


@pytest.mark.parametrize("change", ["type: text, ", "type: float, "])
def test_a_text_or_a_filter_is_not_scored(tmp_path: Path, change: str) -> None:
    old = "unit: ADU, description: Readout noise, label: Readout noise, kind: KPI"
    kind = "KPI" if "text" in change else "FILTER"
    pack = pack_with(tmp_path, "qc1.yaml", old, f"unit: ADU, description: x, {change}kind: {kind}")
    with pytest.raises(PackError, match=r"scores\.yaml, line 3, key scores\.0\.parameter: .*can't be scored"):
        load_pack(pack)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: [1, 2", "line 1: not valid YAML"),
        (b"a: 1\nb: *nothing\n", "line 2: not valid YAML"),
        (b"\xff\xfe\x00", "not a text file"),
        (b"a: \x00", "not a text file"),
        (b"[1, 2]", "give keys and values"),
    ],
)
@pytest.mark.parametrize("file", ["instrument.yaml", "names.yaml", "qc1.yaml", "scores.yaml"])
def test_a_file_that_is_no_yaml_is_named(tmp_path: Path, file: str, content: bytes, problem: str) -> None:
    pack = pack_with(tmp_path)
    (pack / file).write_bytes(content)
    with pytest.raises(PackError, match=problem) as error:
        load_pack(pack)
    assert error.value.path == pack / file


@pytest.mark.parametrize("file", ["instrument.yaml", "names.yaml", "qc1.yaml", "scores.yaml"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, file: str) -> None:
    pack = pack_with(tmp_path)
    (pack / file).unlink()
    with pytest.raises(PackError, match=f"{file}: there is no such file"):
        load_pack(pack)


def test_a_wrong_rule_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"rules\.oca:1:"):
        load_pack(pack_with(tmp_path, "rules.oca", "then", "than"))


def test_a_pack_of_the_site_wins_over_a_built_in_one(tmp_path: Path) -> None:
    pack_with(tmp_path)
    mine = tmp_path / "hawki"
    mine.mkdir()
    for name, text in PACK.items():
        (mine / name).write_text(text.replace("name: tiny", "name: hawki"))
    assert {"tiny", "hawki", "efosc2"} <= set(available_packs(tmp_path))
    assert find_pack("hawki", tmp_path).instrument.title == "An instrument of one detector"
    assert find_pack("hawki").instrument.title == "HAWK-I"


@pytest.mark.parametrize("name", ["nothing", "../hawki", ""])
def test_a_pack_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackError, match=f"there is {', '.join(available_packs())}"):
        find_pack(name, tmp_path)
