"""QC parameters are read from the headers of a product, for each detector, or refused with their key."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits

from qcbench.core.errors import FrameError
from qcbench.fits import Value, read_header
from qcbench.instruments import Column
from qcbench.qc1 import Measurement, measure
from tests.qc1.specs import FILTER, HOT, RON, column, spec


def product(folder: Path, primary: dict[str, object], **extensions: dict[str, object]) -> Path:
    path = folder / "product.fits"
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(name=name) for name in extensions)]
    for hdu, keys in zip(hdus, [primary, *extensions.values()], strict=True):
        for key, value in keys.items():
            hdu.header[f"HIERARCH ESO {key.replace('.', ' ')}"] = value
    fits.HDUList(hdus).writeto(path)
    return path


def value_of(folder: Path, value: object, measured: Column) -> Value | None:
    path = product(folder, {}, CHIP1={measured.key: value, "QC.OTHER": 1.0})
    other = column("other", "QC.OTHER")
    (found,) = measure(read_header(path), spec(measured, other, detectors=("CHIP1",)))
    return found.values[measured.name]


def test_each_detector_has_the_values_of_its_extension(tmp_path: Path) -> None:
    path = product(
        tmp_path, {"INS.FILT1.NAME": "J"}, CHIP2={"QC.RON": 8.5, "QC.NHOT": 3}, CHIP1={"QC.RON": 7}
    )  # fmt: skip
    assert measure(read_header(path), spec()) == [
        Measurement("CHIP1", {"filter": "J", "ron": 7.0, "n_hot": None}),
        Measurement("CHIP2", {"filter": "J", "ron": 8.5, "n_hot": 3}),
    ]


def test_a_detector_that_the_product_has_not_got_is_passed_over(tmp_path: Path) -> None:
    path = product(tmp_path, {"INS.FILT1.NAME": "J"}, CHIP2={"QC.RON": 8.5}, CHIP1={})
    assert [item.detector for item in measure(read_header(path), spec())] == ["CHIP2"]


def test_a_product_of_one_detector_alone_has_its_values_in_the_primary_header(tmp_path: Path) -> None:
    path = product(tmp_path, {"QC.RON": 2.9}, DATA={})
    fits.setval(path, "EXTNAME", value="CHAN06")
    of_two = spec(RON, detectors=("CHAN06.DATA", "CHAN07.DATA"))
    assert measure(read_header(path), of_two) == [Measurement("CHAN06.DATA", {"ron": 2.9})]


def test_a_product_without_any_parameter_is_an_error_that_says_where_to_look(tmp_path: Path) -> None:
    path = product(tmp_path, {"INS.FILT1.NAME": "J"}, CHIP1={})
    with pytest.raises(FrameError, match=r"no QC parameter of detectors CHIP1, CHIP2 .*qc1\.yaml"):
        measure(read_header(path), spec())


def test_values_of_a_file_are_found_in_any_of_its_headers_under_the_name_of_the_detector(
    tmp_path: Path,
) -> None:
    named = column("gain", "QC.GAIN.{detector}")
    path = product(
        tmp_path, {"QC.GAIN.CHIP1-INT1": 1.7}, ANYWHERE={"QC.GAIN.CHIP2-INT1": 1.9, "QC.GAIN.CHIP1-INT1": 9.9}
    )  # fmt: skip
    table = spec(named, detectors=("CHIP1.INT1", "CHIP2.INT1", "CHIP3.INT1"), found_in="file")
    assert [(item.detector, item.values["gain"]) for item in measure(read_header(path), table)] == [
        ("CHIP1.INT1", 1.7), ("CHIP2.INT1", 1.9)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "measured", "kept"),
    [
        (7, RON, 7.0), ("7.5", RON, 7.5), (-1e-30, RON, -1e-30), (12.0, HOT, 12), ("12", HOT, 12),
        (5, FILTER, "5"), ("V#641", FILTER, "V#641"), ("'); DROP TABLE x; --", FILTER, "'); DROP TABLE x; --"),
    ],
)  # fmt: skip
def test_a_value_is_kept_in_the_type_of_its_column(
    tmp_path: Path, value: object, measured: Column, kept: Value
) -> None:
    found = value_of(tmp_path, value, measured)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("value", "measured"),
    [("seven", RON), ("", RON), ("nan", RON), ("inf", RON), (True, RON), ("1e999", RON),
     (2.7, HOT), (1e30, HOT), ("many", HOT), (False, HOT)],
)  # fmt: skip
def test_a_value_that_is_no_number_of_its_column_is_an_error_with_its_key(
    tmp_path: Path, value: object, measured: Column
) -> None:
    with pytest.raises(FrameError, match=rf"product\.fits: key {measured.key} is not "):
        value_of(tmp_path, value, measured)
