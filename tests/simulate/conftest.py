"""A night of each simulated observatory, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import qcbench
from qcbench.simulate import SimulationResult, simulate
from tests.simulate.archives import START, Run


@pytest.fixture(scope="session")
def packs() -> Path:
    return Path(qcbench.__file__).parent / "instruments"


@pytest.fixture(scope="session")
def infrared(packs: Path) -> Path:
    return packs / "hawki" / "simulate.yaml"


@pytest.fixture(scope="session")
def optical(packs: Path) -> Path:
    return packs / "efosc2" / "simulate.yaml"


@pytest.fixture(scope="session")
def infrared_night(infrared: Path, tmp_path_factory: pytest.TempPathFactory) -> SimulationResult:
    archive = tmp_path_factory.mktemp("infrared") / "archive"
    return simulate(infrared, archive, nights=1, start=START, seed=1, window=128)


@pytest.fixture(scope="session")
def optical_night(optical: Path, tmp_path_factory: pytest.TempPathFactory) -> SimulationResult:
    archive = tmp_path_factory.mktemp("optical") / "archive"
    return simulate(optical, archive, nights=1, start=START, seed=1)


@pytest.fixture
def short(infrared: Path, tmp_path: Path) -> Path:
    """A description with two short templates, darks and detector noise, for tests that observe often."""
    content = yaml.safe_load(infrared.read_text())
    content = {k: v for k, v in content.items() if not k.startswith(".")}
    content["templates"] = [t for t in content["templates"] if t["hour"] in (15.3, 16.0)]
    path = tmp_path / "simulate.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def observe(short: Path, tmp_path: Path) -> Run:
    """Observe with the short description into an archive of this test."""

    def run(archive: str = "archive", **changes: object) -> SimulationResult:
        arguments = {"nights": 1, "start": START, "seed": 1, "window": 32} | changes
        return simulate(short, tmp_path / archive, **arguments)  # type: ignore[arg-type]

    return run
