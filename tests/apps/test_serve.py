"""`qcbench serve`: who gets in, which files are handed out, and what is put into the folder of notebooks."""

from __future__ import annotations

import http.client
import json
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
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What holds the workbench, and the home of the user who serves it."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Served]:
    root = place / "bench"
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
    (data.logs(builders.DATE) / f"status_{builders.DATE}.html").write_text("<h1>monitor</h1>")
    for name in ("raw", "calib", "product", "headers", "logs"):
        (data.root / name / "evil.html").write_text(EVIL)
    for ending in ("hdr", "ab", "alog", "log"):
        (data.root / "logs" / f"evil.{ending}").write_text(EVIL)
    bench.close()
    with served(root, place / "home") as one:
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


def keep(server: Served, path: str, content: dict[str, object]) -> None:
    """Put a JSON document to a path of the server, as JupyterLab does."""
    connection = http.client.HTTPConnection(urlsplit(server.base).netloc, timeout=20)
    connection.request("PUT", path, json.dumps(content), {"Authorization": f"token {server.token}"})
    assert connection.getresponse().status == 204
    connection.close()


def report_path(name: str = "TINY.2026-11-19T21:00:00.000_tpl.html") -> str:
    return f"/qcbench/files/tiny/plots/{builders.DATE}/{quote(name)}"


def test_the_addresses_are_of_this_machine_and_hold_a_token(server: Served) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/qcbench/certify\?token=[0-9a-f]{48}", server.certify)
    assert server.lab == f"{server.base}/lab/tree/trending.ipynb?token={server.token}"


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
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment")


def test_the_door_leads_to_the_app_without_the_token_and_with_the_cookie_that_ends_kernels(
    server: Served,
) -> None:
    status, headers, _ = ask(server, "/qcbench/certify")
    assert status == 302
    assert headers["Location"] == "/voila/render/apps/certify.ipynb"
    assert "_xsrf=" in headers["Set-Cookie"]


def test_the_server_says_its_addresses_and_nothing_of_deprecations(server: Served, place: Path) -> None:
    assert ask(server, "/lab/tree/trending.ipynb")[0] == 200
    assert "DeprecationWarning" not in (place / "home" / "server.log").read_text()


def test_settings_and_workspaces_of_jupyterlab_are_kept_in_the_workbench(server: Served, place: Path) -> None:
    keep(
        server,
        "/lab/api/settings/@jupyterlab/apputils-extension:themes",
        {"raw": '{"theme": "JupyterLab Dark"}'},
    )
    keep(server, "/lab/api/workspaces/mine", {"data": {}, "metadata": {"id": "mine"}})
    kept = place / "bench" / "monitor" / "jupyter"
    assert list(kept.glob("settings/**/themes.jupyterlab-settings"))
    assert list(kept.glob("workspaces/*.jupyterlab-workspace"))
    assert not (place / "home" / ".jupyter" / "lab").exists()


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
    for name in ("trending", "calib_map"):
        assert (bench.tree.notebooks / f"{name}.ipynb").read_bytes() == notebook(name).read_bytes()
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


@pytest.mark.parametrize("folder", ["raw", "calib", "product", "headers", "logs"])
def test_a_file_that_others_have_named_is_never_a_page(server: Served, folder: str) -> None:
    status, headers, text = ask(server, f"/qcbench/files/tiny/{folder}/evil.html")
    assert (status, text) == (200, EVIL)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''evil.html"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["evil.hdr", "evil.ab", "evil.alog", "evil.log"])
def test_headers_abs_and_logs_are_shown_as_text(server: Served, name: str) -> None:
    _, headers, text = ask(server, f"/qcbench/files/tiny/logs/{name}")
    assert text == EVIL
    assert headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert headers["Content-Disposition"].startswith("inline")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_ab_monitor_of_a_date_is_a_page(server: Served) -> None:
    name = f"status_{builders.DATE}.html"
    status, headers, _ = ask(server, f"/qcbench/files/tiny/logs/{builders.DATE}/{name}")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert "Content-Disposition" not in headers
