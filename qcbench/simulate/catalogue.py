"""The stars of a simulated field as a catalogue, as a survey would have them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable, vstack
from astropy.wcs import WCS

from qcbench.core.errors import SettingsError
from qcbench.simulate.description import load_description
from qcbench.simulate.detectors import Camera
from qcbench.simulate.headers import sky_cards
from qcbench.simulate.scenes import FieldOfStars
from qcbench.simulate.schedule import plan_night


def star_catalogue(
    description: Path, raw_type: str, *, date: dt.date, seed: int, window: int | None = None
) -> QTable:
    """Return the stars of the first field of a raw type: those in and around all detectors, brightest first.

    Parameters
    ----------
    description : Path
        The ``simulate.yaml`` of an instrument pack.
    raw_type : str
        By the names of the description.
    date, seed, window
        As the frames are simulated.

    Returns
    -------
    QTable
        Columns `ra`, `dec` (degrees, J2000), and `flux` (adu in one frame).

    Raises
    ------
    PackError
        The description is wrong.
    SettingsError
        The description has no such field, or no celestial coordinates.
    """
    plan = load_description(description)
    camera = Camera(plan, window, seed)
    for exposure in plan_night(plan, date, seed):
        scene = exposure.template.scene
        if exposure.raw_type == raw_type and isinstance(scene, FieldOfStars) and plan.wcs == "sky":
            break
    else:
        raise SettingsError(f"{description}: {raw_type} is no field of stars with celestial coordinates")
    parts = []
    for read in camera.reads(exposure):
        places, fluxes = camera.stars(exposure, read, scene)
        # the coordinates are those of this exposure, the places those before the telescope was moved
        places = places - np.array(exposure.offset) + np.array(read.prescan)
        coordinates = WCS(fits.Header({name: value for name, value, *_ in sky_cards(plan, exposure, read)}))
        ra, dec = coordinates.all_pix2world(places, 0).T
        parts.append(QTable({"ra": ra * u.deg, "dec": dec * u.deg, "flux": fluxes * u.adu}))
    stars = vstack(parts)
    stars.sort("flux", reverse=True)
    return stars
