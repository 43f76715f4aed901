"""The answer of calSelector is read with care, written in the same form, and gathered for a download."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from qcbench.association.calselector import (
    AssociationTree,
    FileEntry,
    TreeError,
    download_rows,
    download_text,
    gather,
    parse_tree,
    print_tree,
    read_tree,
)
from tests.association.trees import hostile_trees, name_at, tree_of

BIAS = tree_of("BIAS", 12, 12.5, match="calib_plan")
TREE = tree_of(
    "SCI", 0, mode="Raw2Raw", messages=("no sky flat", "a < b & c"),
    children=(tree_of("FLAT", 1, match="calib_plan", children=(BIAS,)), BIAS),
)  # fmt: skip
ROOT = '<association category="A" certified="true" complete="true" mode="Raw2Raw" type="main">'


@given(hostile_trees)
def test_what_is_printed_is_read_back(tree: AssociationTree) -> None:
    text = print_tree(tree)
    assert parse_tree(text, "a.xml") == tree
    assert parse_tree(text.encode(), "a.xml") == tree


def test_the_form_is_that_of_the_service() -> None:
    assert print_tree(
        tree_of("A", 0, mode="Raw2Raw", messages=("m",), children=(tree_of("FLAT_SKY", match="N/A"),))
    ) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<association category="A" certified="true" complete="true"\n'
        '    mode="Raw2Raw" type="main">\n'
        "    <mainFiles>\n"
        '        <file category="A" name="TINY.2026-11-19T00:00:00.000"/>\n'
        "    </mainFiles>\n"
        "    <messages>\n"
        "        <message>m</message>\n"
        "    </messages>\n"
        "    <associatedFiles>\n"
        '        <association category="FLAT_SKY" certified="true"\n'
        '            complete="true" match="N/A" type="main">\n'
        "            <mainFiles/>\n"
        "            <messages/>\n"
        "            <associatedFiles/>\n"
        "        </association>\n"
        "    </associatedFiles>\n"
        "</association>\n"
    )


def test_what_xml_can_not_hold_is_replaced() -> None:
    tree = AssociationTree("A\x00\ud800", messages=("\x1b[1m",))
    assert parse_tree(print_tree(tree), "a.xml") == AssociationTree("A\ufffd\ufffd", messages=("\ufffd[1m",))


def test_the_associations_come_in_the_order_of_the_text() -> None:
    assert [tree.category for _, tree in TREE.walk()] == ["SCI", "FLAT", "BIAS", "BIAS"]
    assert [len(above) for above, _ in TREE.walk()] == [0, 1, 2, 1]
    assert TREE.n_associations == 4
    assert [entry.name for entry in TREE.entries()] == [name_at(hour) for hour in (0, 1, 12, 12.5, 12, 12.5)]
    assert [entry.name for entry in TREE.distinct_files] == [name_at(hour) for hour in (0, 1, 12, 12.5)]


def test_a_download_has_each_file_once_and_says_who_needs_it() -> None:
    files = gather(TREE)
    assert download_text(files) == "".join(f"{name_at(hour)}\n" for hour in (0, 1, 12, 12.5))
    rows = json.loads(json.dumps(download_rows(files)))
    assert rows[2] == {
        "dp_id": name_at(12), "category": "BIAS", "used_by": [["SCI", "FLAT", "BIAS"], ["SCI", "BIAS"]],
    }  # fmt: skip


def test_a_copy_on_disk_and_the_file_in_the_archive_are_one_download() -> None:
    tree = AssociationTree(
        "A", main_files=(FileEntry("A", "X.1.fits.Z"), FileEntry("A", "X.1"), FileEntry("A", "X.1.fits"))
    )
    assert [file.dp_id for file in gather(tree)] == ["X.1"]


def test_an_answer_in_another_encoding_is_read_as_it_declares() -> None:
    text = print_tree(tree_of("BIAS_ü")).replace("UTF-8", "ISO-8859-1")
    assert parse_tree(text.encode("iso-8859-1"), "a.xml").category == "BIAS_ü"


NO_ROOT = ROOT.replace(' mode="Raw2Raw"', "")
END = "</association>"


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("", "1:1", "expected XML, found no element found"),
        ("not XML", "1:1", "expected XML, found syntax error"),
        (ROOT, "1:87", "expected XML, found no element found"),
        ("\n <html/>", "2:2", "expected <association>, found <html>"),
        ('<association category="A" complete="true" type="main"/>', "1:1", "needs the attribute certified"),
        (ROOT.replace('"A"', '""') + "</association>", "1:1", "needs the attribute category, and with a value"),
        (ROOT.replace("true", "yes", 1) + "</association>", "1:1", "certified: expected true or false, found 'yes'"),
        (ROOT.replace("mode", "colour") + END, "1:1", "category, certified, complete, type, mode, match; found col"),
        (ROOT.replace("mode", "match") + "</association>", "1:1", "expected no attribute match in the outermost"),
        (f"{ROOT}\n<associatedFiles>\n{ROOT}", "3:1", "expected the attribute mode in the outermost"),
        (f"{ROOT}<mainFiles><file name='x'/></mainFiles>{END}", "1:98", "<file> needs the attribute category"),
        (f"{ROOT}<mainFiles><file name='../x' category='A'/>", "1:98", "name of a file in the archive, found '../x'"),
        (f"{ROOT}<mainFiles/><mainFiles/></association>", "1:99", "expected one <mainFiles>"),
        (f"{ROOT}<file/>{END}", "1:87", "expected <mainFiles> or <messages> or <associatedFiles> in <associ"),
        (f"{ROOT}words</association>", "1:87", "expected no text in <association>, found 'words'"),
        (f"{ROOT}<messages><message><b/></message></messages>{END}", "1:106", "expected no element in <message>"),
        (f"{ROOT}<messages level='1'/></association>", "1:87", "<messages> has the attributes none; found level"),
        (f"{NO_ROOT}<associatedFiles>" * 70, None, "expected at most 64 associations inside each other, found more"),
        (f"{ROOT}</association>{ROOT}", "1:101", "junk after document element"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "1:1", "in an encoding such as UTF-8: unknown encoding"),
        (b"<a>\xff</a>", None, "expected"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused_with_its_place(
    text: str | bytes, place: str | None, expected: str
) -> None:
    with pytest.raises(TreeError) as caught:
        parse_tree(text, "a.xml")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("a.xml:" if place is None else f"a.xml:{place}: ")


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://192.0.2.1/x.dtd">',
    ],
)
def test_entities_are_refused_before_they_do_anything(declaration: str) -> None:
    with pytest.raises(
        TreeError, match=r"^a\.xml:1:\d+: expected no document type and no entities, found one"
    ):
        parse_tree(f"{declaration}{ROOT}</association>".replace('"A"', '"&b;"'), "a.xml")


def test_a_million_associations_inside_each_other_are_refused_at_once() -> None:
    deep = f"{NO_ROOT}<associatedFiles>" * 1_000_000
    with pytest.raises(TreeError, match="expected at most 64 associations"):
        parse_tree(deep, "a.xml")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    with pytest.raises(TreeError, match="can't be read: No such file"):
        read_tree(path)
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(TreeError, match="expected at most 67108864 bytes, found 100000000"):
        read_tree(path)
    path.write_text(print_tree(TREE), encoding="utf-8")
    assert read_tree(path) == TREE
