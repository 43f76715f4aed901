"""The texts of ABs follow the database, whoever changes it, and whatever was killed before."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import select

from qcbench.blocks import keeping, parse_block, read_block
from qcbench.certification.rejection import withdraw
from qcbench.core.errors import FileWriteError
from qcbench.store import Frame, Product, TextMark, advance
from qcbench.workbench import Workbench
from tests.association.observatory import (
    DATE,
    INSTRUMENT,
    arrive,
    block,
    blocks,
    build,
    certify,
    create,
    template,
    texts,
)

NEXT = DATE + dt.timedelta(days=1)
KEEP_OUT = "filters: [{when: 'DPR.TYPE == \"FLAT,SKY\"', why: cloudy}]\n"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 3)])
    create(bench)
    return bench


def text_of(bench: Workbench, name: str) -> Path:
    (ab,) = [ab for ab in blocks(bench) if ab.name == name]
    return bench.data(INSTRUMENT).logs(ab.dfo_date) / name


def marks(bench: Workbench) -> list[str]:
    with bench.store.read() as session:
        return list(session.scalars(select(TextMark.name).order_by(TextMark.name)))


def listed(bench: Workbench, mode: str = "CALIB", date: dt.date = DATE) -> list[str]:
    return (bench.tree.monitor / f"AB_list_{INSTRUMENT}_{mode}_{date}").read_text().split()


def test_nothing_is_marked_once_the_texts_are_written(bench: Workbench) -> None:
    assert marks(bench) == []
    assert listed(bench) == [ab.name for ab in blocks(bench)]
    assert set(texts(bench)) == {
        name for ab in blocks(bench) for name in (ab.name, f"{ab.name.removesuffix('.ab')}.alog")
    }


def test_the_list_of_a_date_is_empty_when_its_last_ab_is_gone(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, template("FLAT,SKY", 5.0, 3))
    create(bench)
    assert len(listed(bench)) == 1
    with bench.store.write() as session:
        for frame in session.scalars(select(Frame)):
            frame.keys = frame.keys | {"DPR.TYPE": "MENDED"}
    assert len(create(bench).dissolved) == 1
    assert listed(bench) == []
    assert texts(bench) == {}


def test_what_a_killed_call_has_not_written_is_written_by_the_next_one_also_of_another_date(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = block(bench, "FLAT").name
    before = text_of(bench, flat).read_text()
    # a closer bias comes; the process is killed when the database has it, and no text was written
    arrive(bench, template("BIAS", 4.5, 3))
    with monkeypatch.context() as killed:
        killed.setattr(Workbench, "write_texts", lambda self: None)
        create(bench)
    assert text_of(bench, flat).read_text() == before
    assert flat in marks(bench)
    create(bench, NEXT)
    assert read_block(text_of(bench, flat)).calibrations[0].dt_days == pytest.approx(-0.5 / 24, abs=1e-4)
    assert marks(bench) == []


def test_a_text_that_can_not_be_written_stays_marked(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> Path:
        raise FileWriteError(f"{path}: no space left")

    arrive(bench, template("BIAS", 4.5, 3))
    with monkeypatch.context() as disk:
        disk.setattr(keeping, "write_text", full)
        with pytest.raises(FileWriteError):
            create(bench)
    assert marks(bench)
    bench.write_texts()
    assert marks(bench) == []
    assert read_block(text_of(bench, block(bench, "FLAT").name)).calibrations[0].dt_days is not None


def test_a_rejection_takes_the_calibration_out_of_the_text_of_its_user(bench: Workbench) -> None:
    bias, flat = block(bench, "BIAS"), block(bench, "FLAT")
    assert "MASTER_BIAS" in text_of(bench, flat.name).read_text()
    with bench.store.write() as session:
        rejected = session.merge(bias)
        advance(session, rejected, "rejected", "test")
        withdraw(session, rejected)
    bench.write_texts()
    found = read_block(text_of(bench, flat.name))
    assert (found.field("COMPLETENESS"), found.calibrations) == ("INCOMPLETE", ())
    log = text_of(bench, flat.name).with_suffix(".alog").read_text()
    assert "was rejected" in log


def test_a_product_that_gets_its_final_name_has_it_in_the_text_of_its_user(bench: Workbench) -> None:
    certify(bench, "BIAS")
    with bench.store.write() as session:
        master = session.scalars(select(Product).where(Product.pro_catg == "MASTER_BIAS")).one()
        master.final_name = "TY_MBIA_261110A.fits"
    bench.write_texts()
    for raw_type in ("BIAS", "FLAT"):
        assert "TY_MBIA_261110A.fits" in text_of(bench, block(bench, raw_type).name).read_text()


def test_a_change_while_texts_are_written_is_written_too(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat, write = block(bench, "FLAT"), keeping.write_text
    changes = iter(["first", "second"])

    def while_somebody_changes(path: Path, text: str) -> Path:
        if path.name == flat.name and (reason := next(changes, None)):
            with bench.store.write() as session:
                session.merge(flat).raw_type = reason.upper()
        return write(path, text)

    monkeypatch.setattr(keeping, "write_text", while_somebody_changes)
    with bench.store.write() as session:
        session.merge(flat).raw_type = "START"
    bench.write_texts()
    assert parse_block(text_of(bench, flat.name).read_text(), "x").field("RAW_TYPE") == "SECOND"
    assert marks(bench) == []


def test_a_text_that_somebody_removed_is_written_again(bench: Workbench) -> None:
    path = text_of(bench, block(bench, "FLAT").name)
    text = path.read_text()
    path.unlink()
    create(bench)
    assert path.read_text() == text
