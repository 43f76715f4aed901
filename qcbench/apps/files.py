"""Server extension: hands out reports and what they need, to whoever is signed in, and the door to the app.

Jupyter's own file handler confines a page so far that its scripts can't be fetched; this one allows what a report
needs, and nothing that could send something away.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from pathlib import Path
from urllib.parse import quote

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import AuthenticatedFileHandler, JupyterHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado import web

CERTIFY = "apps/certify.ipynb"
OWN = ("plots", "static", "listings")
SERVED = ("raw", "calib", "product", "headers", "logs", *OWN)
_TEXTS = (".hdr", ".ab", ".alog", ".log")
_MONITOR = re.compile(r"status_\d{4}-\d{2}-\d{2}\.html")
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: blob:; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


class ReportHandler(AuthenticatedFileHandler):
    """Files of the data folders: reports, and the logs and frames that they lead to."""

    @property
    def content_security_policy(self) -> str:
        """What a report may do: run its own script and show its own images."""
        return _POLICY

    async def get(self, path: str, include_body: bool = True) -> None:
        """Give a file, unless it is in a folder that is not handed out."""
        self._check(path)
        await _done(super().get(path, include_body=include_body))

    async def head(self, path: str) -> None:
        """Give the header of what `get` gives."""
        self._check(path)
        await _done(super().head(path))

    def get_content_type(self) -> str:
        """Only pages that qcbench makes are pages; what archives and recipes have named is text or is kept."""
        if self._is_own():
            own: str = super().get_content_type()
            return own
        return "text/plain; charset=UTF-8" if self._is_text() else "application/octet-stream"

    def set_headers(self) -> None:
        """Let no browser guess the type, and have what is not ours saved instead of shown."""
        super().set_headers()
        self.set_header("X-Content-Type-Options", "nosniff")
        if not self._is_own():
            way = "inline" if self._is_text() else "attachment"
            name = quote(self.path_args[0].rsplit("/", 1)[-1])
            self.set_header("Content-Disposition", f"{way}; filename*=UTF-8''{name}")

    def _is_own(self) -> bool:
        parts = self.path_args[0].split("/")
        is_monitor = parts[1] == "logs" and _MONITOR.fullmatch(parts[-1]) is not None
        return parts[1] in OWN or is_monitor

    def _is_text(self) -> bool:
        return self.path_args[0].endswith(_TEXTS)

    def _check(self, path: str) -> None:
        parts = path.split("/")
        # A hidden file is a temporary one.
        if len(parts) < 3 or parts[1] not in SERVED or any(part[:1] in (".", "") for part in parts):
            raise web.HTTPError(404)


async def _done(answer: Awaitable[None] | None) -> None:
    """Wait for an answer; there is none to wait for where somebody was sent to sign in."""
    if answer is not None:
        await answer


class DoorHandler(JupyterHandler):
    """Signs in with the token of the address, then leads to the app without it.

    A page of Voila sets no XSRF cookie, but needs one to end its kernel when it is closed.
    """

    auth_resource = "contents"

    @web.authenticated
    @authorized
    def get(self) -> None:
        """Lead to the certification app."""
        self.xsrf_token  # noqa: B018 (reading it sets the cookie)
        self.redirect(url_path_join(self.base_url, "voila", "render", CERTIFY))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "qcbench.apps.files"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    data = Path(server.root_dir).parent / "data"
    base = server.web_app.settings["base_url"]
    handlers = [
        (url_path_join(base, "/qcbench/certify"), DoorHandler),
        (url_path_join(base, r"/qcbench/files/(.*)"), ReportHandler, {"path": str(data)}),
    ]
    # tornado gives this method no types
    server.web_app.add_handlers(".*$", handlers)  # type: ignore[no-untyped-call]
