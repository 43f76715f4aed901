"""The calibration map in a real browser: what is chosen is told, and nothing leaves the machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from qcbench.instruments import find_pack
from qcbench.monitors.calib_map import map_frame, pack_map, rules_map, write_map
from qcbench.oca import load_rules, parse_rules
from tests.association.observatory import RULES

pytestmark = pytest.mark.browser

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
INSTALLED = sorted(Path("/usr/share/cpl-plugins").glob("uves-*/gasgano/config/uves.oca"))
# every text of a box lies within it, and no note runs into the name at its left
OUTSIDE = """() => {
  const wrong = [];
  for (const node of document.querySelectorAll(".node")) {
    const box = node.querySelector(":scope > rect").getBBox();
    for (const text of node.querySelectorAll("text")) {
      const { x, width } = text.getBBox();
      if (x < box.x || x + width > box.x + box.width + 0.5) wrong.push(text.textContent);
    }
    for (const row of node.querySelectorAll(".row")) {
      const [name, note] = [...row.querySelectorAll("text")].map((text) => text.getBBox());
      if (name.x + name.width > note.x) wrong.push(row.textContent);
    }
  }
  return wrong;
}"""


class Witness:
    """What a page asked for, and what went wrong in it."""

    def __init__(self, page: Page):
        self.asked: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda text: self.errors.append(text.text) if text.type == "error" else None)

    def outside(self) -> list[str]:
        return [url for url in self.asked if urlsplit(url).scheme not in ("file", "about", "data")]


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(OPTIONS))
        yield browser.new_page(viewport={"width": 1440, "height": 900})
        browser.close()


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    found = rules_map(parse_rules(RULES, "rules.oca"), {"LINE_CATALOG": "Wavelengths of arc lines"})
    return write_map(found, "toy", tmp_path / "map.html")


def box(name: str) -> str:
    return f'.node[data-name="{name}"]'


def lit(page: Page) -> set[str]:
    names = page.eval_on_selector_all(".node.lit", "nodes => nodes.map((node) => node.dataset.name)")
    return set(names)


def test_a_box_shows_its_rule_and_all_that_comes_before_and_after_it(page: Page, toy: Path) -> None:
    witness = Witness(page)
    page.goto(toy.as_uri())
    page.click(f"{box('action FLAT')} .title")
    panel = page.locator(".graph-panel")
    expect(panel).to_contain_text("make_flat")
    expect(panel).to_contain_text("group by TPL.START, DET.BIN, INS.FILT")
    chain = {"action BIAS", "file MASTER_BIAS", "action FLAT", "file MASTER_FLAT", "action STD"}
    assert lit(page) == chain | {"file ZEROPOINT", "action SCI", "file SCI_IMAGE"}
    expect(page.locator(".graph-count")).to_have_text("2 before it, 5 after it")
    page.keyboard.press("Escape")
    expect(panel).to_contain_text("Click on a box")
    assert lit(page) == set()
    assert witness.errors == []
    assert witness.outside() == []


def test_an_association_shows_its_conditions(page: Page, toy: Path) -> None:
    page.goto(toy.as_uri())
    page.click(f"{box('action STD')} .row >> nth=0")
    panel = page.locator(".graph-panel")
    expect(panel).to_contain_text("association of STD")
    expect(panel).to_contain_text("inputFile.INS.FILT == INS.FILT")
    expect(panel).to_contain_text("|-2/+2|-5/+5")
    assert page.locator(".edge.direct").count() == 1
    assert "file LINE_CATALOG" not in lit(page)


def test_a_name_can_be_searched_and_chosen(page: Page, toy: Path) -> None:
    page.goto(toy.as_uri())
    page.fill("input[type=search]", "make_")
    expect(page.locator(".graph-count")).to_have_text("5 of 13 boxes")
    page.fill("input[type=search]", "master_bias")
    expect(page.locator(".graph-panel h3")).to_have_text("MASTER_BIAS")
    page.fill("input[type=search]", "")
    assert page.locator("svg.some").count() == 0


def test_what_is_not_connected_can_be_hidden_and_comes_back(page: Page, toy: Path) -> None:
    page.goto(toy.as_uri())
    before = page.get_attribute(box("action BIAS"), "transform")
    page.check("[data-only]")
    page.click(f"{box('action ARC')} .title")
    assert not page.is_visible(box("action SCI"))
    assert page.is_visible(box("file LINE_CATALOG"))
    page.click("[data-clear]")
    assert page.is_visible(box("action SCI"))
    assert page.get_attribute(box("action BIAS"), "transform") == before


def test_the_keyboard_is_enough(page: Page, toy: Path) -> None:
    page.goto(toy.as_uri())
    page.focus(box("action BIAS"))
    page.keyboard.press("Enter")
    expect(page.locator(".graph-panel h3")).to_have_text("BIAS")


@pytest.mark.parametrize("width", [1440, 1024])
@pytest.mark.parametrize("name", ["efosc2", "hawki", "uves", "muse"])
def test_no_label_runs_out_of_its_box_at_any_width(page: Page, tmp_path: Path, name: str, width: int) -> None:
    pack = find_pack(name)
    page.set_viewport_size(ViewportSize(width=width, height=900))
    page.goto(write_map(pack_map(pack), pack.instrument.title, tmp_path / "map.html").as_uri())
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "only the map scrolls"


@pytest.mark.esorex
def test_the_installed_rules_of_uves_are_legible_too(page: Page, tmp_path: Path) -> None:
    page.goto(write_map(rules_map(load_rules(INSTALLED[0])), "uves.oca", tmp_path / "map.html").as_uri())
    assert page.locator(".row").count() == 269
    assert page.evaluate(OUTSIDE) == []
    page.click("[data-zoom=fit]")
    page.fill("input[type=search]", "UVES_OBS_SCIRED_B")
    expect(page.locator(box("action UVES_OBS_SCIRED_B"))).to_be_in_viewport()


def test_a_notebook_shows_the_same_map_in_a_frame(page: Page, tmp_path: Path) -> None:
    witness = Witness(page)
    file = tmp_path / "notebook.html"
    found = rules_map(parse_rules(RULES, "rules.oca"))
    file.write_text(f"<!doctype html><meta charset=utf-8>{map_frame(found, 'toy')}")
    page.goto(file.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator(f"{box('action FLAT')} .title").click()
    expect(frame.locator(".graph-panel")).to_contain_text("make_flat")
    assert witness.errors == []
    assert witness.outside() == []
