"""What falls on the detectors in an exposure: the `scene` of a template in a pack's ``simulate.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Pair = tuple[float, float]


class Part(BaseModel):
    """A part of a description."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Dark(Part):
    """Nothing but the detector: darks and biases."""

    kind: Literal["dark"]


class _ThroughOptics(Part):
    """Light that carries the flat field: of the filter `pattern`, and of each pixel's own sensitivity."""

    pattern: str = ""
    ripple: float = 0.02
    pixel_spread: float = 0.005


class Flat(_ThroughOptics):
    """Even light: `level` (adu) has one value an exposure, 0 for a closed shutter."""

    kind: Literal["flat"]
    level: tuple[float, ...]


class FieldOfStars(_ThroughOptics):
    """Stars on a sky of `sky` adu; fluxes are total adu of one integration, `sigma` is in pixels."""

    kind: Literal["field"]
    sky: float = Field(ge=0)
    n_stars: int = Field(ge=0)
    flux: Pair
    sigma: float = Field(gt=0)
    target_flux: float = 0.0


class Arc(Part):
    """Emission lines along x, with places and peaks (adu); the dispersion is along y.

    `dispersion` is the polynomial that gives the wavelength (Angstrom) of a row, counted from the middle row of the
    detector: with it places are wavelengths, without it they are rows.
    """

    kind: Literal["arc"]
    background: float = Field(ge=0)
    lines: tuple[Pair, ...]
    sigma: float = Field(gt=0)
    tilt: float = 0.0
    dispersion: tuple[float, ...] = Field(default=(), min_length=2)


class _ThroughSlit(_ThroughOptics):
    """Light through a long slit along x, which falls off to its ends by a fraction `vignetting`."""

    vignetting: float = Field(default=0.0, ge=0, lt=1)


class SlitFlat(_ThroughSlit):
    """A lamp through a slit: `level` (adu) in the middle row, changing by a fraction `slope` along y."""

    kind: Literal["slit_flat"]
    level: tuple[float, ...]
    slope: float = 0.0


class SlitStar(_ThroughSlit):
    """A star in a slit, dispersed along y.

    Attributes
    ----------
    sky : float
        Level between the lines of the sky, adu.
    sky_lines : tuple of pairs
        Wavelength (Angstrom) and peak (adu).
    line_sigma : float
        Width of a line along y, pixels.
    flux : float
        adu in the middle row, summed over the star; it changes by a fraction `slope` along y.
    absorption : tuple of pairs
        Wavelength (Angstrom) and depth, as a fraction.
    trace : tuple of float
        Polynomial that gives the column of the star (the first is 0) in a row, counted from the middle row.
    sigma : float
        Width of the star along x, pixels.
    """

    kind: Literal["slit_star"]
    sky: float = Field(ge=0)
    sky_lines: tuple[Pair, ...] = ()
    line_sigma: float = Field(gt=0)
    tilt: float = 0.0
    """Rows by which a line of the sky is further up, one column to the right."""
    dispersion: tuple[float, ...] = Field(min_length=2)
    """Polynomial that gives the wavelength (Angstrom) of a row, counted from the middle row."""
    flux: float = Field(gt=0)
    slope: float = 0.0
    absorption: tuple[Pair, ...] = ()
    trace: tuple[float, ...] = Field(min_length=1)
    sigma: float = Field(gt=0)


Scene = Annotated[Dark | Flat | FieldOfStars | Arc | SlitFlat | SlitStar, Field(discriminator="kind")]
