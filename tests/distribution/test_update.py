"""update-ab: once products are certified and renamed, virtual names become real ones (handbook 5.5.5)."""

from __future__ import annotations

from qcbench.blocks import keeping, parse_block
from qcbench.distribution import update_abs
from qcbench.store import record_event
from tests.builders import DATE, INSTRUMENT, add_ab, add_product, find_ab, flags_of, use_calibration


def test_virtual_calibrations_become_real_in_database_and_texts(night):
    night.up_to("renamed")
    result = update_abs(night.bench, INSTRUMENT, DATE)
    assert (result.updated, result.virtual) == ((night.flat,), ())
    logs = night.bench.data(INSTRUMENT).logs(DATE)
    (line,) = parse_block((logs / night.flat).read_text(), night.flat).calibrations
    assert (line.flag, line.file) == ("REAL", "TI_MDRK_261119A_DIT10.fits")
    alog = (logs / night.flat.replace(".ab", ".alog")).read_text()
    assert "OK MCALIB REAL TI_MDRK_261119A_DIT10.fits MASTER_DARK" in alog
    with night.bench.store.read() as session:
        assert [use.flag for use in find_ab(session, night.flat).calibrations] == ["REAL"]


def test_a_calibration_that_is_not_certified_yet_stays_virtual(night):
    night.up_to("renamed")
    with night.bench.store.write() as session:
        other = add_ab(session, 7)
        use_calibration(session, find_ab(session, night.flat), add_product(session, other, "MASTER_DARK"))
    assert update_abs(night.bench, INSTRUMENT, DATE).virtual == (night.flat,)
    assert not flags_of(night.bench, "cal_U")


def test_the_flag_is_written_once(night):
    night.up_to("renamed")
    update_abs(night.bench, INSTRUMENT, DATE)
    update_abs(night.bench, INSTRUMENT, DATE)
    night.up_to("ingested")
    update_abs(night.bench, INSTRUMENT, DATE)
    assert flags_of(night.bench, "cal_U") == ["cal_Updated"]


def test_texts_are_written_while_others_can_write(night, monkeypatch):
    night.up_to("renamed")
    write = keeping.write_text

    def while_others_write(path, text):
        with night.bench.store.write() as session:
            record_event(session, "test", "others", "write meanwhile")
        return write(path, text)

    monkeypatch.setattr(keeping, "write_text", while_others_write)
    assert update_abs(night.bench, INSTRUMENT, DATE).updated == (night.flat,)
    assert set(flags_of(night.bench, "others")) == {"others"}
