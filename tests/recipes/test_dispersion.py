"""The dispersion relation of an arc against the one that its lines were made with."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from qcbench.recipes.dispersion import read_dispersion
from qcbench.recipes.frames import PRIMARY, open_product
from tests.recipes.slits import LAMP, N_ACROSS, N_ALONG, RELATION, SETUP, SIGMA, SOLVE, arc, pixel_of, solve

MIDDLE = 0.5 * (N_ALONG + 1)


def test_each_pixel_gets_its_wavelength_within_a_tenth_of_a_pixel(ccd, run_recipe):
    result = solve(run_recipe, ccd.write("arc", arc(ccd), **SETUP))
    product = result.product("ARC_SPECTRUM")
    found = read_dispersion(open_product(product, "ARC_SPECTRUM"), PRIMARY)
    middle = np.full(N_ALONG, found.reference)
    np.testing.assert_allclose(
        found.wavelengths(middle), RELATION(np.arange(1.0, N_ALONG + 1)), atol=0.1 * RELATION.deriv()(MIDDLE)
    )
    qc = result.qc("ARC_SPECTRUM", "SPECTRUM")
    assert qc["ARC NIDENT"] == len(LAMP)
    assert qc["ARC DISP"] == pytest.approx(RELATION.deriv()(MIDDLE), rel=0.003)
    assert qc["ARC WLEN CEN"] == pytest.approx(RELATION(MIDDLE), abs=0.5)
    widths = 2.3548 * SIGMA * RELATION.deriv()(np.array([pixel_of(line) for line in LAMP]))
    assert qc["ARC RESOL"] == pytest.approx(np.median(LAMP / widths), rel=0.05)
    assert 0.0 < qc["ARC RMS"] < 0.1 * RELATION.deriv()(MIDDLE)


def test_each_line_of_the_table_has_its_wavelength(ccd, run_recipe):
    product = solve(run_recipe, ccd.write("arc", arc(ccd), **SETUP)).product("ARC_SPECTRUM")
    assert fits.getdata(product, "LINES")["WAVELENGTH"] == pytest.approx(LAMP)


def test_lines_that_lean_across_the_slit_move_the_wavelengths_there(ccd, run_recipe):
    result = solve(run_recipe, ccd.write("arc", arc(ccd, bend=0.02), **SETUP))
    assert result.qc("ARC_SPECTRUM", "SPECTRUM")["ARC BEND"] == pytest.approx(0.02, rel=0.1)
    found = read_dispersion(open_product(result.product("ARC_SPECTRUM"), "ARC"), PRIMARY)
    above = found.wavelengths(np.full(N_ALONG, 100.0))
    true = RELATION(np.arange(1.0, N_ALONG + 1) - 0.02 * (100.0 - 0.5 * (N_ACROSS + 1)))
    np.testing.assert_allclose(above, true, atol=1.0)


def test_binning_and_window_of_the_header_are_allowed_for(ccd, run_recipe):
    pixels = {"CTYPE1": "PIXEL", "CRVAL1": 1.0, "CRPIX1": -99.5, "CDELT1": 2.0}
    frame = ccd.write("arc", arc(ccd), **SETUP, **pixels)
    start, step = 5000.0 - 2.85 * 202.0, 2.85
    result = solve(run_recipe, frame, dispersions=f"Gr#1={start}/{step}", search=15.0)
    assert result.qc("ARC_SPECTRUM", "SPECTRUM")["ARC NIDENT"] == len(LAMP)


def test_a_saturated_line_is_left_out_of_the_relation(ccd, run_recipe):
    image = arc(ccd)
    place = round(pixel_of(LAMP[3]))
    image[:, place - 4 : place + 2] = 65_535.0
    result = solve(run_recipe, ccd.write("arc", image, **SETUP))
    qc = result.qc("ARC_SPECTRUM", "SPECTRUM")
    assert (qc["ARC NSAT"], qc["ARC NIDENT"]) == (1, len(LAMP) - 1)
    assert qc["ARC RMS"] < 0.6


@pytest.mark.parametrize(("peak", "told"), [(0.0, "0 of 0 lines"), (2e6, "saturated")])
def test_an_arc_without_lines_or_with_saturated_ones_alone_is_refused_with_what_to_look_at(
    ccd, run_recipe, peak, told
):
    result = solve(run_recipe, ccd.write("arc", arc(ccd, peak=peak), **SETUP))
    assert result.code == 1
    assert told in result.stderr
    assert "arc.fits[PRIMARY], Gr#1" in result.stderr
    assert "check that the lamps were on" in result.stderr


def test_another_lamp_is_not_taken_for_the_one_of_the_list(ccd, run_recipe):
    others = ", ".join(str(line + 37.0 * (-1) ** number) for number, line in enumerate(LAMP))
    result = solve(run_recipe, ccd.write("arc", arc(ccd), **SETUP), wavelengths=others, search=10.0)
    assert result.code == 1
    assert "a dispersion relation needs 6" in result.stderr


def test_a_setup_without_a_guess_has_a_spectrum_and_lines_but_no_relation(ccd, run_recipe):
    frame = ccd.write("arc", arc(ccd), **{"ESO INS GRIS1 NAME": "Gr#7"})
    result = solve(run_recipe, frame)
    assert result.code == 0
    with fits.open(result.product("ARC_SPECTRUM")) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["SPECTRUM", "LINES"]
    assert "ARC RMS" not in result.qc("ARC_SPECTRUM", "SPECTRUM")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"wavelengths": "5000, six"}, "give numbers (Angstrom) with commas"),
        ({"dispersions": "Gr#1=5000"}, "give SETUP=START/STEP with commas"),
    ],
)
def test_a_list_that_can_t_be_read_is_told(ccd, run_recipe, given, told):
    result = run_recipe("arc", [(ccd.write("arc", arc(ccd), **SETUP), "ARC")], **{**SOLVE, **given})
    assert result.code == 14
    assert told in result.stderr
