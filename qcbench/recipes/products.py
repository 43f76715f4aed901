"""Products: header with provenance as CPL writes it, QC parameters, checksums; written atomically."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

import qcbench
from qcbench.core.files import atomic
from qcbench.recipes.frames import PRIMARY, Detector, Frame

if TYPE_CHECKING:
    from qcbench.recipes.job import Run

_OWN = re.compile(
    r"(CHECKSUM|DATASUM|DATAMD5|PIPEFILE|BLANK|ZHECKSUM|ZDATASUM|INHERIT|BUNIT|DATE|ARCFILE|ORIGFILE)$"
    r"|ESO (PRO|QC|DRS) "
)

_WCS = re.compile(r"(CTYPE|CRVAL|CRPIX|CDELT|CUNIT|CROTA|CD|PC|LTM|LTV|WAT)\d|WCSDIM|WCSAXES")


@dataclass(frozen=True)
class QC:
    """One QC parameter: name below ``ESO QC``, value, and a comment that starts with the unit."""

    name: str
    value: float | int
    comment: str


@dataclass(frozen=True)
class Unit:
    """One header and data unit of a product.

    Attributes
    ----------
    name : str
        EXTNAME; `PRIMARY` puts the unit into the primary of the product.
    data : array
        Float32 image, byte mask, one-dimensional spectrum, or a structured array for a table.
    """

    name: str
    data: NDArray[Any]
    header: fits.Header = field(default_factory=fits.Header)
    qc: Sequence[QC] = ()
    bunit: str = ""
    units: Sequence[str] = ()


@dataclass(frozen=True)
class Product:
    """A product file before it is written: its category, what it is made of, and its units."""

    category: str
    raw: Sequence[Frame]
    units: Sequence[Unit]
    calibrations: Sequence[Frame] = ()
    primary_qc: Sequence[QC] = ()
    n_combined: int | None = None


def inherited(header: fits.Header) -> fits.Header:
    """Return a raw header without its structure, checksums and what a product says for itself."""
    kept = fits.Header()
    for card in header.copy(strip=True).cards:
        if card.keyword and not _OWN.match(card.keyword):
            card.verify("silentfix+ignore")
            kept.append(card, end=True)
    return kept


def without_wcs(header: fits.Header) -> fits.Header:
    """Return a header without the coordinates of an image that is no longer there."""
    kept = header.copy()
    for key in {key for key in kept if _WCS.match(key)}:
        kept.remove(key, remove_all=True)
    return kept


def image_unit(detector: Detector, data: NDArray[Any], qc: Sequence[QC] = (), bunit: str = "adu") -> Unit:
    """Return the unit of a product for a detector of the raw frames."""
    return Unit(detector.name, data, detector.header, qc, bunit)


def product_name(product: Product, run: Run) -> str:
    """Return the file name of a product: the one that the job gives, or one made of its category."""
    return run.job.product_names.get(product.category, f"{_slug(product.category)}.fits")


def write_product(product: Product, run: Run) -> None:
    """Write a product into the output folder."""
    name = product_name(product, run)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    with warnings.catch_warnings(), atomic(run.job.output_dir / name) as tmp:
        # A comment that a long key leaves no room for is cut, as CPL does; that is no news for the log.
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        hdus = _hdus(product, _primary_header(product, run, name, now))
        for hdu in hdus:
            hdu.verify("silentfix+ignore")
            hdu.add_checksum(when=f"HDU checksum updated {now}")
        hdus.writeto(tmp, output_verify="silentfix+ignore")
        _stamp_md5(tmp, now)


def _slug(category: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", category.lower()).strip("_") or "product"


def _hdus(product: Product, header: fits.Header) -> fits.HDUList:
    primary = fits.PrimaryHDU(header=without_wcs(header))
    extensions: list[Any] = []
    for unit in product.units:
        if unit.name == PRIMARY:
            primary = fits.PrimaryHDU(unit.data, header=header)
            _describe(primary.header, unit)
        else:
            extensions.append(_extension(unit))
    _write_qc(primary.header, product.primary_qc)
    return fits.HDUList([primary, *extensions])


def _extension(unit: Unit) -> Any:
    header = inherited(unit.header)
    if unit.data.dtype.names:
        hdu = fits.BinTableHDU(unit.data, header=header, name=unit.name)
        for column, text in zip(hdu.columns, unit.units, strict=True):
            column.unit = text or None
    else:
        hdu = fits.ImageHDU(unit.data, header=header, name=unit.name)
    # EXTNAME as the raw frame has it: the FITS library writes names in capitals.
    hdu.header["EXTNAME"] = (unit.name, "Extension name")
    _describe(hdu.header, unit)
    return hdu


def _describe(header: fits.Header, unit: Unit) -> None:
    if unit.bunit:
        header["BUNIT"] = (unit.bunit, "Unit of the pixel values")
    _write_qc(header, unit.qc)


def _write_qc(header: fits.Header, parameters: Iterable[QC]) -> None:
    for qc in parameters:
        # A number that could not be measured has no FITS form: the key is left out, and scoring sees that.
        if np.isfinite(qc.value):
            value = int(qc.value) if isinstance(qc.value, int | np.integer) else float(f"{qc.value:.8g}")
            header[f"HIERARCH ESO QC {qc.name}"] = (value, qc.comment)


def _primary_header(product: Product, run: Run, name: str, now: str) -> fits.Header:
    first = product.raw[0]
    header = inherited(first.header)
    header["DATE"] = (now, "[UT] Time of writing")
    header["PIPEFILE"] = (name, "Filename of data product")
    header["DATAMD5"] = ("0" * 32, "MD5 checksum of all data units")
    ancestor = first.header.get("ARCFILE", first.path.name)
    tech = first.header.get("ESO DPR TECH", "IMAGE")
    n_combined = len(product.raw) if product.n_combined is None else product.n_combined
    cards: list[tuple[str, Any, str]] = [
        ("ANCESTOR", ancestor, "First raw frame"),
        ("CATG", product.category, "Category of pipeline product frame"),
        ("TYPE", "REDUCED", "Product type"),
        ("TECH", tech, "Observation technique"),
        ("SCIENCE", False, "Scientific product if T"),
        ("REC1 ID", run.job.instrument_recipe, "Pipeline recipe (unique) identifier"),
        ("REC1 DRS ID", f"qcbench-{qcbench.__version__}", "Data Reduction System identifier"),
        ("REC1 PIPE ID", f"qcbench.{run.job.recipe}/{run.recipe_version}", "Pipeline (unique) identifier"),
        *_inputs(product),
        ("DATANCOM", n_combined, "Number of combined frames"),
        *_parameters(run),
    ]
    for key, value, comment in cards:
        header[f"HIERARCH ESO PRO {key}"] = (value, comment)
    return header


def _inputs(product: Product) -> Iterable[tuple[str, Any, str]]:
    for number, frame in enumerate(product.raw, 1):
        yield f"REC1 RAW{number} NAME", frame.path.name, "File name of raw frame"
        yield f"REC1 RAW{number} CATG", frame.tag, "Category of raw frame"
    for number, frame in enumerate(product.calibrations, 1):
        yield f"REC1 CAL{number} NAME", frame.path.name, "File name of calibration frame"
        yield f"REC1 CAL{number} CATG", frame.tag, "Category of calibration frame"
        yield (
            f"REC1 CAL{number} DATAMD5",
            frame.header.get("DATAMD5") or data_md5(frame.path),
            "MD5 signature",
        )


def _parameters(run: Run) -> Iterable[tuple[str, Any, str]]:
    for number, (name, value) in enumerate(run.parameters.items(), 1):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield f"REC1 PARAM{number} NAME", name, "Parameter"
        yield f"REC1 PARAM{number} VALUE", text, "Its value"


def data_md5(path: Path) -> str:
    """Return the MD5 of all data units of a FITS file, in their order, with their padding."""
    digest = hashlib.md5(usedforsecurity=False)
    with fits.open(path, memmap=False) as hdus, path.open("rb") as stream:
        for index in range(len(hdus)):
            place = hdus.fileinfo(index)
            stream.seek(place["datLoc"])
            digest.update(stream.read(place["datSpan"]))
    return digest.hexdigest()


def _stamp_md5(path: Path, now: str) -> None:
    digest = data_md5(path)
    with fits.open(path, mode="update", memmap=False, output_verify="silentfix+ignore") as hdus:
        hdus[0].header["DATAMD5"] = digest
        hdus[0].add_checksum(when=f"HDU checksum updated {now}")
