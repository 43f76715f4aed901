"""verifyAB: science ABs against calSelector, by names and by validity (handbook, section 5.5.6)."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from qcbench.association.calselector import AssociationTree, FileEntry, print_tree, read_tree
from qcbench.association.calselector.service import Mode
from qcbench.association.verify import verify_abs, verify_frame
from qcbench.cli.exits import DIFFERENT, NOT_DONE
from qcbench.cli.main import cli
from qcbench.core.errors import NotFoundError
from qcbench.store import AssociationBlock, Event, Product
from qcbench.workbench import Workbench
from tests.association.calsel_bench import START, ask, ingest
from tests.association.observatory import DATE, INSTRUMENT, RULES, arrive, build, certify, create, template
from tests.association.trees import aged, change_files, removed

DAY = dt.timedelta(days=1)
BIAS = template("BIAS", 12, 3)
CLOSER = template("BIAS", 8, 3)
FLATS = template("FLAT,SKY", 3, 3)
STARS = template("STD", 4, 3)
SCIENCE = template("OBJECT", 5, 3, catg="SCIENCE")
Change = Callable[[AssociationTree], AssociationTree]


def run(*words: str, bench: Workbench | None = None) -> Result:
    env = {"QCBENCH_WORKBENCH": str(bench.settings.root) if bench else None}
    result = CliRunner().invoke(cli, list(words), env=env)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def night(root: Path, *frames: list, rules: str = "", pack_rules: str = RULES) -> Workbench:  # type: ignore[type-arg]
    """A night whose calibrations are certified and archived, with its science AB, and rules of calSelector."""
    bench = build(root, rules=pack_rules)
    arrive(bench, [item for group in (BIAS, FLATS, STARS, SCIENCE, *frames) for item in group])
    create(bench)
    certify(bench, "BIAS", "FLAT", "STD")
    with bench.store.write() as session:
        products = session.scalars(select(Product).order_by(Product.mjd_obs, Product.id))
        for number, product in enumerate(products):
            product.dp_id = f"M.TOY.2026-11-11T10:00:00.{number:03d}"
    create(bench, mode="SCIENCE")
    ingest(bench, rules=rules)
    return bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return night(tmp_path_factory.mktemp("night") / "bench")


def flags(bench: Workbench) -> list[str]:
    with bench.store.read() as session:
        return list(session.scalars(select(Event.message).where(Event.flag == "sci_Verified")))


@pytest.mark.parametrize("mode", ["raw2master", "raw2raw"])
def test_an_ab_that_says_what_calselector_says_has_no_difference(bench: Workbench, mode) -> None:  # type: ignore[no-untyped-def]
    result = verify_abs(bench, INSTRUMENT, DATE, mode)
    assert [(item.source, item.differences, item.problem) for item in result.abs] == [
        ("rule set 1 of toy", (), "")
    ]
    assert result.diff is not None
    assert result.diff.parent == bench.data(INSTRUMENT).logs(DATE)
    assert "# 0 differences" in result.diff.read_text()
    assert f"{mode}: 1 science ABs compared with calSelector, 0 with differences" in flags(bench)


def test_the_flag_is_set_once_and_a_date_without_science_has_none(bench: Workbench) -> None:
    verify_abs(bench, INSTRUMENT, DATE)
    before = flags(bench)
    verify_abs(bench, INSTRUMENT, DATE)
    assert flags(bench) == before
    assert verify_abs(bench, INSTRUMENT, DATE - DAY).abs == ()
    assert flags(bench) == before


def test_rules_that_have_come_apart_show_as_differences(tmp_path: Path) -> None:
    own = RULES.index("action SCI")
    # calSelector's rules look forward only
    others = RULES[:own] + RULES[own:].replace(
        "between inputFile.MJD-OBS - 7", "between inputFile.MJD-OBS + 0.2", 1
    )
    bench = night(tmp_path / "bench", CLOSER, rules=others)
    (item,) = verify_abs(bench, INSTRUMENT, DATE).abs
    closer, farther = masters(bench, "MASTER_BIAS")
    assert [(one.kind, one.path, one.ours, one.theirs) for one in item.differences] == [
        ("missing file", ("MCALIB+MASSOC",), "", farther),
        ("additional file", ("MCALIB+MASSOC",), closer, ""),
    ]
    raw = verify_frame(bench, SCIENCE[1].arcfile, "raw2raw").abs[0].differences
    assert {one.path for one in raw} == {("RAWFILE+RASSOC",)}
    assert {one.theirs for one in raw if one.theirs} == {item.arcfile.removesuffix(".fits") for item in BIAS}


def masters(bench: Workbench, category: str) -> list[str]:
    with bench.store.read() as session:
        query = select(Product.dp_id).where(Product.pro_catg == category).order_by(Product.mjd_obs)
        return [str(name) for name in session.scalars(query)]


def test_a_validity_that_is_another_one_shows(tmp_path: Path) -> None:
    plan = RULES.replace(
        "action SCI\n{\n  select file as MASTER_BIAS from calibFiles where",
        "action SCI\n{\n  select file as MASTER_BIAS from calibFiles where "
        "MJD-OBS tryBetween inputFile.MJD-OBS - 0.1 and inputFile.MJD-OBS + 0.1 and",
    )
    bench = night(tmp_path / "bench", rules=plan)
    (item,) = verify_abs(bench, INSTRUMENT, DATE).abs
    (found,) = item.differences
    assert (found.kind, found.ours, found.theirs) == ("validity", "calib_plan", "extended")
    assert found.path == ("SCI", "MASTER_BIAS")


@pytest.mark.parametrize("mode", ["raw2master", "raw2raw"])
def test_what_has_no_limits_in_time_on_both_sides_is_no_difference(tmp_path: Path, mode: Mode) -> None:
    open_rule = RULES.replace(
        "    and MJD-OBS between inputFile.MJD-OBS - 7 and inputFile.MJD-OBS + 7;\n  minRet = 0; maxRet = 1;\n"
        "  select file as ZEROPOINT",
        ";\n  minRet = 0; maxRet = 1;\n  select file as ZEROPOINT",
    )
    assert open_rule != RULES
    bench = night(tmp_path / "bench", pack_rules=open_rule)
    assert ask(bench, SCIENCE[0], mode).children[0].match == "N/A"
    assert verify_abs(bench, INSTRUMENT, DATE, mode).n_different == 0
    # the rules of the pack set limits, those of calSelector do not
    bench = night(tmp_path / "other", rules=open_rule)
    (item,) = verify_abs(bench, INSTRUMENT, DATE, mode).abs
    assert {(one.kind, one.ours, one.theirs) for one in item.differences} == {
        ("validity", "calib_plan", "N/A")
    }


def test_an_ab_that_lacks_what_calselector_finds_shows(tmp_path: Path) -> None:
    bench = build(tmp_path / "bench")
    arrive(bench, [*BIAS, *SCIENCE])
    create(bench, mode="SCIENCE")
    ingest(bench)
    (item,) = verify_abs(bench, INSTRUMENT, DATE).abs
    kinds = [one.kind for one in item.differences]
    # the answer falls back to raw files, which an AB of science does not take
    assert kinds == ["missing file"] * 3 + ["completeness"]


def test_without_rules_nothing_is_compared(tmp_path: Path) -> None:
    bench = build(tmp_path / "bench")
    arrive(bench, SCIENCE)
    create(bench, mode="SCIENCE")
    with pytest.raises(NotFoundError, match="calsel-manager ingest"):
        verify_abs(bench, INSTRUMENT, DATE)
    assert flags(bench) == []


def test_masters_that_are_not_archived_yet_are_known_by_their_file_names(tmp_path: Path) -> None:
    bench = night(tmp_path / "bench")
    with bench.store.write() as session:
        for product in session.scalars(select(Product)):
            product.dp_id = None
    assert verify_abs(bench, INSTRUMENT, DATE).n_different == 0


@pytest.fixture
def answers(bench: Workbench, tmp_path: Path) -> Path:
    """A folder with answers of a service, in both modes."""
    folder = tmp_path / "answers"
    folder.mkdir()
    root = SCIENCE[0].arcfile.removesuffix(".fits").replace(":", "_")
    for mode in ("raw2raw", "raw2master"):
        tree = ask(bench, SCIENCE[0], mode)  # type: ignore[arg-type]
        (folder / f"{root}_{mode}.xml").write_text(print_tree(tree))
    return folder


def rewrite(folder: Path, change: Change) -> None:
    (path,) = folder.glob("*_raw2master.xml")
    path.write_text(print_tree(change(read_tree(path))))


def without_zero_point(tree: AssociationTree) -> AssociationTree:
    return replace(tree, children=tree.children[:1])


def with_other_master(tree: AssociationTree) -> AssociationTree:
    other = replace(tree.children[0], main_files=(FileEntry("MASTER_BIAS", "M.TOY.2026-10-01T00:00:00.000"),))
    return replace(tree, children=(other, *tree.children[1:]))


def made_extended(tree: AssociationTree) -> AssociationTree:
    return replace(
        tree,
        children=tuple(replace(child, match="extended") for child in tree.children[:1]) + tree.children[1:],
    )


def made_timeless(tree: AssociationTree) -> AssociationTree:
    return replace(
        tree, children=tuple(replace(child, match="N/A") for child in tree.children[:1]) + tree.children[1:]
    )


def made_incomplete(tree: AssociationTree) -> AssociationTree:
    return replace(tree, complete=False)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (without_zero_point, ["additional file"]),
        (with_other_master, ["missing file", "additional file"]),
        (made_extended, ["validity"]),
        (made_timeless, ["validity"]),
        (made_incomplete, ["completeness"]),
    ],
)
def test_the_command_finds_each_change_in_the_answers_of_a_service(
    bench: Workbench, answers: Path, change: Change, kinds: list[str]
) -> None:
    words = ["verify-ab", "-d", str(DATE), "--answers", str(answers), "--json"]
    assert run(*words, bench=bench).exit_code == 0
    rewrite(answers, change)
    result = run(*words, bench=bench)
    assert result.exit_code == DIFFERENT
    content = json.loads(result.stdout)
    assert [item["kind"] for item in content["differences"]] == kinds
    text = Path(content["files"][0]).read_text()
    assert f"# {len(kinds)} differences" in text
    # the other mode was not touched
    assert run(*words, "-R", bench=bench).exit_code == 0


def test_an_ab_without_an_answer_is_named_and_the_date_is_not_verified(
    bench: Workbench, answers: Path
) -> None:
    for path in answers.glob("*_raw2master.xml"):
        path.unlink()
    before = flags(bench)
    result = run("verify-ab", "-d", str(DATE), "--answers", str(answers), bench=bench)
    assert result.exit_code == NOT_DONE
    assert "there is no raw2master answer for it" in result.stdout
    assert flags(bench) == before


def test_an_answer_that_can_not_be_read_is_named_and_the_others_are_compared(
    bench: Workbench, answers: Path
) -> None:
    (answers / "a_raw2raw.xml").write_text("<html><body>503 Service Unavailable</body></html>")
    words = ("verify-ab", "-d", str(DATE), "--answers", str(answers))
    result = run(*words, bench=bench)
    assert result.exit_code == NOT_DONE
    assert "0 with differences, 0 not compared; 1 answer could not be compared" in result.stdout
    content = json.loads(run(*words, "--json", bench=bench).stdout)
    assert [item["result"] for item in content["abs"]] == ["0 differences"]
    (found,) = content["unreadable"]
    assert found["answer"] == str(answers / "a_raw2raw.xml")
    assert "expected <association>, found <html>" in found["problem"]
    assert "an answer could not be compared" in Path(content["files"][0]).read_text()
    rewrite(answers, without_zero_point)
    assert run(*words, bench=bench).exit_code == DIFFERENT
    # an AB whose answer it may be
    for path in answers.glob("*_raw2master.xml"):
        path.unlink()
    result = run(*words, bench=bench)
    assert (result.exit_code, "unless it is one of those that can't be read" in result.stdout) == (
        NOT_DONE,
        True,
    )
    # a single file that was named has to be one
    assert run(*words[:3], "--answers", str(answers / "a_raw2raw.xml"), bench=bench).exit_code == 4


def test_single_frames_are_verified_too(bench: Workbench) -> None:
    assert run("verify-ab", "-f", SCIENCE[1].arcfile, bench=bench).exit_code == 0
    result = run("verify-ab", "-f", BIAS[0].arcfile, bench=bench)
    assert result.exit_code == NotFoundError.exit_code
    assert "only ABs of science are verified" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-d", str(DATE), "-f", "x"),
        ("--against", "x.xml"),
        ("-d", str(DATE), "--limits", "BIAS=1"),
        ("--answers", "a.xml", "--against", "b.xml", "--limits", "BIAS"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words: tuple[str, ...]) -> None:
    assert run("verify-ab", *words).exit_code == 2


def test_the_rules_of_calselector_from_the_command_line(tmp_path: Path) -> None:
    bench = build(tmp_path / "bench")
    arrive(bench, [*BIAS, *SCIENCE])
    with bench.store.read() as session:
        assert session.scalars(select(AssociationBlock)).all() == []
    made = run("calsel-manager", "ingest", "--from", str(START), bench=bench)
    assert "Rule set 1 of toy (rules.oca) is in force from 2026-11-01 on; 1 virtual data set" in made.stdout
    (row,) = json.loads(run("calsel-manager", "list", "--on", str(DATE), "--json", bench=bench).stdout)[
        "rule_sets"
    ]
    assert (row["now"], row["used"], row["n_datasets"]) == ("in force", "", 1)
    text = run("calsel-manager", "download", "--on", str(DATE), bench=bench)
    assert text.stdout_bytes == RULES.encode()
    run("calsel-manager", "download", "1", "-o", str(tmp_path / "set.oca"), bench=bench)
    assert (tmp_path / "set.oca").read_bytes() == RULES.encode()

    shown = run("calselector", SCIENCE[0].arcfile, "--mode", "raw2raw", bench=bench)
    run("calselector", SCIENCE[0].arcfile, "--mode", "raw2raw", "-o", str(tmp_path / "a.xml"), bench=bench)
    assert (tmp_path / "a.xml").read_text() == shown.stdout
    told = json.loads(run("calselector", SCIENCE[0].arcfile, "--json", bench=bench).stdout)
    assert (told["complete"], told["rule_set"], len(told["files"])) == (True, 1, 6)
    packed = run("calselector", SCIENCE[0].arcfile, "--package", str(tmp_path / "p"), bench=bench)
    assert packed.exit_code == NOT_DONE
    assert "has not got this raw file" in packed.stdout

    assert run("calsel-manager", "delete", "1", bench=bench).exit_code == 7
    assert run("calsel-manager", "list", bench=bench).stdout.count("in force") == 1


@pytest.mark.real
class TestRealAnswer:
    """A real answer of the archive's service, and changes of it."""

    LIMITS = ("--limits", "BIAS=7.5", "--limits", "FLAT_SKY=7.5", "--limits", "STD_IMA=1")

    @pytest.fixture
    def answer(self, real_data: Path) -> Path:
        (path,) = (real_data / "calselector-fors2").glob("*.xml")
        return path

    def compare(self, ours: Path, theirs: Path) -> tuple[int, list[dict[str, str]]]:
        result = run("verify-ab", "--answers", str(ours), "--against", str(theirs), *self.LIMITS, "--json")
        return result.exit_code, json.loads(result.stdout)["differences"]

    def test_it_has_no_difference_with_itself(self, answer: Path) -> None:
        assert self.compare(answer, answer) == (0, [])

    def changed(self, answer: Path, tmp_path: Path, change: Callable[[FileEntry], FileEntry | None]) -> Path:
        """The answer with a change of the fourth bias of the sky flat."""
        path = tmp_path / "changed.xml"
        path.write_text(print_tree(change_files(read_tree(answer), {(2, 3): change})))
        return path

    def test_a_file_that_is_removed_is_missing(self, answer: Path, tmp_path: Path) -> None:
        code, (found,) = self.compare(self.changed(answer, tmp_path, removed), answer)
        assert (code, found["kind"], found["theirs"]) == (
            DIFFERENT, "missing file", "FORS2.2020-12-26T08:55:40.764",
        )  # fmt: skip
        assert found["where"] == "SCI_IMG_2x2_low/FLAT_SKY/BIAS"

    def test_a_file_that_is_swapped_is_another_one(self, answer: Path, tmp_path: Path) -> None:
        def other(entry: FileEntry) -> FileEntry:
            return replace(entry, name=entry.name.replace("08:55:40.764", "08:55:40.765"))

        code, (found,) = self.compare(self.changed(answer, tmp_path, other), answer)
        assert (code, found["kind"]) == (DIFFERENT, "other file")
        assert (found["ours"], found["theirs"]) == (
            "FORS2.2020-12-26T08:55:40.765", "FORS2.2020-12-26T08:55:40.764",
        )  # fmt: skip

    def test_a_file_that_is_made_too_old_is_another_one_and_beyond_the_limit(
        self, answer: Path, tmp_path: Path
    ) -> None:
        code, found = self.compare(self.changed(answer, tmp_path, aged), answer)
        assert code == DIFFERENT
        assert [item["kind"] for item in found] == ["other file", "validity"]
        assert "30.000 d older" in found[0]["difference"]
        assert "the calibration plan allows 7.5 d" in found[1]["difference"]
        # alone, it is too old all the same
        path = tmp_path / "changed.xml"
        code, (only,) = self.compare(path, path)
        assert (code, only["kind"], only["ours"]) == (DIFFERENT, "validity", "FORS2.2020-11-26T08:55:40.764")

    def test_an_association_that_is_removed_is_missing(self, answer: Path, tmp_path: Path) -> None:
        tree = read_tree(answer)
        path = tmp_path / "changed.xml"
        path.write_text(print_tree(replace(tree, children=tree.children[1:])))
        code, (found,) = self.compare(path, answer)
        assert (code, found["kind"], found["theirs"]) == (DIFFERENT, "missing association", "FLAT_SKY")
