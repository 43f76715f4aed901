"""A page answers first, is one file, asks nothing of the network, and believes no text."""

import re
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest
from jinja2 import DictLoader, UndefinedError
from markupsafe import Markup

from qcbench.core.errors import ReportError
from qcbench.look.links import safe_url
from qcbench.look.marks import score_mark, state_box, state_tag
from qcbench.look.pages import Column, Link, environment, render_page, table, write_static

HOSTILE = '<script>alert(1)</script>" onmouseover="alert(2)'
WHEN = datetime(2026, 11, 20, 8, 2, tzinfo=UTC)


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    @property
    def is_harmless(self):
        names = {name for _, attrs in self.found for name in attrs}
        return "script" not in {tag for tag, _ in self.found} and not any(n.startswith("on") for n in names)


def page(**changes):
    given = {
        "title": "QC report",
        "headline": "All is well.",
        "headline_kind": "ok",
        "body": Markup("<p>body</p>"),
        "crumbs": [("HAWKI", "../index.html")],
        "generated": WHEN,
    } | changes
    return render_page(given.pop("title"), **given)


def test_the_answer_comes_first_with_its_sign():
    text = page(headline="Readout noise of chip 3 is 12.9 adu, above 11.2.", headline_kind="nok")
    main = text.split("<main>")[1]
    assert main.lstrip().startswith('<h1 class="headline nok">')
    assert "✕" in main.split("</h1>")[0]
    assert main.index("Readout noise") < main.index("<p>body</p>")


def test_every_text_of_a_page_is_escaped():
    text = page(
        title=HOSTILE,
        headline=HOSTILE,
        crumbs=[(HOSTILE, HOSTILE), (HOSTILE, "javascript:alert(1)"), (HOSTILE, None)],
        body=HOSTILE,
    )
    assert Elements(text).is_harmless
    assert text.count("&lt;script&gt;alert(1)") == 7
    assert 'href="javascript' not in text


def test_every_text_of_a_table_is_escaped():
    columns = [Column(HOSTILE, unit=HOSTILE), Column("b", numeric=True), Column("c")]
    cells = [[HOSTILE, Link(HOSTILE, HOSTILE), Link("x", "javascript:alert(1)")]]
    made = table(columns, cells, caption=HOSTILE)
    assert Elements(made).is_harmless
    assert made.count("&lt;script&gt;") == 5
    assert Elements(table(columns, [], empty=HOSTILE)).is_harmless


def test_every_text_of_a_mark_is_escaped():
    assert Elements(state_tag(HOSTILE, "nok")).is_harmless
    assert Elements(state_box("error", HOSTILE, since=HOSTILE, todo=HOSTILE)).is_harmless


@pytest.mark.parametrize(
    "url", ["//evil.org/x", "java\nscript:alert(1)", "\\\\evil.org", " http://a.org", "", None]
)
def test_an_address_that_hides_where_it_leads_is_dropped(url):
    assert safe_url(url) == ""


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "HAWKI.2026-11-19T21:14:07.331_tpl.html"]
)
def test_a_colon_in_a_name_is_no_scheme(url):
    assert safe_url(url) == f"./{url}"


@pytest.mark.parametrize("url", ["../ab/x.html?a=b:c", "https://archive.eso.org/x", "a/b:c.html", "#top"])
def test_addresses_of_pages_pass(url):
    assert safe_url(url) == url


def test_a_page_is_one_file_and_only_bokeh_is_a_relative_link():
    assert "<script" not in page()
    text = page(bokeh=True, bokeh_src="../static/bokeh-3.9.2.min.js")
    sources = [attrs["src"] for _, attrs in Elements(text).found if "src" in attrs]
    assert sources == ["../static/bokeh-3.9.2.min.js"]
    assert not re.search(r"https?://|@import|<link", text)


@pytest.mark.parametrize("source", [None, "", "https://cdn.bokeh.org/bokeh.js", "//cdn.bokeh.org/bokeh.js"])
def test_bokeh_never_comes_from_elsewhere(source):
    with pytest.raises(ReportError, match="relative address"):
        page(bokeh=True, bokeh_src=source)


def test_the_time_of_a_page_is_ut():
    cest = datetime(2026, 11, 20, 10, 2, tzinfo=timezone(timedelta(hours=2)))
    for moment in (WHEN, cest, WHEN.replace(tzinfo=None)):
        assert "2026-11-20 08:02 UT" in page(generated=moment)


def test_an_unknown_kind_of_headline_is_refused():
    with pytest.raises(ReportError, match="no headline of kind 'fine'"):
        page(headline_kind="fine")


def test_a_table_sorts_numbers_as_numbers_and_leaves_empty_cells_last():
    columns = [Column("Chip"), Column("Noise", "adu", numeric=True, digits=3)]
    rows = [["1", 9.5], ["2", None], ["3", 12.9], ["4", Link(10.1, "x.html")]]
    made = table(columns, rows, sorted_by="Noise", descending=True)
    assert re.findall(r"<tr><td>(\d)</td>", made) == ["3", "4", "1", "2"]
    assert 'aria-sort="descending"' in made
    assert '<td class="num">12.9</td>' in made
    assert '<td class="num"><a href="x.html">10.1</a></td>' in made
    assert '<span class="unit">[adu]</span>' in made


def test_marks_keep_their_form_in_a_table():
    assert score_mark(2, 56) in table([Column("Score")], [[score_mark(2, 56)]])


def test_an_empty_table_says_so():
    assert "No AB waits." in table([Column("AB")], [], empty="No AB waits.")


def test_a_table_that_does_not_fit_its_header_is_refused():
    with pytest.raises(ReportError, match="a row has 1 cells, expected 2"):
        table([Column("a"), Column("b")], [["x"]])
    with pytest.raises(ReportError, match="can't sort by 'c'"):
        table([Column("a")], [["x"]], sorted_by="c")


def test_the_script_is_copied_once_under_its_version(tmp_path):
    name = write_static(tmp_path / "static")
    assert re.fullmatch(r"bokeh-\d+\.\d+\.\d+.*\.min\.js", name)
    target = tmp_path / "static" / name
    assert target.stat().st_size > 500_000
    before = target.stat().st_mtime_ns
    assert write_static(tmp_path / "static") == name
    assert target.stat().st_mtime_ns == before
    assert [path.name for path in target.parent.iterdir()] == [name]


def test_templates_of_other_rooms_escape_too_and_miss_no_name():
    other = environment(DictLoader({"x.txt": "{{ a }}"}))
    assert other.get_template("x.txt").render(a="<b>") == "&lt;b&gt;"
    with pytest.raises(UndefinedError):
        other.get_template("x.txt").render()
