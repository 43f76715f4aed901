"""The repository's own promises: what it depends on, what it says of itself, what it must not contain."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import qcbench

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
RUNTIME = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
OPTIONAL = [
    Requirement(line) for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines
]
DEVELOPMENT = [Requirement(line) for line in PROJECT["dependency-groups"]["dev"]]

# conda-forge has these with an underscore; all others have one name in both worlds.
CONDA_NAMES = {"jupyter-bokeh": "jupyter_bokeh", "jupyter-server": "jupyter_server"}

FOREIGN_WORDS = {
    "the host of a package registry": re.compile(
        r"\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.org|deb\.debian\.org|conda\.anaconda\.org)\b"
    ),
    "a path of one machine": re.compile(r"(?<![\w.~)}*-])/(?:work|root|tmp/w)/\w"),
}


def kept_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (REPOSITORY / name for name in listing.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def modules() -> list[Path]:
    return sorted((REPOSITORY / "qcbench").rglob("*.py"))


def locked_versions() -> dict[str, list[str]]:
    """Name to versions: more than one where they differ by Python version or platform."""
    versions: dict[str, list[str]] = {}
    for line in (REPOSITORY / "requirements.lock").read_text().splitlines():
        if found := re.match(r"([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", line):
            versions.setdefault(canonicalize_name(found[1]), []).append(found[2])
    return versions


def run_pytest(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on tests in `folder`, with this repository's conftest.py and settings."""
    (folder / "tests").mkdir()
    for name in ("pyproject.toml", "tests/conftest.py"):
        (folder / name).write_text((REPOSITORY / name).read_text())
    (folder / "tests" / "test_three.py").write_text(
        "import pytest\n"
        "def test_plain(): pass\n"
        "@pytest.mark.real\n"
        "def test_real(real_data): pass\n"
        "@pytest.mark.esorex\n"
        "def test_esorex(): pass\n"
    )
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "QCBENCH_")) and k != "CI"
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:benchmark", *arguments, "tests"],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_conda_gets_the_same_packages_as_pip() -> None:
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    packages = [item for item in environment["dependencies"] if isinstance(item, str) and item != "pip"]
    expected = [f"{CONDA_NAMES.get(r.name, r.name)}{r.specifier}" for r in RUNTIME]
    assert sorted(packages) == sorted([f"python{PROJECT['project']['requires-python']}", *expected])


@pytest.mark.parametrize(
    "requirement", RUNTIME + OPTIONAL + DEVELOPMENT, ids=lambda requirement: requirement.name
)
def test_the_lock_pins_each_requirement_inside_its_bounds(requirement: Requirement) -> None:
    versions = locked_versions().get(canonicalize_name(requirement.name), [])
    assert versions, f"{requirement.name} is not in requirements.lock: run make lock"
    assert all(version in requirement.specifier for version in versions)


def test_the_lock_has_a_hash_for_every_package() -> None:
    blocks = re.split(r"\n(?=\S)", (REPOSITORY / "requirements.lock").read_text().strip())
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_package_imports_only_what_it_depends_on() -> None:
    declared = {canonicalize_name(requirement.name) for requirement in RUNTIME + OPTIONAL}
    distributions = packages_distributions()
    undeclared = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            tops = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"qcbench"}
            undeclared |= {
                f"{path.relative_to(REPOSITORY)}: {top}"
                for top in tops
                if declared.isdisjoint(canonicalize_name(name) for name in distributions.get(top, []))
            }
    assert undeclared == set()


def test_no_file_names_a_registry_host_or_a_path_of_one_machine() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)} names {what}: {match[0]}"
        for path in kept_files()
        for what, pattern in FOREIGN_WORDS.items()
        if (match := pattern.search(path.read_text(errors="ignore")))
    ]
    assert found == []


def test_every_public_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(REPOSITORY))
        for path in modules()
        if path.stem == "__init__" or not path.stem.startswith("_")
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_the_changelog_has_an_entry_of_this_version() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    entry = re.search(
        rf"^## {re.escape(qcbench.__version__)}\b.*\n+- \d{{4}}-\d\d-\d\d: ", changelog, re.MULTILINE
    )
    assert entry, f"CHANGELOG.md has no section '## {qcbench.__version__}' with a dated bullet"


def test_a_marker_that_nobody_declared_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_typo.py").write_text("import pytest\n@pytest.mark.relly_long\ndef test_it(): pass\n")
    (tmp_path / "pyproject.toml").write_text((REPOSITORY / "pyproject.toml").read_text())
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_typo.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "'relly_long' not found in `markers` configuration option" in run.stdout


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param([], id="alone"),
        pytest.param(["-n", "2"], id="with two workers", marks=pytest.mark.long),
    ],
)
def test_a_run_says_which_tests_it_left_out_and_why(tmp_path: Path, workers: list[str]) -> None:
    run = run_pytest(tmp_path, *workers, PATH="/nowhere", QCBENCH_TEST_WITHOUT="esorex")
    assert "left out: 1 tests marked esorex: there is no program esorex on the path" in run.stdout
    assert "left out: 1 tests marked real: there is no folder" in run.stdout
    assert "1 passed" in run.stdout
    assert run.returncode == 0


def test_wrong_real_data_fail_the_tests_that_need_them(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    run = run_pytest(tmp_path, "-m", "real", QCBENCH_REAL_DATA=str(tmp_path / "data"))
    assert "it is not the folder of real data" in run.stdout
    assert run.returncode == 1


def test_real_data_that_were_asked_for_have_to_be_there(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, QCBENCH_REAL_DATA=str(tmp_path / "nothing"))
    assert "QCBENCH_REAL_DATA: there is no folder" in run.stderr
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
