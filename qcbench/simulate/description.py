"""The description of a simulated observatory: a pack's ``simulate.yaml``, read and validated."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from qcbench.core.errors import PackError
from qcbench.simulate.scenes import Flat, Pair, Part, Scene, SlitFlat

Scalar = bool | int | float | str
KeyValue = Scalar | tuple[Scalar, ...]
Layout = Literal["extensions", "primary", "files"]
Quantity = Literal[
    "exptime",
    "exptime_total",
    "ndit",
    "offset_x",
    "offset_y",
    "shift_x",
    "shift_y",
    "start_x",
    "start_y",
    "n_x",
    "n_y",
    "valid_x",
    "valid_y",
    "prescan_x",
    "prescan_y",
    "overscan_x",
    "overscan_y",
    "quadrant_x",
    "quadrant_y",
]


class Drift(Part):
    """How one property of a detector changes, as fractions of its nominal value."""

    per_night: float = 0.0
    """Of each night since the epoch."""
    seasonal: float = 0.0
    """Amplitude over the year."""
    jitter: float = 0.0
    """Scatter from night to night."""


class Drifts(Part):
    """The drift of each property of a detector; `level` is that of the light that reaches it."""

    gain: Drift = Drift()
    ron: Drift = Drift()
    bias: Drift = Drift()
    dark_current: Drift = Drift()
    n_hot: Drift = Drift()
    level: Drift = Drift()


class Detector(Part):
    """One detector at its nominal values.

    Attributes
    ----------
    name : str
        EXTNAME, and the detector's name in the truth table.
    size, prescan, overscan : tuple of int
        Pixels as read out along x and y, pre- and overscan included.
    gain : float
        e-/adu.
    ron : float
        Readout noise of one readout, adu.
    bias : float
        Reset level, adu: a constant without photon noise.
    dark_current : float
        adu/s.
    n_hot : int
        Hot pixels of the whole detector.
    hot_offset, hot_rate : float
        What a hot pixel counts at no exposure time (adu), and what it adds to that (adu/s).
    reference_pixel : tuple of float
        FITS pixel of the full detector on which the pointing falls.
    """

    name: str
    number: int
    """Number of the detector, from which its random numbers follow."""
    size: tuple[int, int]
    prescan: tuple[int, int] = (0, 0)
    overscan: tuple[int, int] = (0, 0)
    gain: float = Field(gt=0)
    ron: float = Field(gt=0)
    bias: float = Field(ge=0)
    dark_current: float = Field(ge=0)
    n_hot: int = Field(ge=0)
    hot_offset: float = Field(default=200.0, ge=0)
    hot_rate: float = Field(default=50.0, ge=0)
    reference_pixel: Pair
    keys: dict[str, Scalar] = Field(default_factory=dict)
    """Keywords of this detector."""
    drift: Drifts = Drifts()
    """How it changes with time."""


class Target(Part):
    """Where the telescope points (degrees, J2000)."""

    name: str
    ra: float
    dec: float


class Template(Part):
    """One template of a night: `nexp` exposures that start `hour` hours after the DFO date does.

    A tuple holds one value an exposure.

    Attributes
    ----------
    detectors : tuple of str
        Names of the detectors that are read; all of them where it is empty.
    layout : str, optional
        How their pixels are written, where that differs from the layout of the instrument.
    """

    id: str
    """TPL.ID."""
    name: str
    """TPL.NAME."""
    hour: float = Field(ge=0, lt=24)
    """Start, hours after that of the DFO date."""
    nexp: int = Field(gt=0)
    """Number of exposures."""
    label: str
    """Word in ORIGFILE, and OBS.NAME where there is no target."""
    raw_type: str | tuple[str, ...]
    """Raw type in the truth table."""
    catg: str
    """DPR.CATG."""
    type: str | tuple[str, ...]
    """DPR.TYPE."""
    tech: str
    """DPR.TECH."""
    exptime: float = Field(ge=0)
    """Exposure time of one integration, s."""
    ndit: int = Field(default=1, gt=0)
    """Integrations that are averaged."""
    overhead: float = Field(default=3.0, gt=0)
    """Time between two exposures, s."""
    scene: Scene
    """What falls on the detectors."""
    target: Target | None = None
    """Where the telescope points; without it to the zenith."""
    offsets: tuple[Pair, ...] = ()
    """Offset of each exposure, pixels."""
    detectors: tuple[str, ...] = ()
    layout: Layout | None = None
    keys: dict[str, KeyValue] = Field(default_factory=dict)
    """Keywords of this template; a list has one value an exposure."""

    @model_validator(mode="after")
    def _one_value_an_exposure(self) -> Template:
        rows: dict[str, object] = {"raw_type": self.raw_type, "type": self.type, **self.keys}
        rows["offsets"] = self.offsets or None
        if isinstance(self.scene, Flat | SlitFlat):
            rows["scene.level"] = self.scene.level
        for name, row in rows.items():
            if isinstance(row, tuple) and len(row) != self.nexp:
                raise ValueError(
                    f"{name} has {len(row)} values; a template of nexp={self.nexp} needs {self.nexp}"
                )
        if self.hour * 3600 + self.duration >= 23.8 * 3600:
            raise ValueError("the template would run past the end of the DFO date; start it earlier")
        return self

    @property
    def duration(self) -> float:
        """Seconds from the first exposure to the end of the last."""
        return self.nexp * (self.exptime * self.ndit + self.overhead)


class Varying(Part):
    """A keyword that changes from template to template around a mean (ambient conditions)."""

    mean: float
    spread: float = Field(ge=0)
    digits: int = 2
    """Decimals."""


class Description(Part):
    """A simulated observatory: site, detectors, keywords and the templates of a night.

    Attributes
    ----------
    layout : str
        Where pixels are: ``primary`` has one detector in the primary HDU, ``extensions`` an extension for each,
        ``files`` a file for each, with its pixels in the primary HDU.
    pixels : str
        How a pixel is stored; ``float32`` keeps fractions of an adu.
    computed, detector_computed : dict
        Keywords of the primary header, and of each detector's, that follow from the exposure. `offset_x` is what
        the telescope moved, `shift_x` what the stars did (pixels); `quadrant_x` is half a row of a CCD with four
        outputs, without its pre- and overscan.
    epoch : datetime.date
        Night on which all detectors have their nominal values.
    service_interval : int
        Nights after which an intervention brings the detectors back to nominal.
    saturation : float
        adu at which every pixel stops counting.
    step : float
        adu of one stored unit (BSCALE): averaged readouts leave fractions of an adu.
    """

    instrume: str
    """INSTRUME."""
    prefix: str
    """First word of the names in the archive."""
    layout: Layout
    pixels: Literal["int32", "uint16", "float32"]
    wcs: Literal["sky", "pixel"]
    """World coordinates: on the sky, or pixels."""
    pixel_scale: float = Field(gt=0)
    """arcsec/pixel."""
    binning: tuple[int, int] = (1, 1)
    saturation: float = Field(gt=0)
    step: float = Field(default=1.0, gt=0)
    latitude: float
    """Degrees, south negative."""
    longitude: float
    """Degrees, west negative."""
    epoch: dt.date
    service_interval: int = Field(default=730, gt=0)
    date_digits: int = Field(default=3, ge=3, le=6)
    keys: dict[str, Scalar] = Field(default_factory=dict)
    """Keywords of the primary header."""
    varying: dict[str, Varying] = Field(default_factory=dict)
    """Keywords that change from template to template."""
    computed: dict[str, Quantity] = Field(default_factory=dict)
    detector_keys: dict[str, Scalar] = Field(default_factory=dict)
    """Keywords of every detector."""
    detector_computed: dict[str, Quantity] = Field(default_factory=dict)
    detectors: tuple[Detector, ...] = Field(min_length=1)
    """The detectors."""
    templates: tuple[Template, ...] = Field(min_length=1)
    """The templates of a night, in the order of time."""

    @model_validator(mode="after")
    def _consistent(self) -> Description:
        if self.pixels == "float32" and self.step != 1.0:
            raise ValueError("pixels of float32 are stored as they are; leave step out")
        for template in self.templates:
            self._check_readout(template)
        for what in ("name", "number"):
            if len({getattr(d, what) for d in self.detectors}) != len(self.detectors):
                raise ValueError(f"two detectors have the same {what}")
        if [t.hour for t in self.templates] != sorted(t.hour for t in self.templates):
            raise ValueError("templates must stand in the order of their hour")
        return self

    def _check_readout(self, template: Template) -> None:
        known = [detector.name for detector in self.detectors]
        if strange := [name for name in template.detectors if name not in known]:
            raise ValueError(
                f"template {template.id} reads {', '.join(strange)}; there is {', '.join(known)}"
            )
        read = self.read_by(template)
        if self.layout_of(template) == "primary" and len(read) != 1:
            raise ValueError(
                f"layout 'primary' holds one detector, not {len(read)}; use 'extensions' or 'files'"
            )

    @property
    def rounding(self) -> float:
        """The step to which pixels are rounded (adu); 0 where they keep their fractions."""
        return 0.0 if self.pixels == "float32" else self.step

    def read_by(self, template: Template) -> tuple[str, ...]:
        """Return the names of the detectors that a template reads, in the order of the instrument."""
        return tuple(d.name for d in self.detectors if not template.detectors or d.name in template.detectors)

    def layout_of(self, template: Template) -> Layout:
        """Return how the frames of a template are written."""
        return template.layout or self.layout


def load_description(path: Path) -> Description:
    """Read and validate a ``simulate.yaml``.

    Raises
    ------
    PackError
        The file is missing, is not YAML, or holds something else than expected; names file, line and key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise PackError(path, f"can't be read: {err}. Name the simulate.yaml of an instrument pack") from err
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        line = mark.line + 1 if mark is not None else None
        raise PackError(path, f"is not YAML: {getattr(err, 'problem', err)}", line=line) from err
    # Top-level names with a dot hold shared pieces for YAML anchors.
    pieces = (
        {k: v for k, v in content.items() if not str(k).startswith(".")}
        if isinstance(content, dict)
        else content
    )
    try:
        return Description.model_validate(pieces)
    except ValidationError as err:
        raise _pack_error(path, tree, err) from err


def _pack_error(path: Path, tree: yaml.Node | None, err: ValidationError) -> PackError:
    first = err.errors()[0]
    line, names = _locate(tree, first["loc"])
    more = f" (and {err.error_count() - 1} more)" if err.error_count() > 1 else ""
    shown = first["input"] if isinstance(first["input"], Scalar) else None
    got = f", not {shown!r}" if shown is not None else ""
    return PackError(path, f"{first['msg']}{got}{more}", line=line, key=".".join(names) or None)


def _locate(tree: yaml.Node | None, loc: tuple[Any, ...]) -> tuple[int | None, list[str]]:
    """Follow a pydantic location down the YAML tree, as far as it goes."""
    node, line, names = tree, tree.start_mark.line + 1 if tree else None, []
    for step in loc:
        below: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(step)]
            if found:
                line, below = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            below = node.value[step]
            line = below.start_mark.line + 1
        if below is not None:
            node = below
            names.append(str(step))
        elif isinstance(node, yaml.MappingNode) and step == loc[-1]:
            names.append(str(step))
    return line, names
