"""Master dark and master bias: the same work under two names."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from qcbench.recipes.calibrate import Masters
from qcbench.recipes.combine import Combined, combine
from qcbench.recipes.frames import Detector, Frame, Image, check_alike, load_stack
from qcbench.recipes.job import Run
from qcbench.recipes.noise import Moments, clipped, hot_pixels, pair_noise
from qcbench.recipes.products import QC, Product, Unit, image_unit
from qcbench.recipes.recipe import Measurement, Parameter

log = logging.getLogger(__name__)

COMBINATION = (
    Parameter("combtype", "median", "How frames are combined", choices=("median", "mean")),
    Parameter("thresh", 5.0, "Rejection threshold for particle hits, in sigma", minimum=1.0),
)
HOT = Parameter(
    "hot_thresh", 10.0, "A pixel is hot this many sigma above the median of the master", minimum=1.0
)


def measured(prefix: str) -> tuple[Measurement, ...]:
    """Return what is measured on a master whose QC parameters begin with a word."""
    return (
        Measurement("RONi", "adu", "Readnoise estimate from pair"),
        Measurement("RON MED", "adu", "Median of the pair estimates"),
        Measurement("RAW MEAN MEAN", "adu", "Mean of raw image means"),
        Measurement("RAW MEAN MEDIAN", "adu", "Mean of raw image medians"),
        Measurement("RAW RMS MEAN", "adu", "RMS of raw image means"),
        Measurement(f"{prefix} MED", "adu", "Median of the master frame"),
        Measurement(f"{prefix} MEAN", "adu", "Mean of the master frame"),
        Measurement(f"{prefix} STDEV", "adu", "RMS of the master frame, outliers clipped"),
        Measurement(f"{prefix} NBADPIX", "pix", "Number of hot or undefined pixels"),
        Measurement("BADFRAC", "", "Fraction of hot or undefined pixels"),
    )


@dataclass(frozen=True)
class Master:
    """A combined detector with what its QC parameters need.

    Attributes
    ----------
    ron : list of float
        Noise of one frame (ADU) from each pair of neighbouring frames; the last pairs with the first.
    n_hot : int
        Hot pixels, and pixels without any finite sample.
    """

    combined: Combined
    moments: Moments
    mean: float
    ron: list[float]
    raw_means: list[float]
    raw_medians: list[float]
    n_hot: int


def make_product(run: Run, bias: Frame | None, prefix: str) -> Product:
    """Combine the raw frames, detector by detector.

    Parameters
    ----------
    bias : Frame, optional
        Master bias to be subtracted.
    prefix : {"DARK", "BIAS"}
        First word of the QC parameters of the master.
    """
    frames = run.frames("raw_tags")
    check_alike(frames)
    masters = Masters(bias)
    units = [_unit(run, frames, detector, masters, prefix) for detector in frames[0].detectors]
    return Product(run.text("product_category"), frames, units, masters.used)


def _unit(run: Run, frames: list[Frame], detector: Detector, masters: Masters, prefix: str) -> Unit:
    stack = load_stack(frames, detector.name)
    raw_moments = [(float(np.nanmean(image, dtype=np.float64)), median(image)) for image in stack]
    masters.subtract(stack, frames, detector)
    combined = combine(stack, run.text("combtype"), run.number("thresh"))
    ron = pair_estimates(stack)
    del stack
    moments = clipped(combined.image)
    hot = hot_pixels(combined.image, moments, run.number("hot_thresh"))
    n_hot = int((hot | ~np.isfinite(combined.image)).sum())
    master = Master(
        combined,
        moments,
        float(np.nanmean(combined.image, dtype=np.float64)),
        ron,
        [mean for mean, _ in raw_moments],
        [median for _, median in raw_moments],
        n_hot,
    )
    log.info("%s: %d frames, median %.3f adu", detector.name, len(frames), moments.median)
    return image_unit(detector, combined.image, _qc(master, prefix, exposure(frames)))


def median(image: Image) -> float:
    """Return the median of the finite pixels; NaN where there are none."""
    return float(np.median(image[np.isfinite(image)])) if np.isfinite(image).any() else float("nan")


def pair_estimates(stack: Image) -> list[float]:
    """Return the noise of one frame (ADU) from each cyclic pair; none for a single frame."""
    n_frame = len(stack)
    n_pair = n_frame if n_frame > 2 else n_frame - 1
    return [pair_noise(stack[i], stack[(i + 1) % n_frame]) for i in range(n_pair)]


def _spread(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def exposure(frames: list[Frame]) -> float:
    """Return the summed exposure time (s) of frames; 0 where they don't tell it."""
    times = [frame.exposure for frame in frames]
    if len(set(times)) > 1:
        log.warning(
            "Exposure times differ: %s s", ", ".join(f"{seconds:g}" for seconds in sorted(set(times)))
        )
    return sum(times)


def _qc(master: Master, prefix: str, seconds: float) -> list[QC]:
    size = master.combined.image.size
    parameters = [
        QC(f"RON{i}", value, "[adu] Readnoise estimate from pair") for i, value in enumerate(master.ron, 1)
    ]
    if master.ron:
        parameters.append(QC("RON MED", float(np.median(master.ron)), "[adu] Median of the pair estimates"))
    parameters += [
        QC("RAW MEAN MEAN", float(np.mean(master.raw_means)), "[adu] Mean of raw image means"),
        QC("RAW MEAN MEDIAN", float(np.mean(master.raw_medians)), "[adu] Mean of raw image medians"),
        QC("RAW RMS MEAN", _spread(master.raw_means), "[adu] RMS of raw image means"),
        QC(f"{prefix} MED", master.moments.median, "[adu] Median of the master frame"),
        QC(f"{prefix} MEAN", master.mean, "[adu] Mean of the master frame"),
        QC(f"{prefix} STDEV", master.moments.std, "[adu] RMS of the master frame, outliers clipped"),
        QC(f"{prefix} NBADPIX", master.n_hot, "[pix] Number of hot or undefined pixels"),
        QC("BADFRAC", master.n_hot / size, "[] Fraction of hot or undefined pixels"),
    ]
    if prefix == "DARK" and seconds > 0.0 and master.combined.n_hits is not None:
        rate = master.combined.n_hits / seconds
        parameters.append(QC("PARTICLE_RATE", rate, "[N/(detector*sec)] Rejected hits, in pixels"))
    return parameters
