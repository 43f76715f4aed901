"""`qcbench extract-ab`, and ABs that are named by their text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qcbench.blocks import parse_block
from tests.association.observatory import arrive, block, build, create, template
from tests.cli.conftest import run_qcbench

OLD = """RAW_TYPE BIAS
ab_status SUCCESSFUL
RAWFILE /data/GIRAF.2007-10-13T03:29:13.092.fits BIAS
MCALIB GI_MDRK_071010A.fits MASTER_DARK
"""


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """The text of a flat with a virtual bias, in its workbench."""
    bench = build(tmp_path / "bench")
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 3)])
    create(bench)
    flat = block(bench, "FLAT")
    return bench.data("toy").logs(flat.dfo_date) / flat.name


def test_an_ab_is_listed_by_what_it_consists_of(text: Path) -> None:
    answer = run_qcbench("extract-ab", str(text), "--json")
    content = json.loads(answer.stdout)
    assert answer.exit_code == 0
    assert [(row["qualifier"], row["category"]) for row in content["files"]] == [
        *[("RAWFILE", "FLAT")] * 3,
        ("MCALIB", "MASTER_BIAS"),
        ("PRODUCTS", "MASTER_FLAT"),
    ]
    assert content["abs"][0]["recipe"] == "make_flat"
    assert content["warnings"] == []


def test_an_old_ab_is_listed_with_each_thing_that_was_assumed(tmp_path: Path) -> None:
    old = tmp_path / "GIRAF.2007-10-13T03:29:13.092.ab"
    old.write_text(OLD)
    (tmp_path / "broken.ab").write_text("RAWFLIE a.fits BIAS\n")
    answer = run_qcbench("extract-ab", str(old), str(tmp_path / "broken.ab"))
    assert answer.exit_code == 20
    for said in ("ab_status was taken for PROCESS_STATUS", "MCALIB has no flag: assumed REAL", "RAWFLIE"):
        assert said in answer.stdout
    printed = run_qcbench("extract-ab", str(old), "--print")
    assert parse_block(printed.stdout, "x.ab").field("PROCESS_STATUS") == "SUCCESSFUL"
    assert "assumed REAL" in printed.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("make_flat", "nonsense", "RECIPE is 'nonsense', in the database 'make_flat'"),
        ("MCALIB ", "# MCALIB ", "the lines MCALIB and MASSOC are not those of the database"),
        ("RAWFILE", "RAWFLIE", "RAWFLIE"),
    ],
)
def test_an_edited_text_is_not_taken_without_a_word(text: Path, old: str, new: str, said: str) -> None:
    root = text.parents[4]
    text.write_text(text.read_text().replace(old, new))
    answer = run_qcbench("process-ab", "-a", str(text), workbench=root)
    assert answer.exit_code == 4
    assert said in answer.stderr


def test_a_text_as_it_was_written_names_its_ab(text: Path) -> None:
    answer = run_qcbench("process-ab", "-a", str(text), workbench=text.parents[4])
    assert "are not those of the database" not in answer.stderr
    assert answer.exit_code not in (0, 4), "the frames of this observatory have no pixels"
