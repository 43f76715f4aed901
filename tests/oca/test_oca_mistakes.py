"""All mistakes of a rule file at once: after each, reading goes on with the next statement."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcbench.oca import examine_rules, parse_rules, print_rules
from tests.cli.conftest import run_qcbench

GOOD = """if DPR.TYPE == "FLAT" then { RAW.TYPE = "FLAT"; DO.CATG = "FLAT"; }
minRet = 2;
select execute(FLAT) from inputFiles where RAW.TYPE == "FLAT" group by TPL.START as (TPL_A,tpl);
action FLAT
{
  recipe make_flat;
}
"""


def examine(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    """Return line and text of each mistake."""
    path = tmp_path / "rules.oca"
    path.write_text(text)
    rules, found = examine_rules(path)
    assert (rules is None) == bool(found)
    assert {item.source for item in found} <= {str(path)}
    return [(item.line, item.text) for item in found]


def test_a_file_without_mistakes_gives_its_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.oca"
    path.write_text(GOOD)
    rules, found = examine_rules(path)
    assert found == ()
    assert rules is not None
    assert print_rules(rules) == print_rules(parse_rules(GOOD, "x"))


def test_each_statement_tells_its_mistake_and_no_other_one_follows_from_it(tmp_path: Path) -> None:
    text = (
        'if DPR.TYPE = "BIAS" then { RAW.TYPE = "BIAS"; }\n'  # 1
        'if DPR.TYPE == "DARK" then { RAW.TYPE = "DARK" }\n'  # 2
        + GOOD  # 3 to 9
        + "minRet = 1;\nselect execute(DARK) from somewhere where T;\n"  # 11
        "action DARK { recipe a; recipe b; }\n"  # 12
        'action LAST { select file as X from calibFiles where A regexp "("; }\n'  # 13
    )
    found = examine(tmp_path, text)
    assert [line for line, _ in found] == [1, 2, 11, 12, 13]
    assert "found '='" in found[0][1]
    assert "expected no second recipe in action DARK" in found[3][1]


def test_a_brace_that_is_missing_is_one_mistake(tmp_path: Path) -> None:
    text = "action BIAS {\n  recipe make_bias;\n" + GOOD + 'if X == "open then { A = "b"; }\n'
    assert [line for line, _ in examine(tmp_path, text)] == [3, 10]


def test_what_looks_like_a_rule_in_a_comment_or_a_string_is_none(tmp_path: Path) -> None:
    text = '/*\nif A = "x"\naction B {\n*/\n// if C = "y"\nif A == "\tif x" thn { B = "c"; }\n' + GOOD
    assert [line for line, _ in examine(tmp_path, text)] == [6]


@pytest.mark.parametrize("text", ["", "\n\n", "nonsense", '{"', "if", "action", "/* open", 'if A == "'])
def test_every_text_comes_to_an_end(tmp_path: Path, text: str) -> None:
    assert len(examine(tmp_path, text)) == (1 if text.strip() else 0)


@pytest.mark.parametrize("number", [50, 51, 400])
def test_a_file_of_more_than_fifty_mistakes_says_that_there_are_more(tmp_path: Path, number: int) -> None:
    path = tmp_path / "rules.oca"
    path.write_text("".join(f'if A = {line} then {{ B = "c"; }}\n' for line in range(number)))
    _, found = examine_rules(path)
    assert [item.level for item in found[:50]] == ["error"] * 50
    assert [(item.level, item.line) for item in found[50:]] == ([("note", 51)] if number > 50 else [])
    assert all("there are at least 51 mistakes" in item.text for item in found[50:])
    answer = run_qcbench("oca", "check", str(path))
    assert "50 errors" in answer.stdout
    assert ("at least" in answer.stdout) == (number > 50)


def test_a_mistake_in_an_included_file_is_told_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "part.h").write_text('\nif A = "x" then { B = "c"; }\n')
    path = tmp_path / "rules.oca"
    path.write_text(f'#include "part.h"\n{GOOD}if A == then {{ B = "c"; }}\n')
    rules, found = examine_rules(path)
    assert rules is None
    assert [(Path(item.source).name, item.line) for item in found] == [("part.h", 2), ("rules.oca", 9)]


def test_both_checks_list_all_mistakes_with_line_and_column(tmp_path: Path) -> None:
    assert run_qcbench("instrument", "new", "mycam", "-o", str(tmp_path)).exit_code == 0
    path = tmp_path / "mycam" / "rules.oca"
    path.write_text(path.read_text() + 'if A = "x" then { B = "c"; }\naction Z { recipe a }\n')
    last = len(path.read_text().splitlines())
    for answer in (
        run_qcbench("oca", "check", str(path)),
        run_qcbench("instrument", "check", str(path.parent)),
    ):
        assert answer.exit_code == 4
        assert f"rules.oca:{last - 1}:6: expected a comparison operator" in answer.stdout
        assert f"rules.oca:{last}:21: expected ';' or '{{', found '}}'" in answer.stdout
