"""Subtraction of master calibrations, by ccdproc: which of those there are, and how a dark is scaled."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from qcbench.recipes.frames import Detector, Frame, Image, image_like
from qcbench.recipes.job import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Masters:
    """The master calibrations of a run.

    Attributes
    ----------
    pure_dark : bool
        The dark had its bias subtracted: only then it grows with the exposure time, and can be scaled.
    """

    bias: Frame | None = None
    dark: Frame | None = None
    pure_dark: bool = False

    @property
    def used(self) -> list[Frame]:
        """The frames that are subtracted, in their order."""
        return [frame for frame in (self.bias, self.dark) if frame]

    def subtract(self, stack: Image, frames: list[Frame], detector: Detector) -> None:
        """Subtract the masters from the images of a detector, in place.

        Parameters
        ----------
        stack : (n_frame, n_row, n_col) array, adu
        frames : list of Frame
            The frames of the stack, for their exposure times.
        """
        if self.bias:
            _subtract_bias(stack, image_like(self.bias, detector))
        if self.dark:
            self._subtract_dark(stack, frames, self.dark, image_like(self.dark, detector))

    def _subtract_dark(self, stack: Image, frames: list[Frame], dark: Frame, image: Image) -> None:
        import astropy.units as u
        from astropy.nddata import CCDData
        from ccdproc import subtract_dark

        master = CCDData(image, unit=u.adu)
        for plane, frame in zip(stack, frames, strict=True):
            scale = self.pure_dark and dark.exposure > 0.0 and frame.exposure > 0.0
            plane[...] = subtract_dark(
                CCDData(plane, unit=u.adu),
                master,
                dark_exposure=dark.exposure * u.s,
                data_exposure=frame.exposure * u.s,
                scale=scale,
            ).data


def _subtract_bias(stack: Image, image: Image) -> None:
    from astropy.nddata import CCDData
    from ccdproc import subtract_bias

    master = CCDData(image, unit="adu")
    for plane in stack:
        plane[...] = subtract_bias(CCDData(plane, unit="adu"), master).data


def find_masters(run: Run, frames: list[Frame]) -> Masters:
    """Return the masters that a recipe with ``dark_tag`` and ``bias_tag`` subtracts from its raw frames.

    A dark that still holds its bias does the work of both; one that names a bias among its own calibrations
    needs the bias beside it.
    """
    bias, dark = run.calibration("bias_tag"), run.calibration("dark_tag")
    if not dark:
        return Masters(bias)
    if _holds_no_bias(dark, run.tags("bias_tag")):
        if not bias:
            log.warning("%s had its bias subtracted, but there is none for the raw frames", dark.path.name)
        return Masters(bias, dark, pure_dark=True)
    for seconds in sorted({frame.exposure for frame in frames} - {dark.exposure}):
        log.warning(
            "%s (%g s) holds the bias and is not scaled to %g s", dark.path.name, dark.exposure, seconds
        )
    return Masters(None, dark)


def _holds_no_bias(dark: Frame, bias_tags: list[str]) -> bool:
    calibrations = dark.header.get("ESO PRO REC1 CAL* CATG", {})
    return any(category in bias_tags for category in calibrations.values())
