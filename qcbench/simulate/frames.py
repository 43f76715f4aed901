"""The bytes of a simulated frame: FITS with checksums, and the damage that some frames suffer."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from qcbench.core.dates import iso_ut
from qcbench.simulate.detectors import Camera
from qcbench.simulate.headers import add_detector_cards, primary_header
from qcbench.simulate.schedule import Exposure

FITS_BLOCK = 2880
KEPT_OF_TRUNCATED = 0.6
ROTTEN_BYTES = 10_240

_NO_FITS = (
    b"<html><head><title>503 Service Unavailable</title></head><body>The archive is down.</body></html>\n"
)


def frame_bytes(camera: Camera, exposure: Exposure) -> bytes:
    """Return the file of an exposure, damaged where an anomaly says so."""
    if exposure.damage == "not-fits":
        return _NO_FITS
    hdus = _hdus(camera, exposure)
    when = iso_ut(exposure.start)
    for hdu in hdus:
        hdu.add_checksum(when=when)
    stream = io.BytesIO()
    hdus.writeto(stream, output_verify="exception")
    content = stream.getvalue()
    if exposure.damage == "truncated":
        return content[: round(len(content) * KEPT_OF_TRUNCATED)]
    return _rotten(content, hdus[-1]) if exposure.damage == "rotten" else content


def _hdus(camera: Camera, exposure: Exposure) -> fits.HDUList:
    plan = camera.plan
    reads = camera.reads(exposure)
    primary = primary_header(plan, exposure, reads[0], camera.seed)
    if plan.layout_of(exposure.template) != "extensions":
        read = reads[0]
        add_detector_cards(primary, plan, exposure, read)
        return fits.HDUList([_image(fits.PrimaryHDU, camera.pixels(exposure, read), primary, plan.step)])
    hdus = fits.HDUList([fits.PrimaryHDU(header=primary)])
    for read in reads:
        header = fits.Header()
        header["EXTNAME"] = read.detector.name
        add_detector_cards(header, plan, exposure, read)
        hdus.append(_image(fits.ImageHDU, camera.pixels(exposure, read), header, plan.step))
    hdus.update_extend()
    return hdus


def _image(kind: type[Any], pixels: NDArray[Any], header: fits.Header, step: float) -> Any:
    """Return an HDU of stored pixels; unsigned ones are stored as signed ones with an offset."""
    zero = 32768 if pixels.dtype == np.uint16 else 0
    stored = (pixels.astype(np.int32) - zero).astype(np.int16) if zero else pixels
    hdu = kind(stored, header=header)
    if zero or step != 1.0:
        after = "GCOUNT" if "GCOUNT" in hdu.header else "NAXIS2"
        # By hand, because both must be floating-point cards, or some recipes refuse them.
        hdu.header.set("BSCALE", step, "pixel=FITS*BSCALE+BZERO", after=after)
        hdu.header.set("BZERO", float(zero), "pixel=FITS*BSCALE+BZERO", after="BSCALE")
    return hdu


def _rotten(content: bytes, last: Any) -> bytes:
    """Overwrite pixels of the last HDU after its checksum was made; the header stays what it was."""
    n_bytes = int(last.data.nbytes)
    start = len(content) - math.ceil(n_bytes / FITS_BLOCK) * FITS_BLOCK + n_bytes // 3
    size = min(ROTTEN_BYTES, n_bytes // 4)
    return content[:start] + b"\xff" * size + content[start + size :]
