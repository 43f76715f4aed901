"""An AB as text: the documented qualifiers in their order, and what is written is read back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from sqlalchemy.orm import Session

import qcbench
from qcbench.blocks import (
    AssociatedLine,
    BlockFile,
    CalibrationLine,
    block_of,
    list_text,
    parse_block,
    print_block,
)
from qcbench.store import ABInput, ABState, AssociationBlock, Store
from qcbench.store.models import Product
from tests.blocks.forms import blocks
from tests.builders import DATE, INSTRUMENT, add_ab, add_frame, add_product, use_calibration

# the order of AB_structure.html; PACK_DIR and RB_NAME are obsolete
DOCUMENTED = [
    "TOOL_VERSION", "CONFIG_VERSION", "INSTRUMENT", "DATE", "DPR_CATG", "RAW_TYPE", "RECIPE", "DRS_TYPE", "BATCH_ID",
    "AB_NAME", "AB_EVENT", "COMPLETENESS", "PROCESS_STATUS", "OBS_PROG_ID", "OBS_MODE", "OBS_ID", "MJD-OBS",
    "MJD-OBS_MOD", "PROD_ROOT_NAME", "LOG_NAME", "PROD_PATH", "RAW_MATCH_KEY", "RAWFILE", "RASSOC", "MCALIB",
    "MASSOC", "PRODUCTS",
]  # fmt: skip


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    store = Store(f"sqlite:///{tmp_path / 'state.db'}")
    store.upgrade()
    with store.write() as session:
        yield session
    store.dispose()


@pytest.fixture
def flat(session: Session) -> AssociationBlock:
    """A flat of two frames with one of each kind of file that an AB can have."""
    master = add_product(session, add_ab(session, 1.0, frames=()), "MASTER_DARK")
    frames = [add_frame(session, 3.0, dpr_type="FLAT"), add_frame(session, 3.1, dpr_type="FLAT")]
    ab = add_ab(
        session, 3.0, raw_type="FLAT", frames=frames, match_keys={"INS.FILT1.NAME": "V#641"},
        keys={"DPR.CATG": "CALIB", "OBS.PROG.ID": "180.B-0806(B)", "OBS.ID": 4711},
    )  # fmt: skip
    ab.inputs.append(
        ABInput(frame=add_frame(session, 2.0), role="RASSOC", tag="ACQ", dt_days=-1 / 24, level=1, position=2)
    )
    static = Product(
        instrument=INSTRUMENT, position=0, pro_catg="PHOT_TABLE", pipefile="TI_GPHT_v1.fits", location="general",
        mjd_obs=0.0, keys={},
    )  # fmt: skip
    use_calibration(session, ab, static, role="MASSOC", flag="REAL").dt_days = None
    use_calibration(session, ab, master)
    add_product(session, ab, "MASTER_FLAT")
    return ab


def qualifiers(text: str) -> list[str]:
    """The qualifiers of a text, each once, in order."""
    return list(dict.fromkeys(line.split()[0] for line in text.splitlines() if not line.startswith("#")))


@given(blocks)
def test_what_is_printed_is_read_back_whatever_the_header_values_are(block: BlockFile) -> None:
    back = parse_block(print_block(block), "a.ab")
    assert back == block
    # a recipe that is empty, dates of nowhere: odd, but nothing was assumed
    assert not any("assumed" in text or "taken" in text for text in back.warnings)


def test_all_documented_qualifiers_are_written_in_the_documented_order(flat: AssociationBlock) -> None:
    assert qualifiers(print_block(block_of(flat))) == DOCUMENTED


def test_an_ab_of_the_database_is_read_back_from_its_text(flat: AssociationBlock) -> None:
    block = block_of(flat)
    assert parse_block(print_block(block), flat.name) == block
    assert {name: block.field(name) for name in ("TOOL_VERSION", "CONFIG_VERSION", "BATCH_ID", "OBS_MODE")} == {
        "TOOL_VERSION": qcbench.__version__, "CONFIG_VERSION": "", "BATCH_ID": f"CALIB_{DATE}", "OBS_MODE": "NONE",
    }  # fmt: skip
    assert block.field("PROD_PATH") == f"product/FLAT/{DATE}"
    assert block.field("NOTHING") == ""
    assert [tag for _, tag in block.raw_files] == ["FLAT", "FLAT"]
    assert block.associated == (AssociatedLine(flat.inputs[2].frame.arcfile, "ACQ", "NOK", -0.041667),)


def test_a_static_calibration_has_no_ab_and_no_time(flat: AssociationBlock) -> None:
    text = print_block(block_of(flat))
    assert "MASSOC           REAL TI_GPHT_v1.fits PHOT_TABLE OK -\n" in text
    dark, table = parse_block(text, flat.name).calibrations
    assert (dark.role, dark.flag, dark.dt_days) == ("MCALIB", "VIRTUAL", -0.083333)
    assert table == CalibrationLine("MASSOC", "REAL", "TI_GPHT_v1.fits", "PHOT_TABLE", "OK", None)


def test_dots_of_a_match_key_are_underscores_as_documented() -> None:
    block = replace(_block(), match_keys=(("INS.GRAT.NAME", "HR"), ("TPL_A.B=C", "x")))
    text = print_block(block)
    assert "RAW_MATCH_KEY    INS_GRAT_NAME=HR\n" in text
    assert "RAW_MATCH_KEY    TPL%5FA_B%3DC=x\n" in text
    assert parse_block(text, "a.ab").match_keys == block.match_keys


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (ABState.CREATED, "CREATED"), (ABState.QUEUED, "CREATED"), (ABState.PROCESSING, "CREATED"),
        (ABState.FAILED, "FAILED"), (ABState.PROCESSED, "SUCCESSFUL"), (ABState.INGESTED, "SUCCESSFUL"),
    ],
)  # fmt: skip
def test_the_process_status_follows_the_state(flat: AssociationBlock, state: ABState, status: str) -> None:
    flat.state = state
    assert block_of(flat).field("PROCESS_STATUS") == status


def test_a_rejected_ab_says_how_its_processing_ended(flat: AssociationBlock) -> None:
    flat.state = ABState.REJECTED
    assert block_of(flat).field("PROCESS_STATUS") == "CREATED"
    flat.attempts = 1
    assert block_of(flat).field("PROCESS_STATUS") == "SUCCESSFUL"
    flat.reason = "the recipe failed"
    assert block_of(flat).field("PROCESS_STATUS") == "FAILED"


def test_the_time_of_the_update_is_the_last_line_once_the_products_are_renamed(
    flat: AssociationBlock,
) -> None:
    flat.updated_at = dt.datetime(2026, 11, 20, 8, 30, 15, 999, tzinfo=dt.UTC)
    assert "updated" not in print_block(block_of(flat))
    flat.state = ABState.RENAMED
    text = print_block(block_of(flat))
    assert text.endswith("# updated 2026-11-20T08:30:15\n")
    assert parse_block(text, flat.name).updated == flat.updated_at.replace(microsecond=0)


def test_a_header_value_forges_no_line() -> None:
    value = "x\nRAWFILE          evil.fits DARK\x0b\x85\u2028# y"
    fields = tuple((name, value if name == "OBS_PROG_ID" else old) for name, old in _block().fields)
    block = replace(_block(), fields=fields, match_keys=(("INS.FILT1.NAME", value),))
    text = print_block(block)
    assert [line for line in text.splitlines() if line.startswith("RAWFILE")] == [
        "RAWFILE          a.fits DARK"
    ]
    assert parse_block(text, "a.ab").field("OBS_PROG_ID") == value


def test_every_ab_of_a_date_is_listed_by_time(session: Session) -> None:
    late, early = add_ab(session, 5.0), add_ab(session, 2.0)
    assert list_text([late, early]) == f"{early.name}\n{late.name}\n"


def _block() -> BlockFile:
    return parse_block("MJD-OBS 61000.5\nRAWFILE a.fits DARK\n", "a.ab")
