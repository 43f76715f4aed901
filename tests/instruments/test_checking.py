"""A check finds everything at once, and says of each thing where it is and what mends it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from qcbench.instruments import available_packs, load_pack
from qcbench.instruments.checking import check_pack
from qcbench.instruments.checking.units import unit_problem
from qcbench.instruments.skeleton import EXAMPLE, write_skeleton
from qcbench.instruments.skeleton.writing import skeleton_texts
from tests.instruments.example import TODAY, checked, codes, told

SCORE = "thresholds: [{valid_from: 2000-01-01"
BIAS_ARC = 'select file as MASTER_BIAS from calibFiles where PRO.CATG == "MASTER_BIAS"'


def line_of_change(changed: Path) -> int:
    """The first line in which a file of the example differs from what it was."""
    original = skeleton_texts("mycam", "MC", EXAMPLE)[changed.name].splitlines()
    pairs = zip(original, changed.read_text().splitlines(), strict=False)
    return next(number for number, (old, new) in enumerate(pairs, 1) if old != new)


@pytest.mark.parametrize("name", sorted(available_packs()))
def test_a_built_in_pack_has_no_error_and_no_warning(name: str) -> None:
    result = check_pack(available_packs()[name], today=TODAY)
    assert [item for item in result.findings if item.level != "note"] == []


@pytest.mark.parametrize(
    ("file", "old", "new", "level", "key", "code"),
    [
        ("instrument.yaml", "title:", "titel:", "error", "titel", "file"),
        ("instrument.yaml", "  BIAS: [", "  BAIS: [", "warning", "setups.BAIS", "setup-type"),
        (
            "instrument.yaml",
            "report_keys: [OBJECT",
            "report_keys: [OBJEKT",
            "warning",
            "report_keys.0",
            "unknown-key",
        ),
        (
            "instrument.yaml",
            "required_keys: [EXPTIME",
            "required_keys: [EXPTIM",
            "warning",
            "required_keys.0",
            "unknown-key",
        ),
        (
            "instrument.yaml",
            "static: {}",
            "static: {LINE_LIST: Lines}",
            "warning",
            "static.LINE_LIST",
            "unused-static",
        ),
        (
            "instrument.yaml",
            "mycam_bias:\n    engines: [{engine: python",
            "mycam_bais:\n    engines: [{engine: python",
            "error",
            "recipes",
            "recipe",
        ),
        ("names.yaml", "  MASTER_BIAS:", "  MASTER_BAIS:", "error", "products", "no-name"),
        ("names.yaml", "code: MFLA", "code: MBIA", "warning", "products.MASTER_FLAT_SKY.code", "double-code"),
        (
            "names.yaml",
            "{key: DET.READ.SPEED}",
            "{key: DET.READ.SPED}",
            "warning",
            "products.MASTER_BIAS.parameters.0",
            "unknown-key",
        ),
        (
            "qc1.yaml",
            "raw_types: [BIAS]",
            "raw_types: [BAIS]",
            "error",
            "tables.mycam_bias.raw_types",
            "table-type",
        ),
        (
            "qc1.yaml",
            "product: MASTER_BIAS",
            "product: MASTER_FLAT_SKY",
            "error",
            "tables.mycam_bias.product",
            "table-product",
        ),
        (
            "qc1.yaml",
            'QC.RON.MED, unit: "adu"',
            'QC.RON.MED, unit: ""',
            "warning",
            "tables.mycam_bias.columns.2.unit",
            "no-unit",
        ),
        (
            "qc1.yaml",
            'QC.RON.MED, unit: "adu"',
            "QC.RON.MED, unit: ADUs",
            "error",
            "tables.mycam_bias.columns.2.unit",
            "unit",
        ),
        (
            "qc1.yaml",
            "Median of the master bias",
            '""',
            "warning",
            "tables.mycam_bias.columns.3.description",
            "no-description",
        ),
        (
            "qc1.yaml",
            "kind: HC, description: Median",
            "kind: KPI, description: Median",
            "warning",
            "tables.mycam_bias.columns.3",
            "kpi-without-score",
        ),
        (
            "qc1.yaml",
            "key: INS.FILT1.NAME",
            "key: INS.FILT1.NAM",
            "warning",
            "tables.mycam_flat_sky.columns.0.key",
            "unknown-key",
        ),
        ("scores.yaml", "2000-01-01", "2030-01-01", "warning", "scores.0.thresholds", "no-limits"),
        (
            "scores.yaml",
            "wide limits to begin with",
            '""',
            "warning",
            "scores.0.thresholds.0",
            "no-why",
        ),
        ("scores.yaml", "parameter: ron", "parameter: rno", "error", "scores.0.parameter", "score"),
        (
            "qc1.yaml",
            'key: DET.WIN1.BINX, unit: "pix"',
            'key: DET.WIN1.BINX, unit: "mm"',
            "warning",
            "tables.mycam_bias.columns.1.unit",
            "key-unit",
        ),
        (
            "qc1.yaml",
            'key: DET.WIN1.BINX, unit: "pix"',
            'key: DET.WIN1.BINX, unit: ""',
            "warning",
            "tables.mycam_bias.columns.1.unit",
            "key-unit",
        ),
        ("keys.yaml", 'unit: "pix"', 'unit: "pixle"', "warning", "keys.DET.WINi.BINX.unit", "unit"),
        (
            "breakpoints.yaml",
            "breakpoints: []",
            "breakpoints: [{at: 2026-05-04T12:00, why: x, raw_types: [BAIS]}]",
            "warning",
            "breakpoints.0.raw_types",
            "unknown-name",
        ),
        (
            "filters.yaml",
            "filters: []",
            "filters: [{why: x, when: DPR.CTAG == 1}]",
            "warning",
            "filters.0.when",
            "unknown-key",
        ),
        (
            "rules.oca",
            "inputFile.DET.READ.SPEED ==",
            "inputFile.DET.RAED.SPEED ==",
            "warning",
            "",
            "unknown-key",
        ),
        ("rules.oca", BIAS_ARC, BIAS_ARC.replace("BIAS", "BAIS"), "warning", "", "nothing-produces"),
        ("rules.oca", 'INSTRUME == "MYCAM"', 'INSTRUME == "MYCMA"', "error", "", "instrume"),
        ("instrument.yaml", 'instrume: ["MYCAM"]', 'instrume: ["MYCAMS"]', "error", "instrume", "instrume"),
        ("rules.oca", "action BIAS\n{", "action BIAS\n", "error", "", "syntax"),
    ],
)
def test_a_slip_is_found_with_file_line_and_key(
    tmp_path: Path, file: str, old: str, new: str, level: str, key: str, code: str
) -> None:
    result = checked(tmp_path, (file, old, new))
    assert (level, file, key, code) in told(result)
    finding = next(item for item in result.findings if (item.code, item.key) == (code, key))
    if key in ("recipes", "products"):  # what is missing belongs there
        assert Path(finding.source).read_text().splitlines()[finding.line - 1].startswith(f"{key}:")
    elif key:
        assert finding.line == line_of_change(Path(finding.source))
    assert finding.remedy


def test_classifiers_of_another_instrument_are_told_once(tmp_path: Path) -> None:
    result = checked(tmp_path, ("instrument.yaml", 'instrume: ["MYCAM"]', 'instrume: ["MYCAMS"]'))
    (found,) = (item for item in result.findings if item.code == "instrume")
    assert found.text == (
        'no classifier of rules.oca is true for INSTRUME MYCAMS: they ask for INSTRUME == "MYCAM"'
    )


@pytest.mark.parametrize(
    "condition",
    [
        'INSTRUME like "MY%"',
        '(INSTRUME == "OTHER" or INSTRUME == "MYCAM")',
        'INSTRUME != "OTHER"',
        'not INSTRUME == "OTHER"',
        "DPR.CATG is string",
    ],
)
def test_a_classifier_may_name_the_instrument_in_its_own_way(tmp_path: Path, condition: str) -> None:
    result = checked(tmp_path, ("rules.oca", 'INSTRUME == "MYCAM"', condition))
    assert "instrume" not in codes(result)


def test_a_pack_without_findings_is_the_one_that_is_loaded(tmp_path: Path) -> None:
    result = checked(tmp_path)
    assert told(result) == set()
    assert result.pack == load_pack(tmp_path / "mycam")


def test_everything_is_found_at_once(tmp_path: Path) -> None:
    result = checked(
        tmp_path,
        ("instrument.yaml", "title:", "titel:"),
        ("instrument.yaml", "code: MC", "code: mycam"),
        ("names.yaml", "code: MFLA", "code: mfla"),
        ("qc1.yaml", "raw_types: [BIAS]", "raw_types: [BAIS]"),
        ("scores.yaml", "low: 0.1", "low: 1000.0"),
    )
    found = {(file, key) for _, file, key, _ in told(result)}
    assert {
        ("instrument.yaml", "titel"),
        ("instrument.yaml", "title"),
        ("instrument.yaml", "code"),
        ("names.yaml", "products.MASTER_FLAT_SKY.code"),
        ("qc1.yaml", "tables.mycam_bias.raw_types"),
        ("scores.yaml", "scores.0.thresholds.0"),
    } <= found
    assert result.pack is None
    assert result.broken == {"instrument.yaml", "names.yaml", "scores.yaml"}


def test_all_mistakes_of_a_score_are_found_at_once(tmp_path: Path) -> None:
    wrong = "parameter: rno\n    detectors: [CHIP9]\n    where: {filter: J, det_read_speed: 3}"
    result = checked(tmp_path, ("scores.yaml", "parameter: ron", wrong))
    assert [item.key for item in result.findings if item.code == "score"] == [
        "scores.0.parameter",
        "scores.0.detectors",
        "scores.0.where",
        "scores.0.where",
    ]


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("det_win1_binx: abc", "column 'det_win1_binx' holds a number, 'abc' is none"),
        ('det_win1_binx: "1"', "column 'det_win1_binx' holds a number, '1' is none"),
        ("det_win1_binx: true", "column 'det_win1_binx' holds a number, True is none"),
        ("det_read_speed: 3", "column 'det_read_speed' holds a text, 3 is none"),
        ("det_win1_binx: 1", ""),
        ("det_win1_binx: 1.0", ""),
        ("det_read_speed: slow", ""),
    ],
)
def test_a_condition_that_no_row_fulfils_is_an_error(tmp_path: Path, where: str, problem: str) -> None:
    result = checked(tmp_path, ("scores.yaml", "parameter: ron", f"parameter: ron\n    where: {{{where}}}"))
    assert [item.text for item in result.findings if item.code == "score"] == ([problem] if problem else [])


def test_a_broken_file_makes_no_errors_in_the_others(tmp_path: Path) -> None:
    result = checked(tmp_path, ("names.yaml", "products:", "prodcuts:"))
    assert {file for _, file, _, _ in told(result)} == {"names.yaml"}


def test_a_misspelt_key_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    result = checked(tmp_path, ("qc1.yaml", "found_in: file", "found_on: file"))
    assert "was found_in meant?" in {item.text.partition("; ")[2] for item in result.findings}


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    checked(tmp_path)
    (tmp_path / "mycam" / "scores.yaml").rename(tmp_path / "mycam" / "score.yaml")
    result = check_pack(tmp_path / "mycam", today=TODAY)
    assert told(result) == {
        ("error", "scores.yaml", "", "file"),
        ("warning", "score.yaml", "", "strange-file"),
    }


def test_what_is_allowed_is_noted(tmp_path: Path) -> None:
    result = checked(
        tmp_path,
        ("instrument.yaml", "  SCIENCE: [{key: INS.FILT1.NAME}]\n", ""),
        ("names.yaml", "[{key: DET.READ.SPEED}, {key: DET.WIN1.BINX, prefix: BINX}]", "[]"),
        ("names.yaml", "products:\n", "products:\n  SPARE: {code: PSPA}\n"),
        ("rules.oca", 'where RAW.TYPE == "SCIENCE"', 'where RAW.TYPE == "BIAS"'),
    )
    assert told(result) == set()
    assert codes(result) == {"no-recipe", "not-grouped", "not-made", "lost-setup"}
    assert result.pack is not None


def test_errors_come_first(tmp_path: Path) -> None:
    result = checked(tmp_path, ("scores.yaml", "2000-01-01", "2030-01-01"), ("qc1.yaml", '"adu"', "sparks"))
    levels = [item.level for item in result.findings]
    assert levels == sorted(levels, key=("error", "warning", "note").index)
    assert {"error", "warning", "note"} == set(levels)


@pytest.mark.parametrize(
    "unit", ["adu", "e-/adu", "adu/e-", "e-/(pix h)", "ct", "percent", "%", "deg_C", "", "1/pix"]
)
def test_units_of_detectors_are_units(unit: str) -> None:
    assert unit_problem(unit) is None


@pytest.mark.parametrize(("unit", "meant"), [("ADU", "adu"), ("sec", "s"), ("sparks", "")])
def test_what_is_no_unit_is_told(unit: str, meant: str) -> None:
    problem = unit_problem(unit)
    assert problem is not None
    assert f"was '{meant}' meant" in problem or not meant


def test_breakpoints_and_filters_of_a_site_are_checked_with_the_pack_that_they_add_to(tmp_path: Path) -> None:
    write_skeleton(tmp_path / "mycam", "MC", EXAMPLE)
    site = tmp_path / "site"
    site.mkdir()
    (site / "filters.yaml").write_text("filters: [{why: x}]\n")
    result = check_pack(tmp_path / "mycam", site, today=TODAY)
    assert sources(result.findings) == {str(site / "filters.yaml")}


def sources(findings: Iterable[object]) -> set[str]:
    return {getattr(item, "source", "") for item in findings if getattr(item, "level", "") != "note"}
