"""Science ABs: kept until somebody asks for them, then processed with certified masters alone."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import pytest
from astropy.io import fits
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from qcbench.association import create_abs
from qcbench.certification import decide, queue
from qcbench.core.errors import WaitingError
from qcbench.processing import create_job, process_ab
from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.store import AssociationBlock, Event
from qcbench.store.needs import needed_frames
from qcbench.workbench import Workbench, open_workbench
from qcbench.workflow import account, auto_daily, run_job
from tests.nights import NIGHT, PYTHON_ENGINE, simulated_workbench
from validation.general import hawki_calibrations

CATEGORIES = (
    "BASIC_CALIBRATED_SCI",
    "JITTERED_IMAGE_SCI",
    "CONFIDENCE_MAP_JITTERED",
    "OBJECT_CATALOGUE_JITTERED",
)
ZERO_POINT = 26.05
WINDOW = 64


# what its recipe gets of the night's calibrations
MASTERS = {"MASTER_DARK", "MASTER_TWILIGHT_FLAT", "MASTER_CONF", "MASTER_READGAIN"}


class Pipeline:
    """Stands for the installed pipeline: writes what its recipe for science writes, as small as it gets."""

    name = "esorex"

    def __init__(self) -> None:
        self.jobs: list[RecipeJob] = []
        self.masters: set[str] = set()

    def problem(self, _recipe: str) -> None:
        return None

    def version(self, recipe: str) -> str:
        return f"{recipe} of a test"

    def run(self, job: RecipeJob) -> RecipeResult:
        self.jobs.append(job)
        self.masters = {fits.getheader(path)["ARCFILE"] for path, tag in job.sof if tag in MASTERS}
        job.log.write_text("log of the recipe\n")
        return RecipeResult(0, None, tuple(self._write(job, category) for category in CATEGORIES), 0.1)

    def _write(self, job: RecipeJob, category: str) -> tuple[Path, str]:
        hdus = fits.HDUList([fits.PrimaryHDU()])
        hdus[0].header["HIERARCH ESO PRO CATG"] = category
        for number in (1, 2, 4, 3):
            hdus.append(fits.ImageHDU([[1.0, 2.0]], name=f"CHIP{number}.INT1"))
            hdus[-1].header["HIERARCH ESO QC MAGZPT"] = ZERO_POINT
        path = job.output_dir / f"{category}.fits"
        hdus.writeto(path)
        return path, category


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A night whose calibrations are all certified and in the archive."""
    root = tmp_path_factory.mktemp("night") / "wb"
    bench = simulated_workbench(root, window=WINDOW)
    auto_daily(bench, through="scored", show=False)
    for item in queue(bench, "hawki", NIGHT):
        decide(bench, item.ab_name, "certified", by="test", comment="good")
    auto_daily(bench, through="ingested", show=False)
    bench.close()
    return open_workbench(root, {**os.environ, **PYTHON_ENGINE, "QCBENCH_PROCESSING_ENGINE": "auto"})


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    stands_in = Pipeline()
    monkeypatch.setattr(import_module("qcbench.workflow.job"), "load_engines", lambda: {"esorex": stands_in})
    return stands_in


def science(bench: Workbench) -> AssociationBlock:
    query = (
        select(AssociationBlock)
        .where(AssociationBlock.mode == "SCIENCE")
        .options(selectinload(AssociationBlock.calibrations), selectinload(AssociationBlock.products))
    )
    with bench.store.read() as session:
        return session.scalars(query).one()


def flags(bench: Workbench) -> list[str]:
    with bench.store.read() as session:
        return list(session.scalars(select(Event.flag).order_by(Event.id)))


def test_one_that_lacks_what_its_recipe_needs_is_kept_and_says_what(certified: Workbench) -> None:
    create_abs(certified, "hawki", NIGHT, "SCIENCE")
    ab = science(certified)
    assert (ab.state, ab.completeness) == ("created", "INCOMPLETE")
    with pytest.raises(WaitingError, match=r"incomplete: .*PHOTCAL_TAB.*qcbench create-ab -d \S+ -m SCIENCE"):
        process_ab(certified, ab.name)
    assert create_job(certified, "hawki", NIGHT, "SCIENCE").queued == ()
    assert science(certified).state == "created"


def test_one_is_processed_with_certified_masters_when_somebody_asks(
    certified: Workbench, pipeline: Pipeline
) -> None:
    hawki_calibrations(certified.data("hawki").general, WINDOW)
    create_abs(certified, "hawki", NIGHT, "SCIENCE")
    name = science(certified).name
    auto_daily(certified, through="ingested", show=False)
    assert science(certified).state == "created", "nobody has asked for it"
    with certified.store.read() as session:
        assert not needed_frames(session, "hawki", NIGHT), "and so nobody needs its frames"

    job = create_job(certified, "hawki", NIGHT, "SCIENCE")
    assert job.queued == (name,)
    assert job.file.name == f"execAB_hawki_SCIENCE_{NIGHT}"
    assert f"qcbench process-ab -a {name}" in job.file.read_text()
    assert flags(certified).count("sci_Queued") == 1
    with certified.store.read() as session:
        assert len(needed_frames(session, "hawki", NIGHT)) == 4

    calibrations = flags(certified).count("cal_QC")
    ended = run_job(certified, "hawki", NIGHT, "SCIENCE", show=False)
    assert (ended.done, ended.failed) == ([name], [])
    ab = science(certified)
    assert ab.state == "scored"
    assert Path(ab.report_path or "").is_file()
    assert [product.pro_catg for product in ab.products] == list(CATEGORIES)
    assert flags(certified).count("sci_QC") == 1
    assert flags(certified).count("cal_QC") == calibrations

    (recipe,) = pipeline.jobs
    tags = [tag for _, tag in recipe.sof]
    assert tags.count("OBJECT") == 4
    assert set(tags) > MASTERS
    archived = {path.stem for path in (certified.settings.archive_path / "products").iterdir()}
    assert pipeline.masters
    assert pipeline.masters <= archived, "as they are in the archive"


def test_the_calibrations_of_the_night_are_accounted_for_without_it(certified: Workbench) -> None:
    create_abs(certified, "hawki", NIGHT, "SCIENCE")
    _, blocks = account(certified, "hawki")
    assert blocks.missing == 0
    assert science(certified).name not in blocks.waiting
