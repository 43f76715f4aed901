"""Frames of a long-slit spectrograph whose dispersion, lines, star and sky are known exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from tests.recipes.conftest import Detector, Result, RunRecipe, Sof

N_ALONG, N_ACROSS = 400, 120
SIGMA = 1.6
GAIN, RON, BIAS = 1.1, 7.0, 200.0
# Wavelength (Angstrom) of a pixel, the first one being 1, and the same as a guess that is 20 pixels off
RELATION = Polynomial([5000.0, 5.6, 3e-4])
LAMP = (5050.0, 5120.5, 5300.2, 5455.7, 5610.0, 5801.3, 6000.9, 6240.0, 6405.1, 6655.5, 6890.0, 7150.3)
SETUP = {"ESO INS GRIS1 NAME": "Gr#1"}
SOLVE = {
    "wavelengths": ", ".join(map(str, LAMP)),
    "dispersions": "Gr#1=5110/5.7, Gr#2=1/1",
    "dispersion_axis": "x",
}
STAR = {"flux": 20_000.0, "sky": 100.0, "width": 1.8}
TRACE = Polynomial([55.0, 0.01, 1e-5])
KEYS = {**SETUP, "ESO DET OUT1 CONAD": GAIN, "ESO DET OUT1 RON": RON * GAIN, "EXPTIME": 10.0}
LINE, LINE_DEPTH = 6300.0, 0.6


def pixel_of(wavelength: float) -> float:
    """Return the pixel (from 1) of a wavelength."""
    return float(np.interp(wavelength, RELATION(np.arange(1.0, N_ALONG + 1)), np.arange(1.0, N_ALONG + 1)))


def noisy(ccd: Detector, light: np.ndarray) -> np.ndarray:
    electrons = ccd.rng.poisson(np.clip(light, 0.0, None) * GAIN)
    frame = BIAS + electrons / GAIN + ccd.rng.normal(0.0, RON, light.shape)
    return np.minimum(frame, 65_535.0).astype(np.float32)


def arc(ccd: Detector, peak: float = 4000.0, bend: float = 0.0) -> np.ndarray:
    """A lamp along x, its lines leaning by `bend` pixels a row."""
    x, y = np.arange(1.0, N_ALONG + 1), np.arange(1.0, N_ACROSS + 1)[:, None]
    light = np.full((N_ACROSS, N_ALONG), 50.0)
    for wavelength in LAMP:
        place = pixel_of(wavelength) + bend * (y - 0.5 * (N_ACROSS + 1))
        light += peak * np.exp(-0.5 * ((x - place) / SIGMA) ** 2)
    return noisy(ccd, light)


def sensitivity(ccd: Detector) -> np.ndarray:
    """The light along the slit and the response of each pixel."""
    y = np.linspace(-1.0, 1.0, N_ACROSS)[:, None]
    return (1.0 - 0.2 * y**2) * (1.0 + 0.03 * ccd.rng.standard_normal((N_ACROSS, N_ALONG)))


def star(ccd: Detector, response: float | np.ndarray = 1.0, **given: float) -> np.ndarray:
    """A star with an absorption line, on a sky with an emission line."""
    values = STAR | given
    x, y = np.arange(1.0, N_ALONG + 1), np.arange(1.0, N_ACROSS + 1)[:, None]
    flux = values["flux"] * (1.0 - LINE_DEPTH * np.exp(-0.5 * ((x - pixel_of(LINE)) / SIGMA) ** 2))
    sky = values["sky"] + 800.0 * np.exp(-0.5 * ((x - 250.0) / SIGMA) ** 2)
    width = values["width"]
    profile = np.exp(-0.5 * ((y - TRACE(x) - given.get("shift", 0.0)) / width) ** 2)
    return noisy(ccd, response * (sky + flux * profile / (width * np.sqrt(2.0 * np.pi))))


def masters(ccd: Detector, run_recipe: RunRecipe) -> Sof:
    """A master bias and an arc with its dispersion relation."""
    bias = ccd.write("master_bias", np.full((N_ACROSS, N_ALONG), BIAS, dtype=np.float32))
    made = solve(run_recipe, ccd.write("arc", arc(ccd), **SETUP), out="arc")
    return [(bias, "MASTER_BIAS"), (made.product("ARC_SPECTRUM"), "ARC_SPECTRUM")]


def solve(run_recipe: RunRecipe, frame: Path, **given: Any) -> Result:
    """Run the arc recipe with the lines of the lamp."""
    return run_recipe("arc", [(frame, "ARC")], **{**SOLVE, **given})
