"""An AB as text: what is printed is read back, what is nonsense is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from qcbench.blocks import BlockFile, CalibrationLine, block_of, log_text, parse_block, print_block
from qcbench.core.errors import QcbenchError
from qcbench.store import ABState, AssociationBlock, Store
from tests.builders import add_ab, add_product, use_calibration

words = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,30}", fullmatch=True)
qualifiers = st.from_regex(r"[A-Z][A-Z0-9_-]{0,20}", fullmatch=True).filter(
    lambda name: name not in {"RAWFILE", "PRODUCTS", "MCALIB", "MASSOC", "RAW_MATCH_KEY"}
)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).map(
    lambda text: " ".join(text.split())
)
calibrations = st.builds(
    CalibrationLine,
    role=st.sampled_from(["MCALIB", "MASSOC"]), flag=words, file=words, tag=words, evaluation=words,
    dt_days=st.integers(-10**9, 10**9).map(lambda micros: micros / 1e6),
)  # fmt: skip
blocks = st.builds(
    BlockFile,
    fields=st.lists(st.tuples(qualifiers, values)).map(tuple),
    match_keys=st.lists(st.tuples(words, values)).map(tuple),
    raw_files=st.lists(st.tuples(words, words)).map(tuple),
    calibrations=st.lists(calibrations).map(tuple),
    products=st.lists(st.tuples(words, words)).map(tuple),
)


@given(blocks)
def test_what_is_printed_is_read_back(block: BlockFile) -> None:
    assert parse_block(print_block(block), "a.ab") == block


def test_a_header_value_forges_no_line() -> None:
    hostile = "x\nRAWFILE          evil.fits DARK\x0b\x85\u2028# y"
    block = BlockFile((("OBS_PROG_ID", hostile),), (("INS.FILT1.NAME", hostile),), (), (), ())
    back = parse_block(print_block(block), "a.ab")
    assert back.raw_files == ()
    assert back.field("OBS_PROG_ID") == "x RAWFILE evil.fits DARK # y"


@pytest.mark.parametrize("value", ["V#641", "OIII # 687", "# 3", "a=b", ""])
def test_a_hash_or_an_equals_sign_in_a_value_is_kept(value: str) -> None:
    block = BlockFile((("OBJECT", value),), (("INS.FILT1.NAME", value),), (), (), ())
    assert parse_block(print_block(block), "a.ab") == block


def test_comments_blank_lines_and_tabs_of_old_files_are_understood() -> None:
    text = "# an AB\n\nDATE\t2020-01-10\n  RAWFILE  a.fits  DARK # x\nMCALIB REAL m.fits MASTER_DARK OK -0.5 # x\n"
    block = parse_block(text, "a.ab")
    assert block.field("DATE") == "2020-01-10"
    assert block.field("NOTHING") == ""
    assert block.raw_files == (("a.fits", "DARK"),)
    assert block.calibrations == (CalibrationLine("MCALIB", "REAL", "m.fits", "MASTER_DARK", "OK", -0.5),)


@pytest.mark.parametrize(
    "line",
    [
        "RAWFILE", "RAWFILE a.fits", "RAWFILE a.fits # DARK", "PRODUCTS x", "MCALIB REAL m.fits DARK OK",
        "MASSOC REAL m.fits DARK OK soon", "lorem ipsum", "<html>", "\x7fELF",
    ],
)  # fmt: skip
def test_a_line_of_nonsense_is_named(line: str) -> None:
    with pytest.raises(QcbenchError, match=r"a\.ab, line 2: "):
        parse_block(f"DATE 2020-01-10\n{line}\n", "a.ab")


@pytest.mark.parametrize(
    ("state", "status"),
    [(ABState.CREATED, "CREATED"), (ABState.QUEUED, "CREATED"), (ABState.PROCESSING, "CREATED"),
     (ABState.FAILED, "FAILED"), (ABState.PROCESSED, "SUCCESSFUL"), (ABState.INGESTED, "SUCCESSFUL")],
)  # fmt: skip
def test_an_ab_of_the_database_has_its_text_and_its_log(tmp_path: Path, state: ABState, status: str) -> None:
    store = Store(f"sqlite:///{tmp_path / 'state.db'}")
    store.upgrade()
    with store.write() as session:
        dark = add_ab(session, 1.0, frames=())
        master = add_product(session, dark, "MASTER_DARK")
        flat = add_ab(
            session, 3.0, raw_type="FLAT", frames=(), state=state, match_keys={"INS.FILT1.NAME": "V#641"}
        )
        flat.missing = [{"tag": "MASTER_BIAS", "required": True}, {"tag": "BPM", "required": False}]
        use_calibration(session, flat, master)
        session.flush()
        name = flat.name
    with store.read() as session:
        ab = session.scalars(select(AssociationBlock).where(AssociationBlock.name == name)).one()
        block, log = parse_block(print_block(block_of(ab)), name), log_text(ab)
    store.dispose()
    assert (block.field("AB_NAME"), block.field("PROCESS_STATUS")) == (name, status)
    assert block.match_keys == (("INS.FILT1.NAME", "V#641"),)
    assert block.calibrations == (
        CalibrationLine("MCALIB", "VIRTUAL", master.pipefile, "MASTER_DARK", "OK", -0.083333),
    )
    assert log.splitlines() == [
        f"{name} FLAT DIT10 COMPLETE",
        f"OK MCALIB VIRTUAL {master.pipefile} MASTER_DARK -0.083",
        "NOK MCALIB MISSING - MASTER_BIAS -",
    ]
