"""Rule files with directives: includes and macros are carried out, and mistakes are shown where they were made."""

from pathlib import Path

import pytest

from qcbench.core.errors import RuleError
from qcbench.oca import classify, load_rules, parse_rules, validity_of

# as dfos wrote its rules: four headers, and macros for what all associations have in common
MACROS = """\
// it's the calibration plan, don't edit: '"'
#ifndef OCA_MACRO_H
#define OCA_MACRO_H
#define DELTAT_RULE(plan, extended) (MJD-OBS between inputFile.MJD-OBS - extended \\
        and inputFile.MJD-OBS + extended \\
    and MJD-OBS tryBetween inputFile.MJD-OBS - plan and inputFile.MJD-OBS + plan)  // what's preferred
#define SAME(KEY) inputFile.KEY == KEY
#define PREVIOUS MJD-OBS < inputFile.MJD-OBS
#endif
"""
CLASSIFICATION = """\
/* ####### RAW TYPES, it's all ####### */
if DPR.TYPE == BIAS_TYPE and ORIGIN != "http://eso.org/#top" then
{
  RAW.TYPE = "BIAS"; // the observers' biases
}
"""
ORGANISATION = (
    'select execute(BIAS) from inputFiles where RAW.TYPE == "BIAS" group by TPL.START as (TPL_A, tpl);\n'
)
ASSOCIATION = """\
#include "OCA_macro.h"
action BIAS
{
  select file as BADPIX from calibFiles where PRO.CATG == "BADPIX" and SAME(DET.WIN1.BINX)
    and DELTAT_RULE(7.5, 14.0);
  recipe make_bias;
}
"""
ROOT = """\
#include "OCA_macro.h"
#define BIAS_TYPE "BIAS"
#include "x_classification.h"
#include "x_organisation.h"
#include "x_association.h"
"""


@pytest.fixture
def write(tmp_path: Path):
    files = {
        "OCA_macro.h": MACROS,
        "x_classification.h": CLASSIFICATION,
        "x_organisation.h": ORGANISATION,
        "x_association.h": ASSOCIATION,
        "x.RLS": ROOT,
    }

    def write_all(**changed: str) -> Path:
        for name, text in (files | {name.replace("__", "."): text for name, text in changed.items()}).items():
            (tmp_path / name).write_text(text)
        return tmp_path / "x.RLS"

    return write_all


def mistake(path: Path, *folders: Path) -> RuleError:
    with pytest.raises(RuleError) as caught:
        load_rules(path, folders)
    return caught.value


def test_rules_in_headers_with_macros_are_read_as_one_rule_set(write):
    plain = """
    if DPR.TYPE == "BIAS" and ORIGIN != "http://eso.org/#top" then { RAW.TYPE = "BIAS"; }
    select execute(BIAS) from inputFiles where RAW.TYPE == "BIAS" group by TPL.START as (TPL_A, tpl);
    action BIAS {
      select file as BADPIX from calibFiles where PRO.CATG == "BADPIX" and inputFile.DET.WIN1.BINX == DET.WIN1.BINX
        and (MJD-OBS between inputFile.MJD-OBS - 14.0 and inputFile.MJD-OBS + 14.0
             and MJD-OBS tryBetween inputFile.MJD-OBS - 7.5 and inputFile.MJD-OBS + 7.5);
      recipe make_bias;
    }"""
    rules = load_rules(write())
    assert rules == parse_rules(plain, "plain")
    assert validity_of(rules.actions[0].associations[0].condition).legend() == "|-7.5/+7.5|-14/+14"


def test_rules_know_the_file_and_the_line_that_a_person_wrote(write, tmp_path):
    rules = load_rules(write())
    found = (*rules.classifiers, *rules.organizers, *rules.actions, *rules.actions[0].associations)
    assert [(Path(rule.file).name, rule.line) for rule in found] == [
        ("x_classification.h", 2),
        ("x_organisation.h", 1),
        ("x_association.h", 2),
        ("x_association.h", 4),
    ]
    fired = classify(rules, {"DPR.TYPE": "BIAS", "ORIGIN": "ESO"}).rules
    assert [(rule.file, rule.line) for rule in fired] == [(str(tmp_path / "x_classification.h"), 2)]
    assert rules.source == str(tmp_path / "x.RLS")


def test_conditional_parts_choose_the_flavour_of_the_rules(write):
    both = '#ifdef RAW2RAW\nif T then { A = "raw"; }\n#else\nif T then { A = "master"; }\n#endif\n'
    raw = "#define RAW2RAW\n#if defined(RAW2RAW) && 2 > 1\n" + both + "#endif\n#undef RAW2RAW\n" + both
    rules = load_rules(write(x__RLS=raw))
    assert [rule.assignments[0][1].value for rule in rules.classifiers] == ["raw", "master"]


def test_a_file_without_directives_is_not_preprocessed(tmp_path):
    text = "/*\n#### a box ####\n*/\nif A == __FILE__ then { B = __LINE__; }\n"
    (tmp_path / "x.oca").write_text(text)
    assert load_rules(tmp_path / "x.oca") == parse_rules(text, "x")


def test_the_macros_of_the_day_are_not_there(tmp_path):
    (tmp_path / "x.oca").write_text("#define X 1\nif __DATE__ == X and __TIME__ == X then {}\n")
    assert load_rules(tmp_path / "x.oca") == parse_rules("if __DATE__ == 1 and __TIME__ == 1 then {}", "x")


def test_a_mistake_in_an_included_file_is_shown_there(write, tmp_path):
    error = mistake(write(x_organisation__h="\nselect execute(BIAS) form inputFiles where T;\n"))
    assert (error.source, error.line, error.column) == (str(tmp_path / "x_organisation.h"), 2, 22)
    assert error.problem == "expected 'from', found 'form', in: select execute(BIAS) form inputFiles where T;"


def test_a_mistake_behind_a_macro_has_its_own_column(write):
    error = mistake(write(x_organisation__h="select execute(B) from inputFiles where PREVIOUS an T;\n"))
    assert (error.line, error.column) == (1, 50)
    assert "found 'an', in: select execute(B) from inputFiles where PREVIOUS an T;" in error.problem


def test_a_mistake_inside_a_macro_is_shown_where_it_is_used_and_names_the_macro(write, tmp_path):
    macros = MACROS.replace("inputFile.KEY == KEY", "inputFile.KEY = KEY")
    error = mistake(write(OCA_macro__h=macros))
    assert (Path(error.source).name, error.line, error.column) == ("x_association.h", 4, 72)
    assert f"found '=' out of the macro SAME, defined in {tmp_path / 'OCA_macro.h'}:7, in: select file" in (
        error.problem
    )


def test_a_macro_call_over_several_lines_keeps_the_lines_behind_it(write):
    association = (
        '#include "OCA_macro.h"\naction BIAS\n{\n  select file as B from calibFiles where DELTAT_RULE(\n'
        "    7.5,\n    14.0);\n  recipe a\n}\n"
    )
    error = mistake(write(x_association__h=association))
    assert (Path(error.source).name, error.line, error.column) == ("x_association.h", 8, 1)


WRONG_DIRECTIVES = [
    ('#include "none.h"', 1, "there is no file 'none.h' in"),
    ("#include <none.h>", 1, "there is no file 'none.h' in"),
    ('#include "/etc/hosts"', 1, "expected the name of a file relative to this one, found an absolute path"),
    ('#include "../outside.h"', 1, "the file lies outside of"),
    ("#include", 1, 'expected the name of a file, "FILE", after #include'),
    ("#include none.h", 1, 'expected #include "FILE"'),
    ('\n#include "x.RLS"', 2, "a file can't include itself"),
    ("#define SAME(A, B) A == B\nif T and\n  SAME(X) then {}", 3, "expected 2 arguments of macro SAME, found 1"),
    ("#define\n", 1, "expected the name of a macro after #define"),
    ("#ifdef\n#endif", 1, "expected the name of a macro after #ifdef"),
    ("#if\n#endif", 1, "expected a condition after #if"),
    ("#if !\n#endif", 1, "expected a condition after #if"),
    ("#if 1 +\n#endif", 1, "expected a condition of numbers and names after #if"),
    ("\n#if 1\nif T then {}", 2, "expected #endif before the end of the file, for this line"),
    ("#endif", 1, "expected #if before #endif"),
    ("#else", 1, "expected #if before #else"),
    ("#error the plan is missing", 1, "the plan is missing, in: #error the plan is missing"),
    ("#inclde \"OCA_macro.h\"", 1, "found '#inclde'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "problem"), WRONG_DIRECTIVES)
def test_a_wrong_directive_is_named_at_its_line(write, tmp_path, text, line, problem):
    (tmp_path.parent / "outside.h").write_text("if T then {}\n")
    error = mistake(write(x__RLS=text + "\n"))
    assert (error.source, error.line) == (str(tmp_path / "x.RLS"), line)
    assert problem in error.problem


def test_a_cycle_of_includes_is_told_file_by_file(write, tmp_path):
    error = mistake(
        write(
            x_organisation__h='#include "x_association.h"\n', x_association__h='#include "x_organisation.h"\n'
        )
    )
    assert Path(error.source).name == "x_association.h"
    assert "x_organisation.h includes" in error.problem
    assert error.problem.count("x_organisation.h") == 3  # twice in the chain, once in the line


def test_a_link_does_not_lead_out_of_the_folder(write, tmp_path):
    secret = tmp_path.parent / "secret.h"
    secret.write_text("if T then {}\n")
    (tmp_path / "link.h").symlink_to(secret)
    assert "lies outside" in mistake(write(x__RLS='#include "link.h"\n')).problem


def test_further_folders_can_be_allowed(tmp_path):
    (tmp_path / "common").mkdir()
    (tmp_path / "hawki").mkdir()
    (tmp_path / "common" / "OCA_macro.h").write_text('#define BIAS "BIAS"\n')
    path = tmp_path / "hawki" / "x.oca"
    path.write_text('#include <OCA_macro.h>\nif A == BIAS then { B = "c"; }\n')
    assert "there is no file 'OCA_macro.h'" in mistake(path).problem
    assert classify(load_rules(path, [tmp_path / "common"]), {"A": "BIAS"}).assigned == {"B": "c"}
    path.write_text('#include "../common/OCA_macro.h"\nif A == BIAS then { B = "c"; }\n')
    assert classify(load_rules(path, [tmp_path / "common"]), {"A": "BIAS"}).assigned == {"B": "c"}


def test_an_included_file_in_another_encoding_is_named(write, tmp_path):
    path = write()
    (tmp_path / "x_organisation.h").write_bytes("// dunkle Fl\xe4chen".encode("latin-1"))
    error = mistake(path)
    assert (error.source, error.line) == (str(tmp_path / "x_organisation.h"), 1)
    assert "UTF-8" in error.problem


def test_a_form_feed_or_a_windows_line_end_moves_no_line(write):
    error = mistake(write(x__RLS="#define A 1\r\n\f// page 2 \r\nif A = 1 then {}\r\n"))
    assert (error.line, error.column) == (3, 6)


def test_macros_of_macros_do_not_fill_the_memory(write):
    lines = ["#define M0 A", *(f"#define M{number + 1} M{number} M{number}" for number in range(60))]
    error = mistake(write(x__RLS="\n".join([*lines, "if M60 then {}", ""])))
    assert "gives more than 20000 words" in error.problem
    assert error.line in range(13, 20)


def test_headers_that_include_each_other_again_and_again_come_to_an_end(write):
    headers = {f"i{number}__h": f'#include "i{number + 1}.h"\n' * 2 for number in range(22)}
    error = mistake(write(x__RLS='#include "i0.h"\n', i22__h="", **headers))
    assert "more than 200 files are included; include each only once" in error.problem
    assert Path(error.source).name.startswith("i")


def test_where_a_file_was_looked_for_is_said(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "more").mkdir()
    (tmp_path / "sub" / "x.oca").write_text('#include "none.h"\n')
    monkeypatch.chdir(tmp_path / "sub")
    with pytest.raises(
        RuleError, match=r"no file 'none.h' in the folder of the rule file, .*more, in: #include"
    ):
        load_rules(Path("x.oca"), [tmp_path / "more"])


def test_a_string_that_goes_on_in_the_next_line_moves_no_line(write):
    error = mistake(write(x__RLS='#define A 1\nif B == "a\\\nb" then {}\nif C = 1 then {}\n'))
    assert (error.line, error.column) == (4, 6)


def test_a_pragma_that_says_nothing_is_nothing(write):
    assert load_rules(write(x__RLS="#pragma\n#pragma once\n")) == parse_rules("", "x")
