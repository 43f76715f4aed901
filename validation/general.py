"""General calibrations for the simulated nights: catalogues of their stars, and what recipes want besides."""

from __future__ import annotations

import datetime as dt
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from qcbench.core.files import atomic, move_file
from qcbench.instruments import available_packs
from qcbench.processing.esorex import environment, plugin_folder
from qcbench.simulate import star_catalogue

NIGHT = dt.date(2026, 11, 16)
SEED = 7
STAR_MAGNITUDE = 10.0
# of HAWK-I: magnitude of 1 adu/s, side of a pixel (arcsec), and time of a frame of the field (s)
ZERO_POINT, PIXEL_SCALE, FIELD_TIME = 26.0, 0.1064, 10.0
_HAWKI_FILTERS = {"Ks": "Kmag", "J": "Jmag", "H": "Hmag"}
# a side of the maps of extinction: the pipeline's have 4096, these are the same all over
_MAP_SIDE = 64
_MAP_DEGREES = 0.0395646818624 * 4096 / _MAP_SIDE


def naco_calibrations(folder: Path, _window: int | None = None) -> None:
    """Make NACO's catalogue of standard stars, with the one star of the simulated nights, by the recipe for it."""
    recipe = "naco_util_img_std_cat"
    with tempfile.TemporaryDirectory() as work:
        magnitudes = " ".join([f"{STAR_MAGNITUDE:g}"] * 8)
        Path(work, "stars.txt").write_text(f"S294-D 5.63767 -43.15892 A0 {magnitudes}\n")
        Path(work, "stars.sof").write_text("stars.txt IMG_STD_ASCII\n")
        command = ["esorex", f"--recipe-dir={plugin_folder(recipe)}", "--log-dir=.", recipe, "stars.sof"]
        subprocess.run(command, cwd=work, env=environment(Path(work)), check=True, capture_output=True)
        move_file(Path(work, f"{recipe}.fits"), folder / "NACO_standard_stars.fits")


def hawki_calibrations(folder: Path, window: int | None = None) -> None:
    """Make what HAWK-I's recipe for science wants, for the field of the simulated night."""
    catalogue = _hawki_stars(window)
    for use in ("ASTROM", "PHOTOM"):
        _write(folder, f"MASTER_LOCAL_CATALOGUE_{use}", catalogue)
    _write(folder, "PHOTCAL_TAB", _hawki_colours(catalogue.name))
    for name, sign in (("NORTH", 1), ("SOUTH", -1)):
        _write(folder, f"SCHLEGEL_MAP_{name}", _extinction_map(sign))


def _hawki_stars(window: int | None) -> fits.BinTableHDU:
    description = available_packs()["hawki"] / "simulate.yaml"
    stars = star_catalogue(description, "OBJECT", date=NIGHT, seed=SEED, window=window)
    # the recipe wants them in the order of declination
    stars.sort("dec")
    magnitudes = ZERO_POINT - 2.5 * np.log10(stars["flux"].value / FIELD_TIME)
    columns = [
        fits.Column("RA", "D", array=stars["ra"].value),
        fits.Column("Dec", "D", array=stars["dec"].value),
    ]
    for band in _HAWKI_FILTERS.values():
        columns.append(fits.Column(band, "E", array=magnitudes))
        columns.append(fits.Column(f"e_{band}", "E", array=np.full(len(stars), 0.02)))
    return fits.BinTableHDU.from_columns(columns, name="simulated")


def _hawki_colours(catalogue: str) -> fits.BinTableHDU:
    """Return the table that leads from a catalogue to the filters: no terms of colour, no extinction."""
    names, bands = list(_HAWKI_FILTERS), list(_HAWKI_FILTERS.values())
    numbers = {
        "atm_extcoef": 0.0,
        "mag_offset": 0.0,
        "gal_extcoef": 0.0,
        "default_zp": ZERO_POINT,
        "default_zp_err": 0.1,
    }
    columns = [
        fits.Column("filter_name", "16A", array=names),
        fits.Column("coleq_columns", "32A", array=bands),
        fits.Column("coleq_errcols", "32A", array=[f"e_{band}" for band in bands]),
        fits.Column("coleq_coefs", "16A", array=["1.0"] * len(names)),
        *(fits.Column(name, "E", array=np.full(len(names), value)) for name, value in numbers.items()),
    ]
    # the recipe takes the table whose name is that of the catalogue
    table = fits.BinTableHDU.from_columns(columns, name=catalogue)
    table.header["PHOTOSYS"] = "Vega"
    return table


def _extinction_map(sign: int) -> fits.ImageHDU:
    """Return a map of one hemisphere of the Galaxy as Schlegel et al. (1998) give theirs: the same everywhere."""
    map_ = fits.ImageHDU(np.full((_MAP_SIDE, _MAP_SIDE), 0.03, dtype=np.float32))
    middle = _MAP_SIDE / 2 + 0.5
    map_.header.update(
        LAM_NSGP=sign, LAM_SCAL=_MAP_SIDE // 2, CTYPE1="GLON-ZEA", CTYPE2="GLAT-ZEA", CRVAL1=0.0, CRVAL2=90.0 * sign,
        CRPIX1=middle, CRPIX2=middle, CD1_1=-_MAP_DEGREES, CD1_2=0.0, CD2_1=0.0, CD2_2=_MAP_DEGREES,
    )  # fmt: skip
    return map_


def _write(folder: Path, category: str, content: fits.BinTableHDU | fits.ImageHDU) -> None:
    """Write a general calibration; an image stands in the primary HDU."""
    is_image = isinstance(content, fits.ImageHDU)
    primary = fits.PrimaryHDU(content.data, content.header) if is_image else fits.PrimaryHDU()
    primary.header["INSTRUME"] = "HAWKI"
    primary.header["HIERARCH ESO PRO CATG"] = category
    if not is_image:
        # the recipe looks for the name of a catalogue here
        primary.header["EXTNAME"] = content.name
    with atomic(folder / f"HAWKI_{category.lower()}.fits") as path:
        fits.HDUList([primary] if is_image else [primary, content]).writeto(path)
