"""What a recipe says that it measures is what its products have."""

from __future__ import annotations

import re

import numpy as np
import pytest
from astropy.io import fits

from qcbench.recipes import registry
from tests.recipes import slits


@pytest.fixture
def spectra(ccd, run_recipe):
    """A set of frames for each recipe of a long slit."""
    lamps = [np.full((slits.N_ACROSS, slits.N_ALONG), level, dtype=np.float32) for level in (5200.0, 200.0)]
    pairs = [
        (
            ccd.write(f"lamp{i}", ccd.rng.normal(lamps[i % 2], 40.0), **{"ESO INS LAMP2 SET": 1 - i % 2}),
            "FLAT_LAMP",
        )
        for i in range(4)
    ]
    return {
        "arc": [(ccd.write("lines", slits.arc(ccd), **slits.SETUP), "ARC")],
        "extract": [
            (ccd.write("star", slits.star(ccd), **slits.KEYS), "SPEC_STD"),
            *slits.masters(ccd, run_recipe),
        ],
        "lamp_flat": pairs,
        "slit_flat": [(pairs[0][0], "SPEC_FLAT")],
    }


@pytest.fixture
def sof(detector, spectra):
    darks, flats = detector.frames("DARK", 3), detector.frames("FLAT", 3, 5000.0)
    biases = [(path, "BIAS") for path, _ in detector.frames("BIAS", 3)]
    return {
        "bias": biases,
        "dark": darks,
        "dark_maps": darks,
        "flat": flats,
        "detector_noise": [*darks, *flats],
        **spectra,
    }


def cards_of(path, detectors):
    """Name, unit and meaning of each QC parameter of a product; i for the number of a pair of frames."""
    for hdu in fits.open(path):
        for card in hdu.header.cards:
            if card.keyword.startswith("ESO QC "):
                name = re.sub(r"^RON\d+$", "RONi", card.keyword[7:])
                for detector in detectors:
                    name = name.replace(detector, "{detector}")
                yield (name, *re.fullmatch(r"\[(.*?)\] (.*)", card.comment).groups())


@pytest.mark.parametrize("name", registry.names())
def test_a_recipe_describes_all_that_it_measures(name, sof, detector, ccd, run_recipe):
    detectors = [chip.replace(".", "-") for chip in detector.chips]
    result = run_recipe(name, sof[name], **(slits.SOLVE if name == "arc" else {}))
    assert result.code == 0, result.stderr
    products = sorted(result.folder.glob("*.fits"))
    if name == "detector_noise":  # of one detector in the primary HDU the keys have no name
        single = [*ccd.frames("DARK", 2), *ccd.frames("FLAT", 2, 5000.0)]
        products += sorted(run_recipe(name, single, out="single").folder.glob("*.fits"))
    found = {card for path in products for card in cards_of(path, detectors)}
    described = {item.name: item for item in registry.get(name).qc}
    assert {card[0] for card in found} == described.keys()
    for key, unit, text in found:
        assert unit == described[key].unit
        assert described[key].description.startswith(text)  # a long card has no room for all of it
