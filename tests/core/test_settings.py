"""Settings are read once, from one file and the environment; what is wrong is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from qcbench.core.errors import SettingsError
from qcbench.core.settings import Settings, find_workbench, load_settings, write_default_settings

MINIMAL = '[workbench]\ninstruments = ["tiny"]\n'


def settings_of(folder: Path, text: str = "", environ: dict[str, str] | None = None) -> Settings:
    (folder / "qcbench.toml").write_text(MINIMAL + text, encoding="utf-8")
    return load_settings(folder, environ or {})


def test_the_default_file_says_the_defaults(tmp_path: Path) -> None:
    write_default_settings(tmp_path, ("one", "two"))
    written = load_settings(tmp_path, {})
    assert written.workbench.instruments == ("one", "two")
    bare = settings_of(tmp_path)
    for section in ("database", "archive", "site", "processing", "auto_daily"):
        assert getattr(written, section) == getattr(bare, section)
    assert written.certification.sample_seed != bare.certification.sample_seed


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[site]\nstart_hour = 24", "key site.start_hour"),
        ("[site]\nstart_hour = -1", "key site.start_hour"),
        ("[site]\nstart_hour = true", "key site.start_hour"),
        ("[site]\nstart_hour = 20.5", "key site.start_hour"),
        ("[site]\nstarthour = 21", "key site.starthour"),
        ("[sites]\nstart_hour = 21", "key sites"),
        ("[processing]\nengine = 'idl'", "key processing.engine"),
        ("[processing]\ntimeout_s = 0", "key processing.timeout_s"),
        ("[processing]\ntimeout_s = inf", "key processing.timeout_s"),
        ("[processing]\nmin_free_mb = nan", "key processing.min_free_mb"),
        ("[processing]\nworkers = 'many'", "key processing.workers"),
        ("[processing]\nkeep_raw = 'perhaps'", "key processing.keep_raw"),
        ("[certification]\nsample_fraction = 1.1", "key certification.sample_fraction"),
        ("[auto_daily]\nthrough = 'archived'", "key auto_daily.through"),
        ("[archive]\npath = 3", "key archive.path"),
        ("[database]\nurl = ['a']", "key database.url"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_file(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings_of(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'qcbench.toml'}: {place}: ")


@pytest.mark.parametrize("text", ["site = 21\n", "root = '/'\n", "archive = ['x']\n"])
def test_a_key_outside_a_section_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "qcbench.toml").write_text(text + MINIMAL)
    with pytest.raises(SettingsError, match=rf"key {text.split()[0]}"):
        load_settings(tmp_path, {"QCBENCH_SITE_START_HOUR": "12"})


def test_every_wrong_key_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        settings_of(tmp_path, "[site]\nstart_hour = 99\n[processing]\nworkers = -1")
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(("text", "problem"), [(b"[site", "not valid TOML"), (b"\xff\xfe", "not valid TOML")])
def test_a_file_that_is_no_toml_is_an_error_with_its_name(tmp_path: Path, text: bytes, problem: str) -> None:
    (tmp_path / "qcbench.toml").write_bytes(text)
    with pytest.raises(SettingsError, match=rf"{re.escape(str(tmp_path))}/qcbench.toml: {problem}"):
        load_settings(tmp_path, {})


def test_a_folder_without_settings_is_no_workbench(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"not a workbench .*qcbench init"):
        load_settings(tmp_path / "nothing", {})
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(SettingsError, match="not a workbench"):
        load_settings(file, {})
    (tmp_path / "qcbench.toml").mkdir()
    with pytest.raises(SettingsError, match="can't be read"):
        load_settings(tmp_path, {})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    environ = {
        "QCBENCH_SITE_START_HOUR": "12",
        "QCBENCH_PROCESSING_KEEP_RAW": "false",
        "QCBENCH_WORKBENCH_INSTRUMENTS": "one, two",
        "QCBENCH_WORKBENCH": str(tmp_path),
        "PATH": "/bin",
    }
    settings = settings_of(tmp_path, "[site]\nstart_hour = 20", environ)
    assert settings.site.start_hour == 12
    assert settings.processing.keep_raw is False
    assert settings.workbench.instruments == ("one", "two")


def test_a_wrong_override_names_its_variable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"environment variable QCBENCH_SITE_START_HOUR: .*'noon'"):
        settings_of(tmp_path, environ={"QCBENCH_SITE_START_HOUR": "noon"})


def test_an_override_of_no_key_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"QCBENCH_SITE_STARTHOUR overrides no key.*QCBENCH_SITE_START_HOUR"
    ):
        settings_of(tmp_path, environ={"QCBENCH_SITE_STARTHOUR": "12"})


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[certification]\nsample_frac = 0.1", "there is no such key; did you mean sample_fraction? Rename"),
        ("[certifcation]\nauto = true", "there is no such section; did you mean certification? Rename"),
        ("[site]\nqq = 1", "there is no such key; there is start_hour. Rename or remove it"),
    ],
)
def test_a_mistyped_key_gets_the_nearest_one(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings_of(tmp_path, text)
    assert hint in str(error.value)


def test_a_mistyped_variable_gets_the_nearest_one_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        settings_of(tmp_path, environ={"QCBENCH_CERTIFICATION_SAMPLE": "0.1"})
    assert str(error.value) == (
        "environment variable QCBENCH_CERTIFICATION_SAMPLE overrides no key; "
        "did you mean QCBENCH_CERTIFICATION_SAMPLE_SEED? Rename or unset it"
    )


def test_settings_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings_of(tmp_path).site.start_hour = 3  # type: ignore[misc]


def test_relative_paths_are_taken_from_the_workbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path.parent)
    (tmp_path / "qcbench.toml").write_text(
        f"{MINIMAL}[archive]\npath = '../data'\n[database]\nurl = 'sqlite:///db/state.db'\n"
    )
    settings = load_settings(Path(tmp_path.name), {})
    assert settings.root == tmp_path
    assert settings.archive_path == tmp_path / "../data"
    assert make_url(settings.database_url).database == str(tmp_path / "db" / "state.db")


@pytest.mark.parametrize("url", ["sqlite:////data/q.db", "sqlite://", "postgresql://user@host/qc"])
def test_a_full_database_url_is_taken_as_it_is(tmp_path: Path, url: str) -> None:
    assert settings_of(tmp_path, f"[database]\nurl = '{url}'").database_url == url


@pytest.mark.parametrize("name", ["plain", "a b", "what?", "100%20", "a#b", "é"])
def test_the_database_is_in_the_workbench_whatever_its_folder_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    assert make_url(settings_of(folder).database_url).database == str(folder / "qcbench.db")


def test_a_workbench_is_found_from_any_folder_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_of(tmp_path)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_workbench(deep, {}) == tmp_path
    assert find_workbench(deep, {"QCBENCH_WORKBENCH": "/named"}) == Path("/named")
    monkeypatch.chdir(deep)
    assert find_workbench(Path(), {}).resolve() == tmp_path
