"""Frames of a detector whose noise, gain and defects are known exactly, and a way to run a recipe on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from qcbench.recipes.running import run_job

Sof = list[tuple[Path, str]]


@dataclass(frozen=True)
class Detector:
    """A detector of known truth; frames are made in electrons and digitised to whole ADU."""

    folder: Path
    ron: float = 6.0
    gain: float = 2.0
    bias: float = 200.0
    side: int = 256
    chips: tuple[str, ...] = ("CHIP1.INT1", "CHIP2.INT1")
    hot: tuple[tuple[int, int], ...] = ((3, 5), (40, 41), (100, 7), (200, 250), (255, 255))
    integers: bool = True
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def pixels(self, level: float, *, hot: bool = True) -> np.ndarray:
        y, x = np.mgrid[: self.side, : self.side] / self.side
        pattern = 1.0 + 0.1 * np.sin(6.0 * x) * np.cos(5.0 * y)
        electrons = self.rng.poisson(level * pattern * self.gain) if level else np.zeros(x.shape)
        adu = self.bias + electrons / self.gain + self.rng.normal(0.0, self.ron, x.shape)
        if hot:
            for row, column in self.hot:
                adu[row, column] += 2000.0 + self.rng.normal(0.0, 300.0)
        return np.rint(adu).astype(np.int32) if self.integers else adu.astype(np.float32)

    def write(self, name: str, *images: np.ndarray, **keys: Any) -> Path:
        header = fits.Header()
        header.update({"INSTRUME": "TESTCAM", "EXPTIME": 10.0, "MJD-OBS": 60000.0, "ARCFILE": f"TEST.{name}"})
        header["HIERARCH ESO DPR TECH"] = "IMAGE"
        header["HIERARCH ESO DET DIT"] = 10.0
        for key, value in keys.items():
            header[key] = value
        path = self.folder / f"{name}.fits"
        if not self.chips:
            fits.PrimaryHDU(images[0], header).writeto(path, overwrite=True)
            return path
        extensions = []
        for chip, image in zip(self.chips, images, strict=True):
            extension = fits.ImageHDU(image)
            extension.header["EXTNAME"] = chip
            extension.header["HIERARCH ESO DET CHIP LIVE"] = True
            extensions.append(extension)
        fits.HDUList([fits.PrimaryHDU(header=header), *extensions]).writeto(path, overwrite=True)
        return path

    def frame(self, name: str, level: float = 0.0, **keys: Any) -> Path:
        return self.write(name, *(self.pixels(level) for _ in self.chips or ("",)), **keys)

    def frames(self, tag: str, n: int, level: float = 0.0) -> Sof:
        return [(self.frame(f"{tag}_{i}", level), tag) for i in range(n)]


@dataclass(frozen=True)
class Result:
    """What a recipe process leaves behind."""

    code: int
    folder: Path
    stderr: str

    def product(self, category: str) -> Path:
        listed = json.loads((self.folder / "products.json").read_text())
        return self.folder / next(line["name"] for line in listed if line["category"] == category)

    def qc(self, category: str, extension: int | str = 0) -> dict[str, Any]:
        header = fits.getheader(self.product(category), extension)
        return {key[7:]: value for key, value in header.items() if key.startswith("ESO QC ")}


RunRecipe = Callable[..., Result]


@pytest.fixture
def detector(tmp_path: Path) -> Detector:
    folder = tmp_path / "raw"
    folder.mkdir()
    return Detector(folder)


@pytest.fixture
def ccd(detector: Detector) -> Detector:
    """A detector whose one image is in the primary unit."""
    return Detector(detector.folder, chips=(), integers=False)


@pytest.fixture
def run_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> RunRecipe:
    def run(
        recipe: str,
        sof: Sof,
        *,
        as_recipe: str = "test_recipe",
        out: str = "out",
        names: Any = None,
        **given: Any,
    ) -> Result:
        folder = tmp_path / out
        folder.mkdir(exist_ok=True)
        job = {
            "recipe": recipe,
            "sof": [{"path": str(path), "tag": tag} for path, tag in sof],
            "parameters": given,
            "output_dir": str(folder),
            "instrument_recipe": as_recipe,
            "product_names": names,
        }
        job_file = tmp_path / f"{out}.json"
        job_file.write_text(json.dumps(job))
        code = run_job(job_file)
        return Result(code, folder, capsys.readouterr().err)

    return run
