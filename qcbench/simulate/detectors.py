"""The detectors of a simulated night: their state, their readout window and their pixels."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcbench.core.errors import SettingsError
from qcbench.simulate import slit
from qcbench.simulate.description import Description, Detector, Drift
from qcbench.simulate.scenes import Arc, FieldOfStars, Flat, SlitFlat, SlitStar
from qcbench.simulate.schedule import Exposure

Image = NDArray[np.float32]

MIN_WINDOW = 16

# What a stream of random numbers is for; a part of its seed, so that streams never share numbers.
_STATE, _PATTERN, _HOT, _STARS, _NOISE = range(5)


@dataclass(frozen=True)
class State:
    """A detector on one night: gain (e-/adu), ron (adu, one readout), bias (adu), dark current (adu/s)."""

    gain: float
    ron: float
    bias: float
    dark_current: float
    n_hot: int
    level: float

    def frame_ron(self, exposure: Exposure, name: str, step: float) -> float:
        """Return the readout noise (adu) of a whole frame: NDIT readouts averaged, then rounded to steps."""
        one = self.ron * exposure.ron_factor.get(name, 1.0)
        return math.sqrt(one**2 / exposure.template.ndit + step**2 / 12)


@dataclass(frozen=True)
class Readout:
    """The part of a detector that is read, in pixels; `light_*` is the part of it that light reaches."""

    detector: Detector
    start: tuple[int, int]
    shape: tuple[int, int]
    prescan: tuple[int, int]
    overscan: tuple[int, int]

    @property
    def light(self) -> tuple[slice, slice]:
        """Rows and columns that light reaches."""
        (n_x, n_y), (pre_x, pre_y), (over_x, over_y) = self.shape, self.prescan, self.overscan
        return slice(pre_y, n_y - over_y), slice(pre_x, n_x - over_x)

    @property
    def valid(self) -> tuple[int, int]:
        """Pixels along x and y that light reaches."""
        rows, columns = self.light
        return columns.stop - columns.start, rows.stop - rows.start

    def grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the full detector's rows ``(n, 1)`` and columns ``(1, n)`` under the lit part."""
        rows, columns = self.light
        y, x = np.ogrid[rows, columns]
        return y + float(self.start[1]), x + float(self.start[0])

    @property
    def n_hot_share(self) -> float:
        """Area that is read, as a fraction of the detector."""
        size = self.detector.size
        return self.shape[0] * self.shape[1] / (size[0] * size[1])


def readout(detector: Detector, window: int | None) -> Readout:
    """Return what is read: the whole detector, or a square window in the middle of its light-sensitive part.

    Raises
    ------
    SettingsError
        The window is too small, or larger than the detector.
    """
    if window is None or detector.size == (window, window):
        return Readout(detector, (0, 0), detector.size, detector.prescan, detector.overscan)
    valid = Readout(detector, (0, 0), detector.size, detector.prescan, detector.overscan).valid
    if not MIN_WINDOW <= window <= min(valid):
        raise SettingsError(
            f"a window of {window} pixels does not fit detector {detector.name}; "
            f"take {MIN_WINDOW} to {min(valid)}, or none for the whole detector"
        )
    start = (detector.prescan[0] + (valid[0] - window) // 2, detector.prescan[1] + (valid[1] - window) // 2)
    return Readout(detector, start, (window, window), (0, 0), (0, 0))


def state_on(plan: Description, read: Readout, date: dt.date, seed: int) -> State:
    """Return the state of a detector on a night: linear and seasonal drift since the epoch, and jitter."""
    detector = read.detector
    rng = np.random.default_rng([seed, _STATE, date.toordinal(), detector.number])
    nights = (date - plan.epoch).days % plan.service_interval
    season = math.sin(2 * math.pi * date.timetuple().tm_yday / 365.25)

    def now(nominal: float, drift: Drift) -> float:
        wobble = drift.jitter * float(rng.standard_normal())
        return nominal * (1 + drift.per_night * nights + drift.seasonal * season + wobble)

    drift = detector.drift
    return State(
        gain=now(detector.gain, drift.gain),
        ron=now(detector.ron, drift.ron),
        bias=now(detector.bias, drift.bias),
        dark_current=now(detector.dark_current, drift.dark_current),
        n_hot=round(now(detector.n_hot, drift.n_hot) * read.n_hot_share),
        level=now(1.0, drift.level),
    )


class Camera:
    """All detectors of an instrument behind one window; keeps what is fixed from frame to frame."""

    def __init__(self, plan: Description, window: int | None, seed: int):
        self.plan, self.seed = plan, seed
        self.readouts = tuple(readout(d, window) for d in plan.detectors)
        self._patterns: dict[tuple[str, str, float, float], Image] = {}
        self._hot_orders: dict[str, NDArray[np.int64]] = {}

    def reads(self, exposure: Exposure) -> tuple[Readout, ...]:
        """Return what the file of an exposure holds."""
        return tuple(read for read in self.readouts if read.detector.name in exposure.detectors)

    def state(self, read: Readout, date: dt.date) -> State:
        """Return the state of one detector on a night."""
        return state_on(self.plan, read, date, self.seed)

    def level(self, exposure: Exposure, state: State) -> float:
        """Return the light (adu) that a frame truly has: drift and anomalies included."""
        if exposure.light == "out":
            return 0.0
        if exposure.light == "saturated":
            return self.plan.saturation
        lamp = isinstance(exposure.template.scene, Flat | SlitFlat | Arc)
        return exposure.nominal_level * (state.level if lamp else 1.0)

    def spectral_truth(self, exposure: Exposure, read: Readout) -> dict[str, float]:
        """Return what the truth table has of a spectrum; nothing for other frames."""
        scene, state = exposure.template.scene, self.state(read, exposure.date)
        if isinstance(scene, Arc) and scene.dispersion:
            return {"dispersion": scene.dispersion[1], "line_fwhm": round(slit.FWHM * scene.sigma, 5)}
        if not isinstance(scene, SlitStar):
            return {}
        ron = state.frame_ron(exposure, read.detector.name, self.plan.rounding)
        return {
            "dispersion": scene.dispersion[1],
            "line_fwhm": round(slit.FWHM * scene.line_sigma, 5),
            "trace": round(scene.trace[0] + 1.0 - read.start[0], 5),
            "star_fwhm": round(slit.FWHM * scene.sigma, 5),
            "snr": round(slit.best_ratio(scene, state.gain, ron), 3),
        }

    def pixels(self, exposure: Exposure, read: Readout) -> NDArray[Any]:
        """Return the pixels of one detector as stored, ``(n_y, n_x)``: adu divided by the step.

        The reset level carries no photon noise; NDIT integrations are averaged. Pre- and overscan are read, but
        exposed to nothing: neither to light nor to dark current.
        """
        state, template = self.state(read, exposure.date), exposure.template
        key = [exposure.index, exposure.expno, exposure.copy, read.detector.number]
        rng = np.random.default_rng([self.seed, _NOISE, exposure.date.toordinal(), *key])
        n_x, n_y = read.shape
        photons = np.zeros((n_y, n_x), dtype=np.float32)
        dark = np.float32(state.dark_current * template.exptime)
        photons[read.light] = dark + self._light(exposure, read, state)
        ron = state.ron * exposure.ron_factor.get(read.detector.name, 1.0)
        variance = (ron**2 + photons / np.float32(state.gain)) / template.ndit
        image = photons + rng.standard_normal((n_y, n_x), dtype=np.float32) * np.sqrt(variance)
        image += np.float32(state.bias)
        hot = self._hot_order(read)[: state.n_hot]
        image.ravel()[hot] += read.detector.hot_offset + read.detector.hot_rate * template.exptime
        lowest = 0.0 if self.plan.pixels == "uint16" else -self.plan.saturation
        np.clip(image, lowest, self.plan.saturation, out=image)
        if self.plan.pixels == "float32":
            return image
        stored: NDArray[Any] = np.rint(image / np.float32(self.plan.step)).astype(self.plan.pixels)
        return stored

    def _light(self, exposure: Exposure, read: Readout, state: State) -> Image | float:
        scene, level = exposure.template.scene, self.level(exposure, state)
        if exposure.light != "normal":
            return level * 1.5  # far enough above saturation that noise does not reach below it
        if isinstance(scene, Flat):
            return np.float32(level) * self._pattern(read, scene) if level else 0.0
        if isinstance(scene, FieldOfStars):
            return self._stars(exposure, read, scene) * self._pattern(read, scene)
        if isinstance(scene, SlitFlat):
            return np.float32(level) * self._through_slit(
                read, scene, slit.lamp(read.grid(), read.detector.size, scene)
            )
        if isinstance(scene, SlitStar):
            return self._through_slit(read, scene, slit.star(read.grid(), read.detector.size, scene))
        return (
            slit.arc(read.grid(), read.detector.size, scene, state.level) if isinstance(scene, Arc) else 0.0
        )

    def _through_slit(self, read: Readout, scene: SlitFlat | SlitStar, light: Image) -> Image:
        return (
            light
            * slit.illumination(read.grid(), read.detector.size, scene.vignetting)
            * self._pattern(read, scene)
        )

    def _pattern(self, read: Readout, scene: Flat | FieldOfStars | SlitFlat | SlitStar) -> Image:
        """Flat-field pattern around 1: a smooth illumination and each pixel's own sensitivity."""
        key = (read.detector.name, scene.pattern, scene.ripple, scene.pixel_spread)
        if key not in self._patterns:
            y, x = read.grid()
            n_x, n_y = read.detector.size
            phase = read.detector.number + sum(scene.pattern.encode()) % 7
            smooth = np.sin(2.2 * math.pi * x / n_x + phase) * np.cos(1.6 * math.pi * y / n_y)
            rng = np.random.default_rng([self.seed, _PATTERN, read.detector.number])
            own = rng.standard_normal((y.size, x.size), dtype=np.float32)
            self._patterns[key] = (1 + scene.ripple * smooth + scene.pixel_spread * own).astype(np.float32)
        return self._patterns[key]

    def _hot_order(self, read: Readout) -> NDArray[np.int64]:
        """Return pixels in the order in which they turn hot; a hot pixel stays hot."""
        name = read.detector.name
        if name not in self._hot_orders:
            rng = np.random.default_rng([self.seed, _HOT, read.detector.number])
            n = read.shape[0] * read.shape[1]
            self._hot_orders[name] = rng.choice(n, size=min(n, 4 * read.detector.n_hot), replace=False)
        return self._hot_orders[name]

    def stars(
        self, exposure: Exposure, read: Readout, scene: FieldOfStars
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the stars around one detector: places where light falls, and fluxes (adu).

        Places are x and y from 0, ``(n, 2)``, before the telescope is moved. A target has the same stars every night.
        """
        target = exposure.template.target
        name = sum((i + 1) * b for i, b in enumerate((target.name if target else "").encode()))
        rng = np.random.default_rng([self.seed, _STARS, name, read.detector.number])
        margin = 0.1
        places = rng.uniform(-margin, 1 + margin, size=(scene.n_stars, 2)) * read.valid
        low, high = np.log10(scene.flux)
        return places, 10 ** rng.uniform(low, high, size=scene.n_stars)

    def _stars(self, exposure: Exposure, read: Readout, scene: FieldOfStars) -> Image:
        """Return the sky and Gaussian stars."""
        n_x, n_y = read.valid
        sky = np.full((n_y, n_x), scene.sky, dtype=np.float32)
        shift = np.array(exposure.offset)
        for place, flux in zip(*self.stars(exposure, read, scene), strict=True):
            _add_star(sky, place - shift, float(flux), scene.sigma)
        if scene.target_flux:
            start = np.add(read.start, read.prescan)
            centre = np.array(read.detector.reference_pixel) - 1 - start - shift
            _add_star(sky, centre, scene.target_flux, scene.sigma)
        return sky


def _add_star(image: Image, place: NDArray[np.float64], flux: float, sigma: float) -> None:
    reach = math.ceil(slit.REACH * sigma)
    n_y, n_x = image.shape
    col, row = (round(float(v)) for v in place)
    x0, x1 = max(col - reach, 0), min(col + reach + 1, n_x)
    y0, y1 = max(row - reach, 0), min(row + reach + 1, n_y)
    if x0 >= x1 or y0 >= y1:
        return
    y, x = np.ogrid[y0:y1, x0:x1]
    z = ((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * sigma**2)
    image[y0:y1, x0:x1] += (flux / (2 * math.pi * sigma**2) * np.exp(-z)).astype(np.float32)
