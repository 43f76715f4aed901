"""The commands that say why, as a user types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from astropy.io import fits

from qcbench.workbench import Workbench
from tests.association.observatory import DATE, arrive, block, build, create, frame, template

from .conftest import run_json, run_qcbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    made = build(tmp_path / "bench")
    arrive(made, [frame("BIASS", 1.0), *template("FLAT,SKY", 5.0, 2)])
    create(made)
    yield made
    made.close()


def root(bench: Workbench) -> Path:
    return bench.settings.root


def test_a_frame_is_explained_with_and_without_its_ending(bench: Workbench) -> None:
    name = frame("BIASS", 1.0).arcfile
    texts = {run_qcbench("explain-frame", given, workbench=root(bench)).stdout
             for given in (name, name.removesuffix(".fits"), f"somewhere/{name}")}  # fmt: skip
    (text,) = texts
    assert text.splitlines()[1].startswith("Unclassified")
    assert 'DPR.TYPE is "BIASS"' in text


def test_an_ab_is_explained(bench: Workbench) -> None:
    text = run_qcbench("explain-ab", block(bench, "FLAT").root_name, workbench=root(bench)).stdout
    assert text.splitlines()[1] == "INCOMPLETE: MASTER_BIAS is missing."
    assert text.splitlines()[-1] == "It is tried again with each create-ab"


def test_both_can_be_had_as_json(bench: Workbench) -> None:
    told = run_json("explain-ab", block(bench, "FLAT").name, workbench=root(bench))
    assert told["associations"][0]["tag"] == "MASTER_BIAS"
    assert told["date"] == str(DATE)
    frame_told = run_json("explain-frame", frame("BIASS", 1.0).arcfile, workbench=root(bench))
    assert frame_told["nearest"][0]["terms"][0]["values"] == [["DPR.TYPE", "BIASS"]]


def test_what_is_not_there_ends_with_its_own_exit_code(bench: Workbench) -> None:
    for words in (("explain-frame", "TOY.2026-11-10T22:00:01.000"), ("explain-ab", "NOSUCH")):
        result = run_qcbench(*words, workbench=root(bench))
        assert result.exit_code == 8
        assert result.stdout == ""
    assert (
        frame("BIASS", 1.0).arcfile
        in run_qcbench("explain-frame", "TOY.2026-11-10T22:00:01.000", workbench=root(bench)).stderr
    )


def test_a_file_is_known_by_the_name_in_its_header(bench: Workbench, tmp_path: Path) -> None:
    file = tmp_path / "copy.fits"
    header = fits.PrimaryHDU()
    header.header["ARCFILE"] = frame("BIASS", 1.0).arcfile
    header.writeto(file)
    assert "Unclassified" in run_qcbench("explain-frame", str(file), workbench=root(bench)).stdout
    header.header["ARCFILE"] = "TOY.2020-01-01T00:00:00.000.fits"
    header.writeto(file, overwrite=True)
    result = run_qcbench("explain-frame", str(file), workbench=root(bench))
    assert result.exit_code == 8
    assert f"qcbench oca classify {file}" in result.stderr


def test_the_calibration_map_is_written_for_each_instrument(bench: Workbench) -> None:
    said = run_qcbench("create-calib-map", workbench=root(bench)).stdout
    page = root(bench) / "data" / "toy" / "listings" / "REPORT" / "calib_map.html"
    assert said.splitlines()[0] == str(page)
    assert "MASTER_BIAS" in page.read_text()


def test_a_map_of_a_rule_file_needs_no_workbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.oca").write_text("action A { recipe a; }\n")
    told = json.loads(run_qcbench("create-calib-map", "--rules", "my.oca", "--json").stdout)
    assert told["pages"] == ["calib_map_my.html"]
    assert (tmp_path / "calib_map_my.html").is_file()


def test_a_map_of_rules_may_include_from_folders_that_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "actions.h").write_text("action A { recipe a; }\n")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "my.oca").write_text('#include "actions.h"\n')
    monkeypatch.chdir(tmp_path / "own")
    assert run_qcbench("create-calib-map", "--rules", "my.oca").exit_code == 4
    assert run_qcbench("create-calib-map", "--rules", "my.oca", "-I", "../common").exit_code == 0
    assert (tmp_path / "own" / "calib_map_my.html").is_file()


def test_the_pack_of_an_instrument_needs_no_workbench_either(tmp_path: Path) -> None:
    page = tmp_path / "hawki.html"
    assert run_qcbench("create-calib-map", "-i", "hawki", "-o", str(page)).exit_code == 0
    assert "FLAT_TWILIGHT" in page.read_text()


def test_one_page_for_two_instruments_is_refused(tmp_path: Path) -> None:
    words = ("--instrument", "hawki", "-i", "efosc2", "-o", str(tmp_path / "x.html"))
    assert run_qcbench("create-calib-map", *words).exit_code == 2
