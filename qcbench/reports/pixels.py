"""What a product or a raw frame holds, as the figures take it: images, spectra and tables.

Detectors are read one after the other and thinned where there are too many pixels, so that memory and time of a
report stay bounded.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from numpy.typing import NDArray

from qcbench.core.errors import FrameError
from qcbench.fits import read_header
from qcbench.look.figures import DetectorImage, SpectralLine

MAX_PIXELS = 1 << 24
MAX_IMAGES = 64
MAX_TABLE_ROWS = 40
MAX_TABLE_COLUMNS = 12
_REMEDY = "Have it made or transferred again"
_AXES = ("wave", "lambda", "pixel", "x")
_FLUXES = ("flux", "counts", "spec", "intensity")


@dataclass(frozen=True)
class Spectrum:
    """A one-dimensional spectrum with its lines; `x` in `x_unit`, `flux` in `unit`."""

    name: str
    x: NDArray[np.float64]
    flux: NDArray[np.float64]
    lines: tuple[SpectralLine, ...]
    x_unit: str
    unit: str


@dataclass(frozen=True)
class TableContent:
    """The first rows of a table: names with units, and the values."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str | float, ...], ...]
    n_rows: int


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Attributes
    ----------
    step : int
        Every so manieth row and column of the images was read; 1 for all of them.
    """

    path: Path
    images: tuple[DetectorImage, ...] = ()
    spectra: tuple[Spectrum, ...] = ()
    tables: tuple[TableContent, ...] = ()
    step: int = 1


def read_content(
    path: Path, detectors: Sequence[str] = (), *, unit: str = "adu", saturation: float | None = None
) -> Content:
    """Read a FITS file.

    Parameters
    ----------
    detectors : sequence of str
        Names of the detectors, in the wanted order; images of other names are left out if one of these is there.
    unit : str
        Unit of the pixels where the file has no BUNIT.
    saturation : float, optional
        Level from which a pixel is saturated (adu).

    Raises
    ------
    FrameError
        The file can't be read.
    """
    header = read_header(path)
    if header.is_truncated:
        raise FrameError(path, f"it is truncated: {header.size} of {header.expected_size} bytes", _REMEDY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)
        try:
            with fits.open(path, memmap=True) as hdus:
                return _read(path, hdus, detectors, unit, saturation)
        except (OSError, ValueError, TypeError, KeyError, IndexError) as err:
            raise FrameError(path, f"its data can't be read ({err})", _REMEDY) from err


def _read(path: Path, hdus: Any, detectors: Sequence[str], unit: str, saturation: float | None) -> Content:
    unit = str(hdus[0].header.get("BUNIT", unit))
    planes = [hdu for hdu in hdus if hdu.is_image and len(hdu.shape) in (2, 3)]
    wanted = _in_order(planes, detectors)[:MAX_IMAGES]
    n_pixels = sum(hdu.shape[-1] * hdu.shape[-2] for hdu in wanted)
    step = max(1, math.ceil(math.sqrt(n_pixels / MAX_PIXELS)))
    images = tuple(
        DetectorImage(hdu.name, _plane(hdu, step), str(hdu.header.get("BUNIT", unit)), saturation)
        for hdu in wanted
        if all(hdu.shape)
    )
    lines = {
        hdu.name: hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and hdu.name.endswith("LINES")
    }
    rows = [hdu for hdu in hdus if hdu.is_image and len(hdu.shape) == 1]
    spectra = [_image_spectrum(hdu, unit, lines) for hdu in rows]
    tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and not hdu.is_image]
    spectra += [found for hdu in tables if (found := _table_spectrum(hdu, lines)) is not None]
    shown = () if spectra else tuple(_table(hdu) for hdu in tables)
    return Content(path, images, tuple(spectra), shown, step)


def _in_order(planes: list[Any], detectors: Sequence[str]) -> list[Any]:
    named = {hdu.name: hdu for hdu in reversed(planes)}
    known = [named[name.upper()] for name in detectors if name.upper() in named]
    return known or planes


def _plane(hdu: Any, step: int) -> NDArray[Any]:
    """Return an image; of a cube, its middle plane."""
    place: tuple[slice | int, ...] = (slice(None, None, step), slice(None, None, step))
    if len(hdu.shape) == 3:
        place = (hdu.shape[0] // 2, *place)
    values = np.asarray(hdu.section[place])
    return (
        values.astype(np.float32)
        if values.dtype.kind == "f"
        else values.astype(values.dtype.newbyteorder("="))
    )


def _image_spectrum(hdu: Any, unit: str, lines: dict[str, Any]) -> Spectrum:
    header = hdu.header
    flux = np.asarray(hdu.data, dtype=np.float64)
    step = float(header.get("CDELT1", header.get("CD1_1", 1.0)))
    pixels = np.arange(1, flux.size + 1, dtype=np.float64)
    x = float(header.get("CRVAL1", 1.0)) + step * (pixels - float(header.get("CRPIX1", 1.0)))
    axis = str(header.get("CUNIT1", "")) or ("pixel" if header.get("CTYPE1", "PIXEL") == "PIXEL" else "")
    table = lines.get(f"{hdu.name}.LINES") or lines.get("LINES")
    return Spectrum(hdu.name, x, flux, _lines(table), axis, str(header.get("BUNIT", unit)))


def _table_spectrum(hdu: Any, lines: dict[str, Any]) -> Spectrum | None:
    """Return a table as a spectrum, where it has a column of wavelengths or pixels and one of fluxes."""
    if hdu.name in lines:
        return None
    across, along = _column(hdu, _AXES), _column(hdu, _FLUXES)
    if across is None or along is None:
        return None
    x, flux = (np.asarray(hdu.data[column.name], dtype=np.float64).ravel() for column in (across, along))
    if x.size != flux.size or x.size < 2:
        return None
    return Spectrum(hdu.name, x, flux, _lines(lines.get("LINES")), across.unit or "", along.unit or "")


def _column(hdu: Any, starts: tuple[str, ...]) -> Any | None:
    numbers = [column for column in hdu.columns if str(column.format)[-1:] in "EDJIK"]
    return next((column for column in numbers if column.name.lower().startswith(starts)), None)


def _lines(hdu: Any | None) -> tuple[SpectralLine, ...]:
    if hdu is None or (place := _column(hdu, ("pixel", "wave", "position", "x"))) is None:
        return ()
    names = hdu.columns.names
    saturated = hdu.data["SATURATED"] if "SATURATED" in names else np.zeros(len(hdu.data))
    return tuple(
        SpectralLine(float(at), f"line {number}" + (", saturated" if bad else ""), not bad)
        for number, (at, bad) in enumerate(zip(hdu.data[place.name], saturated, strict=True), 1)
    )


def _table(hdu: Any) -> TableContent:
    columns = list(hdu.columns)[:MAX_TABLE_COLUMNS]
    data = hdu.data[:MAX_TABLE_ROWS]
    rows = tuple(tuple(_cell(row[column.name]) for column in columns) for row in data)
    units = tuple((column.name, column.unit or "") for column in columns)
    return TableContent(hdu.name or "table", units, rows, len(hdu.data))


def _cell(value: Any) -> str | float:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    if isinstance(value, np.ndarray):
        return f"{value.size} values" if value.size != 1 else _cell(value.ravel()[0])
    return str(value)


def same_shape(images: Sequence[DetectorImage], others: Sequence[DetectorImage]) -> list[DetectorImage]:
    """Return those images that have a counterpart of the same name and shape."""
    shapes = {image.name: image.data.shape for image in others}
    return [image for image in images if shapes.get(image.name) == image.data.shape]
