"""Filters keep files out of the system, and say so; they can be taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from qcbench.core.errors import QcbenchError
from qcbench.instruments.loading import load_pack
from qcbench.store import Event, Frame
from qcbench.workbench import Workbench
from tests.association.observatory import arrive, block, blocks, build, create, template


def filter_by(bench: Workbench, text: str) -> None:
    """Give the instrument these filters, as an engineer would while the workbench is in use."""
    (bench.tree.config / "toy" / "filters.yaml").write_text(text)
    load_pack.cache_clear()


def test_a_named_file_is_kept_out_and_said_once(tmp_path: Path) -> None:
    bench = build(tmp_path)
    bias = template("BIAS", 1.0, 4)
    filter_by(bench, f"filters: [{{files: ['{bias[1].arcfile}'], why: corrupt header}}]\n")
    arrive(bench, bias)
    first, second = create(bench), create(bench)
    assert first.filtered == second.filtered == [bias[1].arcfile]
    assert [item.frame.arcfile for item in block(bench, "BIAS").inputs] == [
        bias[index].arcfile for index in (0, 2, 3)
    ]
    with bench.store.read() as session:
        said = session.scalars(select(Event.message).where(Event.flag == "frame_filtered")).all()
        kept = session.scalars(select(Frame.filtered).where(Frame.arcfile == bias[1].arcfile)).one()
    assert said == [f"{bias[1].arcfile} is kept out: corrupt header"]
    assert kept == "corrupt header", "the frame itself stays known"


@pytest.mark.parametrize(
    "rule",
    [
        "when: 'DPR.TYPE like \"%SKY%\"'",
        "files: ['TOY.2026-11-11T02*']",
        "files: ['TOY.*'], when: 'RAW.TYPE == \"FLAT\"'",
    ],
)
def test_files_are_named_by_pattern_by_condition_or_by_both(tmp_path: Path, rule: str) -> None:
    bench = build(tmp_path)
    filter_by(bench, f"filters: [{{{rule}, why: test}}]\n")
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 2)])
    result = create(bench)
    assert len(result.filtered) == 2
    assert [ab.raw_type for ab in blocks(bench)] == ["BIAS"]


def test_a_filter_that_comes_later_takes_frames_out_of_abs_that_nobody_worked_on(tmp_path: Path) -> None:
    bench = build(tmp_path)
    bias = template("BIAS", 1.0, 3)
    arrive(bench, [*bias, *template("FLAT,SKY", 5.0, 2)])
    create(bench)
    filter_by(bench, "filters: [{when: 'RAW.TYPE == \"BIAS\"', why: light in the dome}]\n")
    result = create(bench)
    assert result.dissolved == [bias[0].arcfile.replace(".fits", "_tpl.ab")]
    assert (block(bench, "FLAT").completeness, block(bench, "FLAT").calibrations) == ("INCOMPLETE", [])
    assert not (bench.data("toy").logs(bias[0].dfo_date) / result.dissolved[0]).exists()
    filter_by(bench, "filters: []\n")
    assert create(bench).created == result.dissolved
    assert block(bench, "FLAT").completeness == "COMPLETE"


def test_a_site_adds_filters_and_breakpoints_to_a_pack_that_comes_with_qcbench(tmp_path: Path) -> None:
    from qcbench.instruments import find_pack

    folder = tmp_path / "efosc2"
    folder.mkdir()
    (folder / "filters.yaml").write_text("filters: [{files: [EFOSC.2026-*], why: test}]\n")
    (folder / "breakpoints.yaml").write_text("breakpoints: [{at: 2026-01-01, why: new detector}]\n")
    pack = find_pack("efosc2", tmp_path)
    assert [rule.why for rule in pack.filters] == ["test"]
    assert [point.why for point in pack.breakpoints] == ["new detector"]
    assert find_pack("efosc2").filters == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("filters: [{why: nothing}]", "a filter needs files, when, or both"),
        ("filters: [{when: 'DPR.TYPE like', why: x}]", "column 14: expected a quoted string"),
        ("filters: [{files: [a], why: ''}]", "give a text"),
    ],
)
def test_a_wrong_filter_is_named_with_file_and_line(tmp_path: Path, text: str, problem: str) -> None:
    bench = build(tmp_path)
    filter_by(bench, text)
    with pytest.raises(QcbenchError, match=r"filters\.yaml, line 1") as raised:
        create(bench)
    assert problem in str(raised.value)
