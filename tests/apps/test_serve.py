"""`qcbench serve`: who gets in, which files are handed out, and what is put into the folder of notebooks."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from qcbench.apps.serve import configuration, put_notebooks, serve
from qcbench.core.errors import BusyError
from qcbench.core.resources import notebook, voila_app
from qcbench.workbench import Workbench
from tests import builders
from tests.apps.serving import Served, served

SECRET = "not for the browser"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("served") / "bench"
    bench = builders.build_workbench(root)
    data = bench.data(builders.INSTRUMENT)
    plots = data.plots(builders.DATE)
    plots.mkdir(parents=True)
    (plots / "TINY.2026-11-19T21:00:00.000_tpl.html").write_text("<h1>a report</h1>")
    (plots / ".tmp-half").write_text(SECRET)
    (data.root / "reduced" / "frame.fits").write_text(SECRET)
    (data.root / "raw" / "frame.fits").write_text("SIMPLE")
    (data.logs(builders.DATE)).mkdir(parents=True)
    (data.logs(builders.DATE) / "r.log").write_text("<script>alert(1)</script>")
    bench.close()
    with served(root, tmp_path_factory.mktemp("home")) as one:
        yield one


def ask(server: Served, path: str, *, token: bool = True) -> tuple[int, dict[str, str], str]:
    """Ask for a path exactly as it is written: no client mends the dots in it."""
    connection = http.client.HTTPConnection(urlsplit(server.base).netloc, timeout=20)
    headers = {"Authorization": f"token {server.token}"} if token else {}
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    connection.close()
    return response.status, dict(response.getheaders()), text


def report_path(name: str = "TINY.2026-11-19T21:00:00.000_tpl.html") -> str:
    return f"/qcbench/files/tiny/plots/{builders.DATE}/{quote(name)}"


def test_the_addresses_are_of_this_machine_and_hold_a_token(server: Served) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/qcbench/certify\?token=[0-9a-f]{48}", server.certify)
    assert server.lab == f"{server.base}/lab?token={server.token}"


def test_a_report_is_handed_out_and_may_run_only_its_own_scripts(server: Served) -> None:
    status, headers, text = ask(server, report_path())
    assert (status, text) == (200, "<h1>a report</h1>")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "connect-src" not in policy
    assert "sandbox" not in policy


@pytest.mark.parametrize("path", [report_path(), "/qcbench/certify", "/voila/render/apps/certify.ipynb"])
def test_nobody_gets_in_without_the_token(server: Served, path: str) -> None:
    status, headers, text = ask(server, path, token=False)
    assert status == 302
    assert headers["Location"].startswith("/login?")
    assert "a report" not in text


@pytest.mark.parametrize(
    "path",
    [
        "/qcbench/files/tiny/plots/../reduced/frame.fits",
        "/qcbench/files/tiny/plots/..%2freduced%2fframe.fits",
        "/qcbench/files/tiny/plots/%2e%2e/%2e%2e/%2e%2e/qcbench.toml",
        "/qcbench/files/../qcbench.toml",
        "/qcbench/files//etc/passwd",
        "/qcbench/files/tiny/plots//etc/passwd",
        "/qcbench/files/tiny/reduced/frame.fits",
        "/qcbench/files/tiny",
        report_path(".tmp-half"),
        report_path("none.html"),
    ],
)
def test_what_is_not_a_report_is_not_handed_out(server: Served, path: str) -> None:
    status, _, text = ask(server, path)
    assert status in (403, 404)
    assert SECRET not in text
    assert "root:" not in text
    assert "[workbench]" not in text


def test_a_log_is_text_whatever_is_in_it(server: Served) -> None:
    status, headers, _ = ask(server, f"/qcbench/files/tiny/logs/{builders.DATE}/r.log")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")


def test_a_frame_is_kept_and_not_shown(server: Served) -> None:
    status, headers, text = ask(server, "/qcbench/files/tiny/raw/frame.fits")
    assert (status, text) == (200, "SIMPLE")
    assert headers["Content-Type"] in ("application/octet-stream", "application/fits", "image/fits")


def test_the_door_leads_to_the_app_without_the_token_and_with_the_cookie_that_ends_kernels(
    server: Served,
) -> None:
    status, headers, _ = ask(server, "/qcbench/certify")
    assert status == 302
    assert headers["Location"] == "/voila/render/apps/certify.ipynb"
    assert "_xsrf=" in headers["Set-Cookie"]


def test_the_port_of_another_program_is_not_taken(tmp_path: Path) -> None:
    bench = builders.build_workbench(tmp_path / "bench")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BusyError, match=rf"port {port} of 127\.0\.0\.1: .* choose another port"):
            serve(bench, port=port, open_browser=False)


def test_the_app_is_renewed_at_each_start_and_the_users_own_notebook_is_kept(tmp_path: Path) -> None:
    bench = builders.build_workbench(tmp_path / "bench")
    put_notebooks(bench)
    app, own = bench.tree.notebooks / "apps" / "certify.ipynb", bench.tree.notebooks / "trending.ipynb"
    assert own.read_bytes() == notebook("trending").read_bytes()
    app.write_text("changed")
    own.write_text("changed")
    put_notebooks(bench)
    assert app.read_bytes() == voila_app("certify").read_bytes()
    assert own.read_text() == "changed"


def test_kernels_that_lost_their_page_are_ended_and_nothing_is_fetched_from_outside(tmp_path: Path) -> None:
    bench: Workbench = builders.build_workbench(tmp_path / "bench")
    config = configuration(bench, 8888, open_browser=False)
    assert 0 < config.MappingKernelManager.cull_idle_timeout <= 600
    assert config.ServerApp.port_retries == 0
    assert config.LabApp.news_url is None
    assert config.LabApp.extension_manager == "readonly"
