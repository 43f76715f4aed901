"""Input frames: what a FITS file holds, checked once, and its images, read one detector at a time.

A two-dimensional image is a detector: that of the primary unit, or of an image extension. One plane in a
third axis is taken as two-dimensional; more planes are refused, since no recipe here knows what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from qcbench.recipes.failures import Code, RecipeRunError, missing, unreadable, unusable

Image = NDArray[np.float32]
PRIMARY = "PRIMARY"


@dataclass(frozen=True)
class Detector:
    """One image of a frame: its name (EXTNAME), where it is, and its shape (n_row, n_col)."""

    name: str
    index: int
    shape: tuple[int, int]
    header: fits.Header


@dataclass(frozen=True)
class Frame:
    """An input file, without its pixels."""

    path: Path
    tag: str
    header: fits.Header
    detectors: tuple[Detector, ...]

    def detector(self, name: str) -> Detector:
        """Return the detector of a name.

        Raises
        ------
        RecipeRunError
            The frame has no such image extension.
        """
        for detector in self.detectors:
            if detector.name == name:
                return detector
        there = ", ".join(detector.name for detector in self.detectors)
        raise missing(f"{self.path}: no image extension {name}; there are {there}")

    def image(self, name: str) -> Image:
        """Read the image of a detector: (n_row, n_col) array, adu.

        Raises
        ------
        RecipeRunError
            The pixels can't be read.
        """
        detector = self.detector(name)
        try:
            with fits.open(self.path, memmap=False) as hdus:
                data = np.asarray(hdus[detector.index].data, dtype=np.float32)
        except (OSError, TypeError, ValueError) as err:
            raise unreadable(f"{self.path}[{name}]: error reading from FITS file: {err}") from err
        return data.reshape(detector.shape)

    @property
    def exposure(self) -> float:
        """Exposure time, s; 0 where the header has none that is a number."""
        seconds = self.header.get("EXPTIME")
        return float(seconds) if isinstance(seconds, int | float) else 0.0


def open_frame(path: Path, tag: str) -> Frame:
    """Open a file, check that it is whole, and list its detectors.

    Raises
    ------
    RecipeRunError
        The file is missing, not FITS, truncated, has rubbish behind its end, or holds no two-dimensional
        image.
    """
    header, detectors = _open(path, of_images=True)
    if not detectors:
        raise unusable(f"{path}: no image in this file ({tag}); a recipe needs pixels, not only tables")
    names = [detector.name for detector in detectors]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise unusable(
            f"{path}: more than one image extension is named {twice[0]}; EXTNAME has to tell them apart"
        )
    return Frame(path, tag, header, detectors)


def open_product(path: Path, tag: str) -> Frame:
    """Open a product that holds spectra or tables, and check that it is whole; it has no detectors.

    Raises
    ------
    RecipeRunError
        As `open_frame`, but for what the file holds.
    """
    return Frame(path, tag, _open(path, of_images=False)[0], ())


def _open(path: Path, *, of_images: bool) -> tuple[fits.Header, tuple[Detector, ...]]:
    if not path.is_file():
        raise RecipeRunError(Code.FILE_NOT_FOUND, f"Could not open the input file {path}: no such file")
    try:
        with fits.open(path, memmap=False) as hdus:
            _check_whole(path, hdus)
            found = (_detector(path, index, hdu) for index, hdu in enumerate(hdus) if of_images)
            return hdus[0].header.copy(), tuple(detector for detector in found if detector)
    except (OSError, TypeError, ValueError, KeyError, fits.VerifyError) as err:
        raise unreadable(f"{path}: error reading from FITS file: {err}") from err


def _check_whole(path: Path, hdus: fits.HDUList) -> None:
    n_bytes = path.stat().st_size
    place = hdus.fileinfo(len(hdus) - 1)
    end = place["datLoc"] + place["datSpan"]
    if end > n_bytes:
        raise unreadable(
            f"{path}: error reading from FITS file: it is truncated ({n_bytes} bytes, expected {end} or more)"
        )
    with path.open("rb") as stream:
        stream.seek(end)
        # Blocks of zeros behind the end are padding of old tape formats; anything else is a lost extension.
        if stream.read(2880).strip(b"\0 "):
            raise unreadable(f"{path}: error reading from FITS file: not FITS from byte {end} on")


def _detector(path: Path, index: int, hdu: Any) -> Detector | None:
    if not hdu.is_image or not hdu.shape:
        return None
    shape = tuple(hdu.shape)
    if len(shape) < 2 or any(n != 1 for n in shape[:-2]):
        raise unusable(f"{path}[{index}]: image of shape {shape[::-1]}; a recipe needs one plane of two axes")
    name = PRIMARY if index == 0 else str(hdu.header.get("EXTNAME") or f"EXT{index}").strip()
    return Detector(name, index, (shape[-2], shape[-1]), hdu.header.copy())


def check_alike(frames: list[Frame]) -> None:
    """Check that all frames have the detectors of the first one, in its shapes.

    Raises
    ------
    RecipeRunError
        A frame lacks an extension, has one more, or has another shape.
    """
    first = frames[0]
    wanted = {detector.name: detector.shape for detector in first.detectors}
    for frame in frames[1:]:
        for name, shape in wanted.items():
            found = frame.detector(name).shape
            if found != shape:
                raise unusable(
                    f"{frame.path}[{name}]: {found[1]} x {found[0]} pixels, but {first.path.name} has "
                    f"{shape[1]} x {shape[0]}: frames of different windows or binning can't be combined"
                )
        extra = [detector.name for detector in frame.detectors if detector.name not in wanted]
        if extra:
            raise unusable(f"{frame.path}: extension {extra[0]} is not in {first.path.name}")


def image_like(frame: Frame, detector: Detector) -> Image:
    """Read the image of a master calibration for a detector, checked for its shape."""
    image = frame.image(detector.name)
    if image.shape != detector.shape:
        raise unusable(
            f"{frame.path}[{detector.name}]: {image.shape[1]} x {image.shape[0]} pixels, but the raw frames "
            f"have {detector.shape[1]} x {detector.shape[0]}"
        )
    return image


def load_stack(frames: list[Frame], name: str) -> Image:
    """Read one detector of all frames: (n_frame, n_row, n_col) array, adu."""
    stack = np.empty((len(frames), *frames[0].detector(name).shape), dtype=np.float32)
    for plane, frame in zip(stack, frames, strict=True):
        plane[...] = frame.image(name)
    stack[np.isinf(stack)] = np.nan
    if not np.isfinite(stack).any():
        raise unusable(f"{frames[0].path}[{name}]: no finite pixel in {len(frames)} frame(s)")
    return stack
