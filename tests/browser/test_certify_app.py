"""An evening of certification, in a real browser on a real server."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from qcbench.core.identity import current_user
from qcbench.look.pages import render_page, write_static
from qcbench.look.theme import components, panel
from qcbench.store import Decision
from qcbench.workbench import Workbench
from tests import builders
from tests.apps.serving import Served, served

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
# Voila brings a JupyterLab of its own, older than the widgets.
NOT_OURS = ("Unsatisfied version",)
HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass
class Witness:
    """What the browser saw: hosts that pages asked, and errors that they had."""

    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", lambda request: self._host(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(f"a dialog opened: {dialog.message}"))
        page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )

    def _host(self, url: str) -> None:
        if urlsplit(url).scheme in ("http", "https", "ws", "wss"):
            self.hosts.add(str(urlsplit(url).hostname))

    def own_errors(self) -> list[str]:
        return [text for text in self.errors if not any(known in text for known in NOT_OURS)]


@dataclass(frozen=True)
class Night:
    bench: Workbench
    red: str
    flat: str
    green: str
    other: str


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    """A red dark that a flat used, with a report, and three green ABs; all of them wait."""
    bench = builders.build_workbench(tmp_path / "bench")
    with (bench.settings.root / "qcbench.toml").open() as stream:
        settings = stream.read().replace("auto = true", "auto = false")
    (bench.settings.root / "qcbench.toml").write_text(settings)
    red = builders.add_dark(bench, 1, ron=12.9, setup=HOSTILE)
    names = Night(
        bench,
        red,
        builders.add_flat(bench, 2, red),
        builders.add_dark(bench, 3),
        builders.add_dark(bench, 4, setup="DIT60"),
    )
    add_report(bench, red)
    yield names
    bench.close()


def add_report(bench: Workbench, name: str) -> None:
    plots = bench.data(builders.INSTRUMENT).plots(builders.DATE)
    plots.mkdir(parents=True)
    script_name = write_static(bench.data(builders.INSTRUMENT).static)
    figure = panel("Readout noise", x_label="UT", y_label="")
    figure.scatter([1, 2, 3], [9.0, 9.1, 12.9])
    script, div = components(figure)
    page = render_page(
        "A report",
        headline="Readout noise is 12.9 ADU.",
        headline_kind="nok",
        body=div + script,
        crumbs=[],
        generated=builders.utc_now(),
        bokeh=True,
        bokeh_src=f"../../static/{script_name}",
    )
    path = plots / f"{name.removesuffix('.ab')}.html"
    path.write_text(page)
    with bench.store.write() as session:
        builders.find_ab(session, name).report_path = str(path)


@pytest.fixture
def server(night: Night, tmp_path: Path) -> Iterator[Served]:
    with served(night.bench.settings.root, tmp_path / "home") as one:
        yield one


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def page(server: Served, witness: Witness) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(OPTIONS))
        page = browser.new_page(viewport={"width": 1440, "height": 820})
        page.set_default_timeout(30_000)
        witness.watch(page)
        page.goto(server.certify)
        page.wait_for_selector(".list .row")
        yield page
        browser.close()


def decision_of(bench: Workbench, name: str) -> Decision:
    with bench.store.read() as session:
        return builders.find_ab(session, name).decisions[-1]


def row(name: str) -> str:
    return f'.list .row[data-ab="{name}"]'


def message(page: Page, text: str) -> None:
    expect(page.locator(".message")).to_contain_text(text, timeout=15_000)


def kernels(server: Served) -> int:
    request = urllib.request.Request(
        f"{server.base}/api/kernels", headers={"Authorization": f"token {server.token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return len(json.load(answer))


def test_an_evening_of_certification(page: Page, night: Night, server: Served, witness: Witness) -> None:
    user = current_user()
    assert "token" not in page.url
    expect(page.locator(".bar .who")).to_contain_text(user)
    expect(page.locator(".answer .headline")).to_have_text("Readout noise of CHIP1 is 12.9 ADU, above 11.2.")
    expect(page.locator(".title")).to_contain_text(HOSTILE)
    expect(page.frame_locator("iframe").locator(".bk-Figure canvas").first).to_be_visible(timeout=15_000)

    # a rejection needs a comment, and is asked for again where others used the products
    page.click("[name=reject_product]")
    message(page, "A rejection needs a comment")
    page.fill("[aria-label=Comment]", f"pick-up noise {HOSTILE}")
    page.keyboard.press("Enter")
    page.keyboard.press("r")
    expect(page.locator(".question")).to_contain_text("1 other AB used the products of this AB")
    expect(page.locator(".question")).to_contain_text(night.flat)
    assert builders.state_of(night.bench, night.red) == "scored"
    page.click("[name=confirm]")
    message(page, f"{night.red} rejected by {user}")
    decision = decision_of(night.bench, night.red)
    assert (decision.by, decision.comment) == (user, f"pick-up noise {HOSTILE}")
    expect(page.locator("[aria-label=Comment]")).to_have_value("")

    # what was decided can be looked at, and changed, until it is moved
    page.click("[name=decided]")
    page.click(row(night.red))
    page.click("[role=tab][name=history]")
    expect(page.locator(".evidence")).to_contain_text(f"pick-up noise {HOSTILE}")
    page.click("[name=review]")

    # the next one is selected already: search for another, certify it with a key
    expect(page.locator(".list .row.sel")).to_have_count(1)
    page.keyboard.press("/")
    page.keyboard.type("dit60")
    page.keyboard.press("Enter")
    expect(page.locator(".list .row")).to_have_count(1)
    expect(page.locator(".title")).to_contain_text(night.other)
    page.keyboard.press("c")
    message(page, f"{night.other} certified by {user}")
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page.locator(".list .row")).to_have_count(2)

    page.keyboard.press("m")
    page.get_by_role("button", name="Move and archive").click()
    expect(page.locator(".step.done")).to_have_count(5, timeout=20_000)
    message(page, "all that was certified is in the archive")
    assert builders.state_of(night.bench, night.other) == "ingested"

    page.reload()
    page.wait_for_selector(".list .row")
    expect(page.locator(".counts")).to_have_text("certified 1 · rejected 1 · to move 0")
    expect(page.locator(".list .row")).to_have_count(2)
    assert page.locator(row(night.red)).count() == 0
    assert builders.state_of(night.bench, night.red) == "rejected"

    with night.bench.store.read() as session:
        certified = builders.find_ab(session, night.other).products
        expected = {product.dp_id for product in certified if product.dp_id}
    assert set(night.bench.archive.list_products()) == expected
    assert len(expected) == 1

    deadline = time.monotonic() + 15
    while kernels(server) > 1 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert kernels(server) == 1, "the kernel of the page that was reloaded lives on"
    assert witness.hosts == {"127.0.0.1"}
    assert witness.own_errors() == []
