from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from qcbench.core.dates import utc_now
from qcbench.core.errors import PoolError
from qcbench.core.settings import HTCondorSection
from qcbench.monitors.doctor import Check, examine
from qcbench.store import ABState, AssociationBlock
from qcbench.workbench import Workbench, make_workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return make_workbench(tmp_path / "bench", ("hawki",), {})


def nothing_wrong(_engine: str, _recipe: str) -> str | None:
    return None


def no_esorex(engine: str, _recipe: str) -> str | None:
    return "esorex is not installed" if engine == "esorex" else None


def no_pool(_settings: HTCondorSection) -> str:
    raise PoolError("the HTCondor pool does not answer: Failed to locate schedd")


def checks_of(bench: Workbench, **environ: str) -> dict[str, Check]:
    return {check.name: check for check in examine(bench.settings.root, environ, nothing_wrong, no_pool)}


def test_a_workbench_that_has_all_is_well(bench: Workbench) -> None:
    checks = examine(bench.settings.root, {}, nothing_wrong, no_pool)
    assert {check.status for check in checks} == {"ok"}
    assert {"Python", "database", "disk", "archive", "pack hawki"} <= {check.name for check in checks}


def test_without_esorex_the_built_in_recipes_do_the_work(bench: Workbench) -> None:
    checks = examine(bench.settings.root, {}, no_esorex, no_pool)
    recipes = [check for check in checks if check.name.startswith("recipe ") and "science" not in check.name]
    assert recipes
    assert {check.status for check in recipes} == {"warning"}
    assert all("python runs it; esorex: esorex is not installed" in check.found for check in recipes)


def test_a_recipe_that_no_engine_can_run_is_missing(bench: Workbench) -> None:
    environ = {"QCBENCH_PROCESSING_ENGINE": "esorex"}
    checks = examine(bench.settings.root, environ, no_esorex, no_pool)
    recipes = [check for check in checks if check.name.startswith("recipe ") and "science" not in check.name]
    assert {check.status for check in recipes} == {"missing"}
    (science,) = [check for check in checks if check.name == "recipe hawki_science_process"]
    assert (science.status, science.found.startswith("not needed before science")) == ("ok", True)
    assert all(check.remedy for check in recipes)


def test_a_pool_is_looked_at_where_the_cascade_needs_it(bench: Workbench) -> None:
    environ = {"QCBENCH_PROCESSING_CASCADE": "htcondor"}
    check = checks_of(bench, **environ)["HTCondor pool"]
    assert (check.status, check.without) == ("missing", "processing")
    assert "Failed to locate schedd" in check.found
    assert 'cascade = "local"' in check.remedy
    found = examine(bench.settings.root, environ, nothing_wrong, lambda _: "it answers, with 2 cores")
    assert {item.status for item in found} == {"ok"}
    assert "HTCondor pool" not in checks_of(bench)


def test_a_folder_that_is_no_workbench_says_how_to_make_one(tmp_path: Path) -> None:
    last = examine(tmp_path, {}, nothing_wrong, no_pool)[-1]
    assert (last.name, last.status, last.remedy) == ("settings", "missing", f"qcbench init {tmp_path}")


def test_a_database_without_tables_says_how_to_get_them(bench: Workbench) -> None:
    environ = {"QCBENCH_DATABASE_URL": "sqlite:///:memory:"}
    last = examine(bench.settings.root, environ, nothing_wrong, no_pool)[-1]
    assert (last.name, last.status) == ("database", "missing")
    assert last.remedy == f"qcbench init {bench.settings.root} --upgrade"


def test_the_database_is_named(bench: Workbench) -> None:
    url = f"sqlite:///{bench.settings.root / 'qcbench.db'}"
    assert checks_of(bench, QCBENCH_DATABASE_URL=url)["database"].found.startswith(url)


def test_a_missing_folder_is_found(bench: Workbench) -> None:
    bench.tree.work.rmdir()
    found = checks_of(bench)["folder work"]
    assert (found.status, found.found) == ("missing", f"{bench.tree.work} is not there")


def test_an_archive_that_is_not_there_is_found_with_the_command_that_makes_it(bench: Workbench) -> None:
    folder = bench.settings.archive_path / "raw"
    folder.rmdir()
    found = checks_of(bench)["archive"]
    assert (found.status, found.remedy) == ("missing", f"mkdir -p {folder}")


def test_a_wrong_key_or_variable_is_to_be_mended(bench: Workbench) -> None:
    file = bench.settings.root / "qcbench.toml"
    wrong = {"QCBENCH_SITE_START_HOUR": "noon"}
    assert checks_of(bench, **wrong)["settings"].remedy == "Mend environment variable QCBENCH_SITE_START_HOUR"
    file.write_text(file.read_text().replace("start_hour = 21", "start_hour = 99"))
    assert checks_of(bench)["settings"].remedy == f"Mend key site.start_hour in {file}"
    file.write_text("[site")
    assert checks_of(bench)["settings"].remedy == f"Mend {file}"


def test_a_database_that_is_gone_is_to_be_restored_and_no_empty_one_is_made(bench: Workbench) -> None:
    file = bench.settings.root / "qcbench.db"
    bench.close()
    for part in bench.settings.root.glob("qcbench.db*"):
        part.unlink()
    found = checks_of(bench)["database"]
    assert f"{file}: the database file is missing" in found.found
    assert found.remedy.startswith(f"Restore {file} from a backup")
    assert not file.exists()


def test_a_database_address_that_leads_nowhere_is_to_be_mended(bench: Workbench) -> None:
    assert "database.url" in checks_of(bench, QCBENCH_DATABASE_URL="nonsense")["database"].remedy


def test_a_disk_with_too_little_space_is_found(bench: Workbench) -> None:
    found = checks_of(bench, QCBENCH_PROCESSING_MIN_FREE_MB="1e12")["disk"]
    assert (found.status, found.without) == ("missing", "processing")


def test_a_pack_that_is_wrong_is_found(bench: Workbench) -> None:
    folder = bench.tree.config / "hawki"
    folder.mkdir()
    (folder / "instrument.yaml").write_text("name: [\n")
    found = checks_of(bench)["pack hawki"]
    assert found.status == "missing"
    assert str(folder / "instrument.yaml") in found.found


def test_an_ab_whose_process_is_gone_is_found(bench: Workbench) -> None:
    with bench.store.write() as session:
        session.add(
            AssociationBlock(
                name="A.ab", instrument="hawki", dfo_date=dt.date(2026, 11, 19), mode="CALIB", raw_type="DARK",
                event="x", action="x", recipe="x", completeness="COMPLETE", missing=[], match_keys={}, setup="",
                keys={}, mjd_obs=61000.0, mjd_obs_mod=61000.0, prod_root="r.A", state=ABState.PROCESSING,
                claim=None, attempts=1, created_at=utc_now(), updated_at=utc_now(),
            )
        )  # fmt: skip
    found = checks_of(bench)["interrupted ABs"]
    assert found.status == "warning"
    assert found.found.startswith("A.ab: in processing, but the process is gone")
    assert found.remedy == "qcbench auto-daily"
