"""Old ABs are read, with a warning that names what was assumed; nonsense is an error that names the place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qcbench.blocks import (
    AssociatedLine,
    BlockError,
    CalibrationLine,
    parse_block,
    print_block,
    read_block,
    time_of_name,
)

OLD = """\
# an AB of another age
DFO_DATE\t2007-10-12\t# evening
INSTRUMENT  GIRAFFE
RAW_TYPE  SCI_MED
DRS_TYPE  REI
PACK_DIR  /data/packs
RB_NAME   GIRAF.rb
mjd_obs   54386.14528
AB_STATUS SUCCESSFUL
FINISHED  yes
RAW_FILE  /data/raw/2007-10-12/GIRAF.2007-10-13T03:29:13.092.fits
RAWFILE   GIRAF.2007-10-13T03:39:13.092.fits SCIENCE   # DO_CATG
RASSOC    GIRAF.2007-10-13T03:19:13.092.fits ACQ
MCALIB    /cal/2007-10-12/GI_MBIA_071012A_1x1.fits  MASTER_BIAS
MCALIB    VIRTUAL GI_MDRK_071010A_1x1.fits MASTER_DARK NOK -1.462
MATCH_KEY INS_SLIT_NAME=Medusa1
PRODUCT   r.GIRAF.2007-10-13T03:29:13.092_0000.fits
"""


def test_an_old_ab_is_read() -> None:
    block = parse_block(OLD, "logs/GIRAF.2007-10-13T03:29:13.092.ab")
    assert (block.field("DATE"), block.field("DRS_TYPE")) == ("2007-10-12", "REI")
    assert block.match_keys == (("INS.SLIT.NAME", "Medusa1"),)
    assert block.raw_files == (
        ("GIRAF.2007-10-13T03:29:13.092.fits", ""), ("GIRAF.2007-10-13T03:39:13.092.fits", "SCIENCE"),
    )  # fmt: skip
    assert block.associated == (AssociatedLine("GIRAF.2007-10-13T03:19:13.092.fits", "ACQ", "OK", None),)
    assert block.calibrations == (
        CalibrationLine("MCALIB", "REAL", "GI_MBIA_071012A_1x1.fits", "MASTER_BIAS", "OK", None),
        CalibrationLine("MCALIB", "VIRTUAL", "GI_MDRK_071010A_1x1.fits", "MASTER_DARK", "NOK", -1.462),
    )
    assert block.products == (("r.GIRAF.2007-10-13T03:29:13.092_0000.fits", ""),)


def test_each_warning_names_the_line_and_what_was_assumed() -> None:
    said = "\n".join(parse_block(OLD, "old.ab").warnings)
    for warning in (
        "line 2: '# evening' was taken for a comment",
        "line 2: DFO_DATE was taken for DATE",
        "line 8: mjd_obs was taken for MJD-OBS",
        "line 9: AB_STATUS was taken for PROCESS_STATUS",
        "line 10: FINISHED is not documented: kept, but not used",
        "line 11: RAW_FILE was taken for RAWFILE",
        "line 11: RAWFILE has no category: assumed to be unknown",
        "line 11: the folder '/data/raw/2007-10-12' was left out: files are known by name",
        "line 13: RASSOC has no evaluation and no DT: assumed OK, and DT unknown",
        "line 14: MCALIB has no flag: assumed REAL",
        "line 14: MCALIB has no evaluation and no DT: assumed OK, and DT unknown",
        "line 17: PRODUCT was taken for PRODUCTS",
        "old.ab: AB_NAME is missing: assumed 'old.ab' (the name of the file)",
        "old.ab: BATCH_ID is missing: assumed 'CALIB_2007-10-12' (DPR_CATG and DATE)",
        "old.ab: RECIPE is missing: assumed 'NONE' (nothing tells it: the AB can't be processed)",
        "old.ab: COMPLETENESS is missing: assumed 'COMPLETE' (nothing says otherwise)",
    ):
        assert warning in said
    assert "line 15" not in said


def test_what_is_obsolete_or_undocumented_is_kept_and_not_written() -> None:
    block = parse_block(OLD, "old.ab")
    assert block.others == (("PACK_DIR", "/data/packs"), ("RB_NAME", "GIRAF.rb"), ("FINISHED", "yes"))
    again = parse_block(print_block(block), "old.ab")
    assert again == block
    assert again.others == ()
    assert again.warnings == ("old.ab: AB_NAME 'old.ab' has the name of none of its raw files: it is kept",)


def test_the_least_that_an_ab_can_say() -> None:
    block = parse_block("RAWFILE GIRAF.2007-10-13T03:29:13.092.fits SCIENCE", "a text")
    assert block.field("AB_NAME") == "GIRAF.2007-10-13T03:29:13.092.ab"
    assert block.field("DATE") == "2007-10-12"
    assert block.field("MJD-OBS") == block.field("MJD-OBS_MOD") == "54386.14529042"
    assert block.field("PROD_ROOT_NAME") == "r.GIRAF.2007-10-13T03:29:13.092"
    assert len(block.warnings) == 21


def test_date_and_mode_follow_from_the_batch() -> None:
    block = parse_block("BATCH_ID SCIENCE_2007-10-11\nRAWFILE G.2007-10-13T03:29:13.fits S\n", "x.ab")
    assert (block.field("DPR_CATG"), block.field("DATE")) == ("SCIENCE", "2007-10-11")


def test_a_qualifier_that_is_there_twice_with_one_value_is_taken_once() -> None:
    block = parse_block("DATE 2007-10-12\nDATE 2007-10-12\nMJD-OBS 54386.1\nRAWFILE a.fits B\n", "x.ab")
    assert "x.ab, line 2: DATE is there twice with the same value: taken once" in block.warnings


def test_line_ends_of_other_systems_are_understood() -> None:
    text = print_block(parse_block(OLD, "old.ab"))
    assert parse_block(text.replace("\n", "\r\n"), "old.ab") == parse_block(text, "old.ab")


def test_an_update_time_of_nonsense_is_said() -> None:
    block = parse_block("MJD-OBS 54386.1\nRAWFILE a.fits B\n# updated yesterday\n", "x.ab")
    assert block.updated is None
    assert "x.ab, line 3: 'yesterday' is no time: taken as never updated" in block.warnings


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("RAWFILE", "expected file and category, found nothing"),
        ("RAWFILE a.fits DARK OK more", "expected file and category, found 'a.fits DARK OK more'"),
        ("RAWFILE ../../etc/passwd DARK", "expected the name of a file, found '../../etc/passwd'. Write it without"),
        ("RAWFILE raw/ü.fits DARK", "'raw/ü.fits' can't be one"),
        ("RAWFILE a%2F..%2Fb.fits DARK", "Write it without .."),
        ("RAWFLE a.fits DARK", "RAWFLE is no qualifier of an AB. Write RAWFILE, or remove the line"),
        ("PRODUCTS", "expected file and category"),
        ("MCALIB REAL", "expected file, category, evaluation and DT, found nothing"),
        ("MCALIB REAL m.fits DARK OK", "expected file, category, evaluation and DT, found 'm.fits DARK OK'"),
        ("MCALIB REAL m.fits DARK good 1", "expected evaluation OK or NOK, found 'good'"),
        ("MASSOC REAL m.fits DARK OK soon", "expected DT in days, such as -1.462, or -, found 'soon'"),
        ("MASSOC REAL m.fits DARK OK nan", "found 'nan'"),
        ("RASSOC a.fits ACQ OK inf", "found 'inf'"),
        ("RAW_MATCH_KEY INS_GRAT_NAME", "expected KEY=value, found 'INS_GRAT_NAME'"),
        ("DATE 2007-10-12", "DATE is '2007-10-12', but '2020-01-10' in line 1. Remove one of them"),
        ("MJD-OBS tomorrow", "expected a Modified Julian Date in days, such as 54386.14528, found 'tomorrow'"),
        ("MJD-OBS_MOD 1e9", "found '1e9'"),
        ("DFO_DATE 12/10/2007", "expected a date of the form YYYY-MM-DD, found '12/10/2007'. Correct the line"),
        ("COMPLETENESS maybe", "expected COMPLETE or INCOMPLETE, found 'maybe'"),
        ("PROCESS_STATUS 7", "expected CREATED or SUCCESSFUL or FAILED"),
        ("PROD_PATH /data/../etc", "expected a folder without .."),
        ("AB_NAME a b.ab", "'a b.ab' can't be one"),
        ("lorem ipsum", "'lorem' is no qualifier of an AB: remove or correct the line"),
        ("<html>", "expected a qualifier such as RAWFILE, found '<html>'"),
        ("\x7fELF\x02", "found the control character '\\x7f'"),
        ("OBS_ID " + "9" * 2_000_000, "expected at most 1048576 characters, found 2000007"),
    ],
)  # fmt: skip
def test_a_line_of_nonsense_is_named(line: str, expected: str) -> None:
    with pytest.raises(BlockError, match=r"^a\.ab, line 2: ") as caught:
        parse_block(f"DATE 2020-01-10\n{line}\n", "a.ab")
    assert expected in str(caught.value)


def test_an_ab_without_raw_files_is_none() -> None:
    with pytest.raises(BlockError, match=r"^a\.ab: expected at least one RAWFILE, found none"):
        parse_block("DATE 2020-01-10\n", "a.ab")


def test_a_time_that_nothing_tells_is_asked_for() -> None:
    with pytest.raises(BlockError, match=r"MJD-OBS is missing.*Add a line MJD-OBS"):
        parse_block("RAWFILE a.fits DARK\n", "a.ab")


@pytest.mark.parametrize("name", ["G.2007-13-45T03:29:13.092.fits", "a.fits", "M.2007-10-13.fits"])
def test_a_name_without_a_time_tells_none(name: str) -> None:
    assert time_of_name(name) is None


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ab"
    with pytest.raises(BlockError, match=r"a\.ab: can't be read: No such file.*Check path"):
        read_block(path)
    path.write_bytes(b"DATE 2020-01-10\nOBS_ID \xff\n")
    with pytest.raises(BlockError, match=r"a\.ab, line 2: expected UTF-8 text, found byte 0xff. Convert it"):
        read_block(path)
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(BlockError, match=r"a\.ab: expected a text of a few KiB, found 100000000 bytes"):
        read_block(path)


def test_an_ab_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "GIRAF.2007-10-13T03:29:13.092.ab"
    path.write_text(OLD, encoding="utf-8")
    assert read_block(path) == parse_block(OLD, str(path))


SOUND = """AB_NAME G.2007-10-13T03:29:13.ab
DATE 2007-10-12
BATCH_ID CALIB_2007-10-12
RECIPE gimasterbias
MJD-OBS 54386.14528
MJD-OBS_MOD 54386.14600
RAWFILE G.2007-10-13T03:29:13.fits BIAS
RAWFILE G.2007-10-13T03:30:13.fits BIAS
PRODUCTS r.G_0000.fits MASTER_BIAS
RAW_MATCH_KEY DET_READ_SPEED=fast
"""


def test_a_sound_ab_is_read_without_a_word_on_contradictions() -> None:
    told = [text for text in parse_block(SOUND, "x.ab").warnings if "is missing" not in text]
    assert told == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("RAWFILE G.2007-10-13T03:29:13.fits DARK", "RAWFILE 'G.2007-10-13T03:29:13.fits' is there twice"),
        ("PRODUCTS r.G_0000.fits MASTER_DARK", "PRODUCTS 'r.G_0000.fits' is there twice"),
        ("RAW_MATCH_KEY DET_READ_SPEED=slow", "RAW_MATCH_KEY 'DET.READ.SPEED' is there twice"),
        ("MCALIB REEL m.fits MASTER_DARK OK 0.1", "expected REAL or VIRTUAL, found 'REEL'"),
    ],
)
def test_lines_that_contradict_each_other_are_an_error(line: str, problem: str) -> None:
    with pytest.raises(BlockError, match=re.escape(problem)):
        parse_block(f"{SOUND}{line}\n", "x.ab")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("MJD-OBS_MOD 54386.14600", "MJD-OBS_MOD 54020.1", "is no middle of a group"),
        ("MJD-OBS_MOD 54386.14600", "MJD-OBS_MOD 54_386.146", "expected a Modified Julian Date"),
        ("MJD-OBS_MOD 54386.14600", "MJD-OBS_MOD ٥٤٣٨٦.146", "expected a Modified Julian Date"),
        ("AB_NAME G.2007-10-13T03:29:13.ab", "AB_NAME G.2007-10-13T03:29:13", "ends in .ab"),
        ("RECIPE gimasterbias", "RECIPE gimasterbias or another", "expected one word"),
    ],
)
def test_values_that_can_not_be_true_are_an_error(old: str, new: str, problem: str) -> None:
    with pytest.raises(BlockError, match=problem):
        parse_block(SOUND.replace(old, new), "x.ab")


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ("DATE 2007-10-12", "DATE 2007-11-12", "DATE is 2007-11-12, but MJD-OBS is of 2007-10-12"),
        ("CALIB_2007-10-12", "CALIB_2007-10-14", "BATCH_ID 'CALIB_2007-10-14' is not of DATE"),
        ("RECIPE gimasterbias", "RECIPE", "RECIPE is empty"),
        ("AB_NAME G", "AB_NAME H", "has the name of none of its raw files"),
    ],
)
def test_what_does_not_fit_together_is_read_with_a_warning(old: str, new: str, warning: str) -> None:
    assert any(warning in text for text in parse_block(SOUND.replace(old, new, 1), "x.ab").warnings)


def test_a_line_that_is_there_twice_is_taken_once() -> None:
    line = "RAWFILE G.2007-10-13T03:29:13.fits BIAS"
    block = parse_block(f"{SOUND}{line}\n", "x.ab")
    assert len(block.raw_files) == 2
    assert any("is there twice with the same value" in text for text in block.warnings)


def test_the_case_of_a_flag_does_not_count() -> None:
    block = parse_block(f"{SOUND}MCALIB virtual m.fits MASTER_DARK OK 0.1\n", "x.ab")
    assert block.calibrations[0].flag == "VIRTUAL"
