"""What EsoRex and a real recipe say of bad input stands in the reason: the file, the tag or the option."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.processing.esorex import EsorexEngine
from qcbench.processing.running import Limits

pytestmark = pytest.mark.esorex

RECIPE = "naco_img_dark"


def run(folder: Path, frame: Path, tag: str, parameters: Mapping[str, str | int]) -> RecipeResult:
    """Run the recipe of NACO's darks on one frame."""
    output = folder / "products"
    output.mkdir()
    job = RecipeJob(
        ab_name="one.ab",
        recipe=RECIPE,
        instrument_recipe=RECIPE,
        sof=((frame, tag),),
        parameters=parameters,
        work_dir=folder,
        output_dir=output,
        log=folder / "recipe.log",
        limits=Limits(60.0),
    )
    return EsorexEngine().run(job)


def absent(path: Path) -> None:
    """Write nothing."""


def garbage(path: Path) -> None:
    """Write what is no FITS file."""
    path.write_bytes(b"garbage" * 1000)


def bare(path: Path) -> None:
    """Write a frame without the keywords of the detector."""
    fits.PrimaryHDU(np.zeros((64, 64), dtype=np.float32)).writeto(path)


@pytest.mark.parametrize(
    ("make", "tag", "parameters", "code", "culprit"),
    [
        (absent, "CAL_DARK", {}, 9, "frame.fits"),
        (garbage, "CAL_DARK", {}, 6, "frame.fits"),
        (bare, "CAL_DARK", {}, 10, "EXPTIME"),
        (bare, "NONSENSE", {}, 10, "CAL_DARK"),
        (bare, "CAL_DARK", {"nonsense": 3}, 255, "--nonsense=3"),
        (bare, "CAL_DARK", {"nsamples": "many"}, 255, "--nsamples"),
    ],
)
def test_the_reason_names_what_was_wrong(
    tmp_path: Path,
    make: Callable[[Path], None],
    tag: str,
    parameters: Mapping[str, str | int],
    code: int,
    culprit: str,
) -> None:
    frame = tmp_path / "frame.fits"
    make(frame)
    work = tmp_path / "work"
    work.mkdir()
    ended = run(work, frame, tag, parameters)
    assert (ended.exit_code, ended.products) == (code, ())
    assert culprit in (ended.reason or "")
