"""The headers of a simulated exposure: the primary one and that of each detector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from astropy.io import fits

from qcbench.core.dates import iso_ut
from qcbench.simulate.description import Description, Quantity, Scalar, Target
from qcbench.simulate.detectors import Readout
from qcbench.simulate.schedule import Exposure

Cards = Iterator[tuple[str, Scalar] | tuple[str, Scalar, str]]

OB_EPOCH = 730120  # ordinal of 2000-01-01: OB numbers count from there
OB_BASE = 200_000_000
J2000_MJD = 51544.5

_AMBIENT = 11  # part of the seed of ambient conditions


def fits_key(short: str) -> str:
    """Return the FITS keyword of a short name: ``DET.DIT`` is ``HIERARCH ESO DET DIT``."""
    return f"HIERARCH ESO {short.replace('.', ' ')}" if "." in short else short


def primary_header(plan: Description, exposure: Exposure, read: Readout, seed: int) -> fits.Header:
    """Return the primary header of an exposure; `read` is the readout of its first detector."""
    header = fits.Header()
    _fill(header, _identity_cards(plan, exposure))
    _fill(header, _observation_cards(exposure))
    _fill(header, ((k, v) for k, v in plan.keys.items()))
    _fill(header, _varying_cards(plan, exposure, seed))
    _fill(header, ((k, _quantity(q, exposure, read, plan)) for k, q in plan.computed.items()))
    _fill(header, ((k, exposure.own(v)) for k, v in exposure.template.keys.items()))
    _fill(header, _name_cards(exposure))
    for key in exposure.dropped:
        header.remove(key)
    for key, value in exposure.replaced.items():
        header[fits_key(key)] = value
    return header


def add_detector_cards(header: fits.Header, plan: Description, exposure: Exposure, read: Readout) -> None:
    """Add the keywords of one detector, WCS included, to its header."""
    _fill(header, ((k, v) for k, v in plan.detector_keys.items()))
    _fill(header, ((k, _quantity(q, exposure, read, plan)) for k, q in plan.detector_computed.items()))
    _fill(header, ((k, v) for k, v in read.detector.keys.items()))
    _fill(header, sky_cards(plan, exposure, read) if plan.wcs == "sky" else _pixel_cards(plan, read))


def pointing(plan: Description, exposure: Exposure) -> Target:
    """Return where the telescope points: the template's target, or else the zenith."""
    if exposure.template.target is not None:
        return exposure.template.target
    return Target(name=exposure.dpr_type, ra=round(sidereal_degrees(plan, exposure), 6), dec=plan.latitude)


def sidereal_degrees(plan: Description, exposure: Exposure) -> float:
    """Return the local mean sidereal time (degrees) at the start (Meeus 1998, eq. 12.4)."""
    greenwich = 280.46061837 + 360.98564736629 * (exposure.mjd - J2000_MJD)
    return (greenwich + plan.longitude) % 360


def _fill(header: fits.Header, cards: Cards) -> None:
    for short, *rest in cards:
        header[fits_key(short)] = tuple(rest) if len(rest) > 1 else rest[0]


def _identity_cards(plan: Description, exposure: Exposure) -> Cards:
    target, start = pointing(plan, exposure), exposure.start
    seconds = start.hour * 3600 + start.minute * 60 + start.second
    for key in ("ORIGIN", "TELESCOP"):
        if key in plan.keys:
            yield key, plan.keys[key]
    yield "INSTRUME", plan.instrume, "Instrument used"
    yield "OBJECT", target.name, "Original target"
    yield "RA", target.ra, "RA (J2000) pointing (deg)"
    yield "DEC", target.dec, "DEC (J2000) pointing (deg)"
    yield "EQUINOX", 2000.0, "Standard FK5 (years)"
    yield "RADECSYS", "FK5", "Coordinate reference frame"
    yield "EXPTIME", exposure.template.exptime, "Integration time (s)"
    yield "MJD-OBS", round(exposure.mjd, 8), f"MJD start ({iso_ut(start, digits=3)})"
    yield "DATE-OBS", iso_ut(start, digits=plan.date_digits), "Observing date"
    yield "UTC", float(seconds), f"{start:%H:%M:%S}.000 UTC at start (sec)"
    yield "LST", round(sidereal_degrees(plan, exposure) * 240, 3), "LST at start (sec)"
    yield "PI-COI", "UNKNOWN", "PI-COI name"
    yield "OBSERVER", "UNKNOWN", "Name of observer"


def _observation_cards(exposure: Exposure) -> Cards:
    template, start = exposure.template, iso_ut(exposure.tpl_start)
    number = OB_BASE + (exposure.date.toordinal() - OB_EPOCH) * 100 + exposure.index
    yield "OBS.DID", "ESO-VLT-DIC.OBS-1.12"
    yield "OBS.GRP", "0"
    yield "OBS.ID", number
    yield "OBS.NAME", template.target.name if template.target else template.label
    yield "OBS.OBSERVER", "UNKNOWN"
    yield "OBS.PI-COI.ID", 50002
    yield "OBS.PI-COI.NAME", "UNKNOWN"
    yield "OBS.PROG.ID", "60.A-9999(A)"
    yield "OBS.START", start
    yield "OBS.TARG.NAME", template.target.name if template.target else "CALIB"
    yield "OBS.TPLNO", 1
    yield "TPL.DID", "ESO-VLT-DIC.TPL-1.9"
    yield "TPL.ID", template.id
    yield "TPL.NAME", template.name
    yield "TPL.PRESEQ", f"{template.id}.seq"
    yield "TPL.START", start
    yield "TPL.NEXP", template.nexp
    yield "TPL.EXPNO", exposure.expno
    yield "TPL.SEQNO", 1
    yield "DPR.CATG", template.catg
    yield "DPR.TYPE", exposure.dpr_type
    yield "DPR.TECH", template.tech


def _name_cards(exposure: Exposure) -> Cards:
    yield "ORIGFILE", exposure.origfile, "Original File Name"
    yield "ARCFILE", exposure.arcfile, "Archive File Name"


def _varying_cards(plan: Description, exposure: Exposure, seed: int) -> Cards:
    rng = np.random.default_rng([seed, _AMBIENT, exposure.date.toordinal(), exposure.index])
    for key, varying in plan.varying.items():
        yield key, round(varying.mean + varying.spread * float(rng.uniform(-1, 1)), varying.digits)


def _quantity(quantity: Quantity, exposure: Exposure, read: Readout, plan: Description) -> Scalar:
    template = exposure.template
    values: Mapping[Quantity, Scalar] = {
        "exptime": template.exptime,
        "exptime_total": template.exptime * template.ndit,
        "ndit": template.ndit,
        "offset_x": exposure.offset[0],
        "offset_y": exposure.offset[1],
        "shift_x": 0.0 - exposure.offset[0],
        "shift_y": 0.0 - exposure.offset[1],
        "start_x": 1 + read.start[0] * plan.binning[0],
        "start_y": 1 + read.start[1] * plan.binning[1],
        "n_x": read.shape[0],
        "n_y": read.shape[1],
        "valid_x": read.valid[0],
        "valid_y": read.valid[1],
        "prescan_x": read.prescan[0],
        "prescan_y": read.prescan[1],
        "overscan_x": read.overscan[0],
        "overscan_y": read.overscan[1],
        "quadrant_x": read.shape[0] // 2 - read.prescan[0] - read.overscan[0],
        "quadrant_y": read.shape[1] // 2 - read.prescan[1] - read.overscan[1],
    }
    return values[quantity]


def sky_cards(plan: Description, exposure: Exposure, read: Readout) -> Cards:
    """Return the cards of the celestial coordinates of one detector."""
    target = pointing(plan, exposure)
    scale = plan.pixel_scale / 3600
    place = np.subtract(read.detector.reference_pixel, np.add(read.start, exposure.offset))
    for i, (kind, value, number) in enumerate(
        zip(("RA---TAN", "DEC--TAN"), (target.ra, target.dec), place, strict=True), start=1
    ):
        yield f"CTYPE{i}", kind
        yield f"CUNIT{i}", "deg"
        yield f"CRVAL{i}", value
        yield f"CRPIX{i}", float(number)
    yield "CD1_1", -scale
    yield "CD1_2", 0.0
    yield "CD2_1", 0.0
    yield "CD2_2", scale


def _pixel_cards(plan: Description, read: Readout) -> Cards:
    for i, (start, binning) in enumerate(zip(read.start, plan.binning, strict=True), start=1):
        yield f"CTYPE{i}", "PIXEL", "Pixel coordinate system"
        yield f"CRVAL{i}", 1.0, "value of ref pixel"
        yield f"CRPIX{i}", 0.5 - start, "Ref. pixel of center of rotation"
        yield f"CDELT{i}", float(binning), "Binning factor"
