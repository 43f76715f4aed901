"""The association log has the documented form, and what it says is read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from qcbench.blocks import (
    BlockError,
    CalibrationLine,
    LogFile,
    MissingLine,
    log_of,
    log_text,
    parse_log,
    print_log,
    read_log,
)
from qcbench.store import Store
from tests.blocks.forms import logs
from tests.builders import add_ab, add_product, use_calibration

# AssocLogs.html
DOCUMENTED = """\
GIRAF.2007-10-13T03:29:13.092.ab SCI_MED Medusa1_L543.1 COMPLETE
OK MCALIB REAL GI_MBIA_071012A_1x1.fits MASTER_BIAS 0.549
OK MCALIB REAL GI_MDRK_071010A_1x1.fits MASTER_DARK -1.462
"""


@given(logs)
def test_what_is_printed_is_read_back_whatever_the_header_values_are(log: LogFile) -> None:
    assert parse_log(print_log(log), "a.alog") == log


def test_the_documented_example_is_read_and_written() -> None:
    log = parse_log(DOCUMENTED, "a.alog")
    assert (log.ab_name, log.raw_type, log.setup) == (
        "GIRAF.2007-10-13T03:29:13.092.ab",
        "SCI_MED",
        "Medusa1 L543.1",
    )
    assert log.calibrations[1] == CalibrationLine(
        "MCALIB", "REAL", "GI_MDRK_071010A_1x1.fits", "MASTER_DARK", "OK", -1.462
    )
    assert print_log(log) == DOCUMENTED


def test_the_log_of_an_ab_names_what_it_uses_and_what_it_lacks(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'state.db'}")
    store.upgrade()
    with store.write() as session:
        dark = add_ab(session, 1.0, frames=())
        master = add_product(session, dark, "MASTER_DARK")
        flat = add_ab(session, 3.0, raw_type="FLAT", frames=(), setup="J DIT10")
        flat.missing = [
            {"tag": "MASTER_BIAS", "required": True, "line": 7, "why": "no MASTER_BIAS fits"},
            {"tag": "BPM", "required": False},
        ]
        use_calibration(session, flat, master)
        session.flush()
        text, log = log_text(flat), log_of(flat)
        assert text.splitlines() == [
            f"{flat.name} FLAT J_DIT10 COMPLETE",
            f"OK MCALIB VIRTUAL {master.pipefile} MASTER_DARK -0.083",
            "# MISSING MASTER_BIAS required no MASTER_BIAS fits",
            "# MISSING BPM optional",
        ]
    store.dispose()
    assert log.missing == (
        MissingLine("MASTER_BIAS", True, "no MASTER_BIAS fits"),
        MissingLine("BPM", False, ""),
    )
    assert parse_log(text, "a.alog") == log


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("OK MCALIB REAL m.fits MASTER_BIAS", "expected evaluation, type, flag, file, PRO.CATG and DT"),
        ("FINE MCALIB REAL m.fits MASTER_BIAS 1", "expected evaluation OK or NOK, found 'FINE'"),
        ("OK RAWFILE REAL m.fits MASTER_BIAS 1", "expected type MCALIB or MASSOC"),
        ("OK MCALIB UNREAL m.fits MASTER_BIAS 1", "expected flag REAL or VIRTUAL"),
        ("OK MCALIB REAL ../m.fits MASTER_BIAS 1", "expected the name of a file"),
        ("OK MCALIB REAL m.fits MASTER_BIAS later", "expected DT in days"),
        ("# MISSING MASTER_BIAS", "expected # MISSING, category, and required or optional"),
        ("# MISSING MASTER_BIAS perhaps", "expected need required or optional"),
    ],
)  # fmt: skip
def test_a_line_of_nonsense_is_named(line: str, expected: str) -> None:
    with pytest.raises(BlockError, match=r"^a\.alog, line 4: ") as caught:
        parse_log(f"{DOCUMENTED}{line}\n", "a.alog")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a line for the AB, found none"),
        ("# nothing\n", "expected a line for the AB, found none"),
        ("a.ab BIAS 1x1 SOON\n", "expected completeness COMPLETE or INCOMPLETE"),
        ("a.ab BIAS COMPLETE\n", "expected AB, raw type, setup and completeness"),
        ("logs/a.ab BIAS 1x1 COMPLETE\n", "expected the name of an AB"),
    ],
)  # fmt: skip
def test_a_log_needs_its_ab(text: str, expected: str) -> None:
    with pytest.raises(BlockError, match=expected):
        parse_log(text, "a.alog")


def test_comments_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.alog"
    path.write_text(f"# by hand\n\n{DOCUMENTED}", encoding="utf-8")
    assert read_log(path) == parse_log(DOCUMENTED, "a.alog")
