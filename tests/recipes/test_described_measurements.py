"""What a recipe says that it measures is what its products have."""

from __future__ import annotations

import re

import numpy as np
import pytest
from astropy.io import fits

from qcbench.recipes import registry


def lamp(detector):
    """The pixels of a lamp with two lines."""
    x = np.arange(detector.side)
    lines = sum(5000.0 * np.exp(-0.5 * ((x - place) / 2.0) ** 2) for place in (60, 150))
    return detector.pixels(0.0, hot=False) + np.rint(lines).astype(np.int32)


@pytest.fixture
def sof(detector):
    darks, flats = detector.frames("DARK", 3), detector.frames("FLAT", 3, 5000.0)
    biases = [(path, "BIAS") for path, _ in detector.frames("BIAS", 3)]
    return {
        "bias": biases,
        "dark": darks,
        "flat": flats,
        "arc": [(detector.write("ARC", *(lamp(detector) for _ in detector.chips)), "ARC")],
        "detector_noise": [*darks, *flats],
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
    result = run_recipe(name, sof[name])
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
