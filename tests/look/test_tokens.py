"""The palette reads for everyone: contrast AA, and red from green without red-green vision."""

import re
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pytest

from qcbench.look.tokens import DARK, GLYPH_MUTED, GLYPH_NOK, LIGHT, SERIES, SURFACE_TOKENS, TEXT_TOKENS, css

# Viénot, Brettel & Mollon 1999: what a deuteranope sees, on linear RGB.
DEUTERANOPIA = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
RGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
BOTH = pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    dark, light = sorted(float(linear(colour) @ RGB_TO_XYZ[1]) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab_seen_by_deuteranope(colour: str) -> np.ndarray:
    xyz = RGB_TO_XYZ @ np.clip(DEUTERANOPIA @ linear(colour), 0, 1) / np.array([0.9505, 1.0, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: str, other: str) -> float:
    return float(np.linalg.norm(lab_seen_by_deuteranope(one) - lab_seen_by_deuteranope(other)))


def test_the_contrast_formula_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@BOTH
@pytest.mark.parametrize("text", TEXT_TOKENS)
@pytest.mark.parametrize("surface", SURFACE_TOKENS)
def test_text_has_aa_contrast_on_every_surface(tokens, text, surface):
    assert contrast(getattr(tokens, text), getattr(tokens, surface)) >= 4.5


@BOTH
@pytest.mark.parametrize("fill", ["accent", "ok", "nok"])
def test_text_on_a_filled_tag_or_button_has_aa_contrast(tokens, fill):
    assert contrast(tokens.on_fill, getattr(tokens, fill)) >= 4.5


@BOTH
@pytest.mark.parametrize("glyph", [*SERIES, GLYPH_NOK, GLYPH_MUTED])
def test_a_glyph_stands_out_on_the_light_and_the_dark_card(tokens, glyph):
    assert contrast(glyph, tokens.card) >= 3


@BOTH
def test_ok_and_nok_differ_for_a_deuteranope(tokens):
    assert difference("#ff0000", "#6f8f00") < difference(tokens.ok, tokens.nok)
    assert difference(tokens.ok, tokens.nok) > 20


def test_the_first_four_detectors_differ_for_a_deuteranope():
    assert min(difference(one, other) for one, other in combinations(SERIES[:4], 2)) > 10


def test_the_stylesheet_holds_both_sets_and_uses_only_colours_that_exist():
    sheet = css()
    light, dark = sheet.split("@media (prefers-color-scheme: dark)")
    for name, value in asdict(LIGHT).items():
        assert f"--{name.replace('_', '-')}:{value};" in light
    for value in asdict(DARK).values():
        assert value in dark
    used, made = (set(re.findall(pattern, sheet)) for pattern in (r"var\((--[a-z-]+)", r"(--[a-z-]+):"))
    assert used <= made


def test_the_stylesheet_asks_nothing_of_the_network():
    assert not re.search(r"https?:|@import|@font-face|url\(|//", css())
