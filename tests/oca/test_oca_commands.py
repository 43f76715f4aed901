"""`qcbench oca …` as the writer of a rule file and the QC scientist call it, with no workbench around."""

import json
from pathlib import Path

import pytest
from astropy.io import fits
from click.testing import CliRunner

from qcbench.cli.main import cli
from qcbench.oca import load_rules, parse_rules

RULES = """\
#define CALIB DPR.CATG == "CALIB"
if CALIB and DPR.TYPE == "DARK" then { RAW.TYPE = "DARK"; DO.CATG = "DARK"; DETECTOR = DET.NAME; }
if CALIB and DPR.TYPE == "FLAT" then { RAW.TYPE = "FLAT"; DO.CATG = "FLAT"; }
minRet = 2;
select execute(DARK) from inputFiles where RAW.TYPE == "DARK" group by DET.DIT, TPL.START as (TPL_A, tpl);
select execute(FLAT) from inputFiles where RAW.TYPE == "FLAT" group by TPL.START as (TPL_A, tpl);
action DARK { recipe make_dark; product MASTER_DARK { PRO.CATG = "MASTER_DARK"; } }
action FLAT {
  select file as MASTER_DARK from calibFiles where PRO.CATG == "MASTER_DARK" and inputFile.DET.DIT == DET.DIT;
  recipe make_flat;
}
"""


def run(*words, code: int = 0):
    result = CliRunner().invoke(cli, ["oca", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code == code, result.output
    return result


def run_json(*words, code: int = 0):
    return json.loads(run(*words, "--json", code=code).stdout)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.delenv("QCBENCH_WORKBENCH", raising=False)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.oca"
    path.write_text(RULES)
    return path


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Two darks, one dark of another integration time, a flat, an arc, and a file that is cut off."""
    folder = tmp_path / "night"
    folder.mkdir()
    for number, (kind, dit) in enumerate(
        [("DARK", 10.0), ("DARK", 2.0), ("DARK", 10.0), ("FLAT", 2.0), ("WAVE", 2.0)]
    ):
        header = fits.Header({"ARCFILE": f"X.{number}.fits", "MJD-OBS": 58000.0 + number, "INSTRUME": "X"})
        for key, value in {"DPR CATG": "CALIB", "DPR TYPE": kind, "DET DIT": dit, "DET NAME": "chip"}.items():
            header[f"HIERARCH ESO {key}"] = value
        header["HIERARCH ESO TPL START"] = "2020-01-10T10:00:00"
        fits.PrimaryHDU(header=header).writeto(folder / f"x{number}.fits")
    (folder / "x9.fits").write_bytes(b"SIMPLE  = ")
    return folder


def test_good_rules_are_said_to_be_good(rules):
    result = run("check", rules)
    assert result.stdout.splitlines()[0] == f"{rules}: 2 classifiers, 2 organizers, 2 actions; nothing wrong"
    assert "Keys were not looked up" in result.stdout


def test_findings_name_place_and_remedy(rules):
    rules.write_text(RULES.replace('where RAW.TYPE == "FLAT"', 'where RAW.TYPE == "FLATT"'))
    result = run("check", rules)
    assert f'▲ {rules}:6: the rule that executes FLAT asks for RAW.TYPE = "FLATT"' in result.stdout
    assert "    no-category: correct the value, or add a classifier" in result.stdout


def test_an_error_ends_with_code_4_and_json_tells_all(rules):
    rules.write_text(RULES.replace("execute(FLAT)", "execute(FLATS)"))
    answer = run_json("check", rules, code=4)
    assert answer["counts"] == {"error": 1, "warning": 1, "note": 0}
    (error,) = (item for item in answer["findings"] if item["level"] == "error")
    assert (error["source"], error["line"], error["code"], error["remedy"]) == (
        str(rules),
        6,
        "no-action",
        "was FLAT meant?",
    )


def test_a_mistake_of_syntax_ends_with_code_4_and_its_place(rules):
    rules.write_text(RULES.replace("minRet = 2;", "minRet = two;"))
    assert f"✕ {rules}:4:10: expected a number, found 'two'" in run("check", rules, code=4).stdout


def test_keys_are_looked_up_in_dictionaries_and_in_those_of_an_instrument(rules, tmp_path):
    dictionary = tmp_path / "ESO-VLT-DIC.X"
    dictionary.write_text("Parameter Name: DET DIT\nType: double\n\nParameter Name: DET NAME\nType: string\n")
    assert "nothing wrong" in run("check", rules, "--dictionary", dictionary).stdout
    rules.write_text(RULES.replace("by DET.DIT", "by DET.DITT"))
    answer = run_json("check", rules, "--dictionary", dictionary)
    assert [(item["code"], item["remedy"]) for item in answer["findings"]] == [
        ("unknown-key", "was DET.DIT meant?")
    ]
    assert "DET.DITT" in run("check", rules, "--instrument", "hawki").stdout


def test_the_rules_of_a_pack_are_checked_by_its_name():
    answer = run_json("check", "--instrument", "hawki")
    assert answer["rules"].endswith("hawki/rules.oca")
    assert answer["counts"]["error"] == 0


def test_without_rules_and_instrument_it_is_asked_which(night):
    assert "which rules?" in run("check", code=2).stderr
    assert "which rules?" in run("classify", night, code=2).stderr
    assert (
        "give --instrument once"
        in run("check", "--instrument", "hawki", "--instrument", "efosc2", code=2).stderr
    )


def test_files_are_classified_grouped_and_none_is_dropped(rules, night):
    answer = run_json("classify", night, "--rules", rules, code=20)
    assert answer["counts"] == {"classified": 4, "unclassified": 1, "unreadable": 1, "groups": 2}
    assert [(Path(row["file"]).name, row["RAW.TYPE"], row["groups"]) for row in answer["files"]] == [
        ("x0.fits", "DARK", 1),
        ("x1.fits", "DARK", 0),
        ("x2.fits", "DARK", 1),
        ("x3.fits", "FLAT", 1),
    ]
    assert answer["files"][0]["assigned"] == {"RAW.TYPE": "DARK", "DO.CATG": "DARK", "DETECTOR": "chip"}
    assert answer["files"][0]["fired"] == [f"{rules}:2"]
    assert [(row["action"], row["recipe"], row["files"], row["state"]) for row in answer["groups"]] == [
        ("DARK", "make_dark", 2, ""),
        ("FLAT", "make_flat", 1, ""),
        ("DARK", "make_dark", 1, "2 files are needed"),
    ]
    assert [Path(name).name for name in answer["groups"][0]["members"]] == ["x0.fits", "x2.fits"]
    assert [(Path(row["file"]).name, row["DPR.TYPE"]) for row in answer["unclassified"]] == [
        ("x4.fits", "WAVE")
    ]
    assert Path(answer["unreadable"][0]["file"]).name == "x9.fits"


def test_people_see_the_same_as_tables(rules, night):
    text = run("classify", *sorted(night.glob("x[0-4].fits")), "--rules", rules).stdout
    assert text.startswith("5 files: 4 classified, 1 unclassified, 0 unreadable; 2 groups\n")
    dark = next(line for line in text.splitlines() if "x0.fits" in line)
    assert dark.split()[-4:] == ["DARK", "DARK", "DETECTOR=chip", "1"]
    assert "add one, or leave them out" in text


def test_a_missing_file_is_reported_and_the_others_go_on(rules, night):
    answer = run_json("classify", night / "x0.fits", night / "none.fits", "--rules", rules, code=20)
    assert answer["counts"]["classified"] == 1
    assert answer["unreadable"][0]["reason"] == "there is no such file"


def test_a_rule_file_is_printed_without_its_macros(rules):
    text = run("print", rules).stdout
    assert "CALIB and" not in text
    assert 'if DPR.CATG == "CALIB" and DPR.TYPE == "DARK" then' in text
    assert parse_rules(text, "printed") == load_rules(rules)
    assert run_json("print", rules)["rules"] == text


def test_includes_from_a_common_folder_are_allowed_by_option(tmp_path):
    (tmp_path / "common").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "common" / "macros.h").write_text('#define DARK "DARK"\n')
    path = tmp_path / "own" / "rules.oca"
    path.write_text('#include "macros.h"\nif A == DARK then { B = 1; }\n')
    assert "there is no file 'macros.h'" in run("check", path, code=4).stdout
    assert "nothing wrong" in run("check", path, "-I", tmp_path / "common").stdout


def test_every_command_of_the_family_gives_its_examples():
    for name in ("check", "classify", "print"):
        assert f"qcbench oca {name}" in run(name, "--help").stdout.partition("Examples")[2]
