"""`qcbench instrument`: a pack from frames, and what a person reads of a check."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tests.cli.conftest import run_qcbench
from tests.instruments.mycam import observe_unknown

BROKEN = ("engine: python, recipe: bias", "engine: python, recipe: bais")


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """The example pack in a folder, without a workbench."""
    assert run_qcbench("instrument", "new", "mycam", "-o", str(tmp_path)).exit_code == 0
    return tmp_path / "mycam"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("name", ["efosc2", "fors2", "giraffe", "hawki", "muse", "naco", "uves", "vimos"])
def test_a_built_in_pack_fits_its_simulated_frames_and_the_python_recipes(name: str) -> None:
    answer = run_qcbench("instrument", "check", name, "--json")
    content = json.loads(answer.stdout)
    assert answer.exit_code == 0
    assert [item for item in content["findings"] if item["level"] != "note"] == []
    assert content["counts"]["error"] == 0


def test_a_new_pack_has_nothing_to_correct(pack: Path) -> None:
    answer = run_qcbench("instrument", "check", str(pack))
    assert answer.exit_code == 0
    assert "✕" not in answer.stdout
    assert "▲" not in answer.stdout
    assert "no-recipe" in answer.stdout


def test_an_error_ends_the_check_with_its_exit_code_and_its_place(pack: Path) -> None:
    change(pack / "names.yaml", "code: MBIA", "code: mbia")
    answer = run_qcbench("instrument", "check", str(pack))
    assert answer.exit_code == 4
    line = next(line for line in answer.stdout.splitlines() if line.startswith("✕"))
    assert line.startswith("✕ names.yaml:")
    assert "products.MASTER_BIAS.code" in line
    assert "names.yaml can't be compared with the other files" in answer.stdout


def test_a_recipe_and_a_parameter_that_there_are_not_are_errors(pack: Path) -> None:
    change(pack / "instrument.yaml", *BROKEN)
    change(pack / "instrument.yaml", "lthr:", "lthrr:")
    answer = run_qcbench("instrument", "check", str(pack), "--json")
    found = {item["text"]: item for item in json.loads(answer.stdout)["findings"]}
    assert answer.exit_code == 4
    recipe = found["there is no Python recipe bais"]
    assert (recipe["key"], recipe["remedy"]) == ("recipes.mycam_bias.engines.0", "was bias meant?")
    assert "mycam_bias" in (pack / "instrument.yaml").read_text().splitlines()[recipe["line"] - 2]
    assert found["the Python recipe flat has no parameter lthrr"]["remedy"] == "was lthr meant?"


def test_a_tag_that_the_python_recipe_does_not_take_is_an_error(pack: Path) -> None:
    change(pack / "rules.oca", 'DO.CATG  = "BIAS";', 'DO.CATG  = "BIAS_RAW";')
    answer = run_qcbench("instrument", "check", str(pack), "--json")
    (found,) = (item for item in json.loads(answer.stdout)["findings"] if item["code"] == "recipe-tags")
    assert (answer.exit_code, found["level"]) == (4, "error")
    assert found["text"] == (
        "the Python recipe bias takes files of the tag BIAS; the action BIAS gives it BIAS_RAW"
    )
    assert found["key"] == "recipes.mycam_bias.engines.0.parameters"
    change(pack / "instrument.yaml", 'raw_tags: "BIAS"', 'raw_tags: "BIAS, BIAS_RAW"')
    assert run_qcbench("instrument", "check", str(pack)).exit_code == 0


def findings(pack: Path, code: str) -> list[dict[str, str]]:
    """Check a pack, and return its errors and warnings of a kind."""
    answer = run_qcbench("instrument", "check", str(pack), "--json")
    found = json.loads(answer.stdout)["findings"]
    return [item for item in found if item["code"] == code and item["level"] != "note"]


def test_a_calibration_that_the_python_recipe_leaves_aside_is_an_error(pack: Path) -> None:
    change(pack / "rules.oca", "select file as MASTER_BIAS from", "select file as BIASMASTER from")
    (found,) = findings(pack, "recipe-tags")
    assert (found["level"], Path(found["source"]).name) == ("error", "rules.oca")
    assert (
        "select file as BIASMASTER" in (pack / "rules.oca").read_text().splitlines()[int(found["line"]) - 1]
    )
    assert found["text"].startswith("the Python recipe flat does not know the tag BIASMASTER")
    assert "bias_tag: MASTER_BIAS" in found["remedy"]
    change(pack / "instrument.yaml", 'bias_tag: "MASTER_BIAS"', 'bias_tag: "MASTER_BIAS, BIASMASTER"')
    assert findings(pack, "recipe-tags") == []


@pytest.mark.parametrize("tag", ["STD_MASSOC", "STD_RASSOC"])
def test_a_file_that_is_told_for_information_needs_no_recipe(pack: Path, tag: str) -> None:
    change(pack / "rules.oca", "select file as MASTER_BIAS from", f"select file as {tag} from")
    assert findings(pack, "recipe-tags") == []


def test_a_calibration_for_the_pipeline_is_not_asked_of_the_python_recipe(pack: Path) -> None:
    change(pack / "rules.oca", "select file as MASTER_BIAS from", "select file as BIASMASTER from")
    text = (pack / "instrument.yaml").read_text()
    (pack / "instrument.yaml").write_text(
        text.replace(
            "[{engine: python, recipe: flat",
            "[{engine: esorex, recipe: mycam_flat}, {engine: python, recipe: flat",
        )
    )
    assert findings(pack, "recipe-tags") == []


@pytest.mark.parametrize(
    ("parameter", "remedy"),
    [
        ("lthr: lots", "give a number"),
        ("bad_dev: -1.0", "give 0 or more"),
        ("combtype: bogus", "give one of "),
        ("bpm: maybe", "give true or false"),
    ],
)
def test_a_value_that_the_python_recipe_does_not_take_is_an_error(
    pack: Path, parameter: str, remedy: str
) -> None:
    change(pack / "instrument.yaml", "bpm: false, lthr: 1000.0", parameter)
    (found,) = findings(pack, "parameter")
    name = parameter.partition(":")[0]
    assert (found["level"], found["key"]) == ("error", "recipes.mycam_flat_sky.engines.0.parameters")
    assert found["text"].startswith(f"Parameter {name} is ")
    assert found["text"].endswith(" for the Python recipe flat")
    assert found["remedy"].startswith(remedy)


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("QC.BIAS.STDDEV", "was QC.BIAS.STDEV meant?"),
        ("QC.ELSEWHERE", "it writes QC.BADFRAC, QC.BIAS.MEAN, "),
        ("QC.BIAS.STDEV", ""),
        ("QC.RON2", ""),
    ],
)
def test_a_qc_key_that_the_python_recipe_never_writes_is_an_error(pack: Path, key: str, remedy: str) -> None:
    change(pack / "qc1.yaml", "key: QC.BIAS.MED,", f"key: {key},")
    found = findings(pack, "qc-key")
    assert [(item["level"], item["key"]) for item in found] == (
        [("error", "tables.mycam_bias.columns.3.key")] if remedy else []
    )
    assert all(item["remedy"].startswith(remedy) for item in found)


BIAS_ENGINE = 'engine: python, recipe: bias, parameters: {raw_tags: "BIAS", product_category: "MASTER_BIAS"}'


@pytest.mark.esorex
def test_a_misspelt_recipe_of_an_installed_pipeline_is_told(pack: Path) -> None:
    change(pack / "instrument.yaml", BIAS_ENGINE, "engine: esorex, recipe: hawki_dark_combin")
    (found,) = findings(pack, "no-recipe")
    assert (found["level"], found["remedy"]) == ("warning", "was hawki_dark_combine meant?")


@pytest.mark.esorex
def test_a_parameter_that_an_installed_recipe_has_not_got_is_an_error(pack: Path) -> None:
    change(
        pack / "instrument.yaml", BIAS_ENGINE, "engine: esorex, recipe: visir_img_dark, parameters: {hot: 3}"
    )
    (found,) = findings(pack, "parameter")
    assert (found["level"], found["text"], found["remedy"]) == (
        "error",
        "the recipe visir_img_dark has no parameter hot",
        "was hot_t meant?",
    )
    change(pack / "instrument.yaml", "parameters: {hot: 3}", "parameters: {hot_t: 3}")
    assert findings(pack, "parameter") == []


@pytest.mark.esorex
def test_a_tag_that_an_installed_recipe_does_not_name_is_a_warning(pack: Path) -> None:
    text = (pack / "instrument.yaml").read_text()
    start = text.index("engine: python, recipe: flat")
    end = text.index("}}]", start)
    (pack / "instrument.yaml").write_text(
        f"{text[:start]}engine: esorex, recipe: vimos_ima_twilight_flat{text[end + 1 :]}"
    )
    change(pack / "rules.oca", 'DO.CATG  = "FLAT_SKY"', 'DO.CATG  = "FLAT_TWILIGHT"')
    assert findings(pack, "recipe-tags") == []
    change(pack / "rules.oca", "select file as MASTER_BIAS from", "select file as MASTER_BAIS from")
    (found,) = findings(pack, "recipe-tags")
    assert (found["level"], found["remedy"]) == ("warning", "was MASTER_BIAS meant?")


def test_a_product_that_the_python_recipe_does_not_make_is_an_error(pack: Path) -> None:
    change(pack / "instrument.yaml", 'product_category: "MASTER_BIAS"', 'product_category: "MASTER_BAIS"')
    answer = run_qcbench("instrument", "check", str(pack))
    assert answer.exit_code == 4
    assert "action BIAS predicts MASTER_BIAS; the Python recipe bias makes MASTER_BAIS" in answer.stdout
    assert "name it in parameters: product_category" in answer.stdout


def test_a_pipeline_that_is_elsewhere_is_a_note(pack: Path) -> None:
    change(pack / "instrument.yaml", "engine: python, recipe: bias", "engine: esorex, recipe: other_bias")
    answer = run_qcbench("instrument", "check", str(pack), "--json")
    levels = {item["code"]: item["level"] for item in json.loads(answer.stdout)["findings"]}
    assert (answer.exit_code, levels["not-installed"]) == (0, "note")


def test_simulated_frames_that_the_rules_take_for_something_else_are_told(tmp_path: Path) -> None:
    raw = observe_unknown(tmp_path)
    run_qcbench("instrument", "new", "mycam", "--from-frames", str(raw), "-o", str(tmp_path))
    simulate = tmp_path / "mycam" / "simulate.yaml"
    text = (tmp_path / "observatory.yaml").read_text().replace("raw_type: STD", "raw_type: BIAS")
    simulate.write_text(text.replace("catg: SCIENCE", "catg: SIENCE").replace("ADA.POSANG", "ADA.POSANGLE"))
    answer = run_qcbench("instrument", "check", str(tmp_path / "mycam"))
    assert answer.exit_code == 0
    assert "frames of raw type BIAS are STD by the rules" in answer.stdout
    assert "known to no rule" in answer.stdout
    assert "no dictionary has the keys ADA.POSANGLE of simulated frames" in answer.stdout
    simulate.write_text(text.replace("templates:", "tamplates:"))
    assert run_qcbench("instrument", "check", str(tmp_path / "mycam")).exit_code == 4


def test_a_pack_of_the_workbench_wins(empty: Path) -> None:
    new = run_qcbench("instrument", "new", "mycam", workbench=empty)
    assert new.exit_code == 0
    assert (empty / "config" / "mycam" / "rules.oca").is_file()
    content = json.loads(run_qcbench("instrument", "check", "mycam", "--json", workbench=empty).stdout)
    assert content["folder"] == str(empty / "config" / "mycam")
    (empty / "config" / "hawki").mkdir()
    (empty / "config" / "hawki" / "breakpoints.yaml").write_text(
        "breakpoints: [{at: 2026-05-04T12:00, why: New detector, raw_types: [FLAT]}]\n"
    )
    answer = run_qcbench("instrument", "check", "hawki", workbench=empty)
    assert "there is no raw type FLAT" in answer.stdout


def test_a_name_that_there_is_not_is_told_with_those_that_there_are(empty: Path) -> None:
    answer = run_qcbench("instrument", "check", "hawky", workbench=empty)
    assert answer.exit_code == 4
    assert "hawki" in answer.stderr
    assert "qcbench instrument new NAME" in answer.stderr


def test_the_name_of_a_built_in_pack_is_taken(tmp_path: Path) -> None:
    answer = run_qcbench("instrument", "new", "hawki", "-o", str(tmp_path))
    assert answer.exit_code == 4
    assert "there is a pack 'hawki' already" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_second_pack_of_the_name_is_refused(pack: Path) -> None:
    before = {path: path.read_bytes() for path in pack.iterdir()}
    answer = run_qcbench("instrument", "new", "mycam", "-o", str(pack.parent))
    assert answer.exit_code == 4
    assert "instrument.yaml: the file is there already" in answer.stderr
    assert {path: path.read_bytes() for path in pack.iterdir()} == before


def test_bad_frames_are_listed_and_left_out(tmp_path: Path) -> None:
    raw = observe_unknown(tmp_path)
    (raw / "broken.fits").write_text("<html>")
    answer = run_qcbench(
        "instrument", "new", "mycam", "--from-frames", str(raw), "-o", str(tmp_path), "--json"
    )
    content = json.loads(answer.stdout)
    assert answer.exit_code == 0
    assert [Path(row["file"]).name for row in content["left_out"]] == ["broken.fits"]
    assert {row["raw_type"]: row["frames"] for row in content["raw_types"]}["BIAS"] == 5


def test_a_folder_without_frames_is_named(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    answer = run_qcbench(
        "instrument", "new", "mycam", "--from-frames", str(tmp_path / "raw"), "-o", str(tmp_path)
    )
    assert answer.exit_code != 0
    assert f"{tmp_path / 'raw'}: there is no file .fits or .fits.fz in the folder" in answer.stderr


def test_a_folder_stands_for_its_compressed_frames_too(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    plain = next(path for path in observe_unknown(tmp_path).rglob("*.fits"))
    with fits.open(plain) as hdus:
        packed = fits.CompImageHDU(np.zeros((64, 64), "uint16"))
        fits.HDUList([fits.PrimaryHDU(header=hdus[0].header), packed]).writeto(raw / "MYCAM.1.fits.fz")
    answer = run_qcbench("instrument", "new", "mycam", "--from-frames", str(raw), "-o", str(tmp_path))
    assert answer.exit_code == 0
    assert "From 1 frame of MYCAM" in answer.stdout


def test_a_pack_that_the_workbench_uses_has_not_to_be_added_to_it(tmp_path: Path) -> None:
    bench = tmp_path / "bench"
    assert run_qcbench("instrument", "new", "mycam", "-o", str(bench / "config")).exit_code == 0
    assert (
        "add 'mycam' to instruments"
        in run_qcbench("instrument", "check", str(bench / "config" / "mycam")).stdout
    )
    assert run_qcbench("init", str(bench), "--instrument", "mycam").exit_code == 0
    for target in ("mycam", str(bench / "config" / "mycam")):
        answer = run_qcbench("instrument", "check", target, workbench=bench)
        assert "The pack can be used, and qcbench.toml names it" in answer.stdout


@pytest.mark.parametrize("words", [["--from-frames"], ["raw"]])
def test_frames_and_the_option_go_together(words: list[str], tmp_path: Path) -> None:
    answer = run_qcbench("instrument", "new", "mycam", "-o", str(tmp_path), *words)
    assert answer.exit_code == 2
    assert "--from-frames" in answer.stderr


def test_an_instrument_that_cannot_be_told_from_another_is_noted(pack: Path) -> None:
    change(pack / "instrument.yaml", "code: MY", "code: HI")
    answer = run_qcbench("instrument", "check", str(pack))
    assert "code HI: the pack hawki has that, too" in answer.stdout
