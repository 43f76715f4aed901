"""`qcbench serve`: one Jupyter server with the apps and JupyterLab, for one user of this machine."""

from __future__ import annotations

import os
import secrets
import socket
import warnings
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from jupyter_server.serverapp import ServerApp
from traitlets.config import Config

from qcbench.apps.panels import sheet_text
from qcbench.core.errors import BusyError
from qcbench.core.files import make_folder, write_bytes
from qcbench.core.resources import notebook, voila_app
from qcbench.workbench import Workbench

ADDRESS = "127.0.0.1"
OWN_NOTEBOOK = "trending.ipynb"
# for the users' own work: what they make of them is theirs
_OWN = ("trending", "calib_map")
OWN = Path(__file__).with_name("jupyter")
# A kernel whose page has gone is ended by the page itself; these are for pages that could not say so.
CULL_IDLE_S = 300
CULL_INTERVAL_S = 60


def serve(bench: Workbench, *, port: int | None = None, open_browser: bool = True) -> int:
    """Serve the apps and JupyterLab on this machine until it is interrupted; return the exit code.

    Parameters
    ----------
    port : int, optional
        By default a free one.
    open_browser : bool
        Open the certification app in the user's browser.

    Raises
    ------
    BusyError
        Another program listens on the port.
    """
    chosen = _free_port() if port is None else _checked_port(port)
    put_notebooks(bench)
    _hush_traitlets()
    os.environ.update(environment(bench, os.environ.get("JUPYTER_PATH", "")))
    server = ServerApp(config=configuration(bench, chosen, open_browser=open_browser))
    server.initialize(argv=[])
    server.io_loop.add_callback(_announce, server)
    try:
        server.start()
    finally:
        bench.close()
    return 0


def put_notebooks(bench: Workbench) -> None:
    """Put the apps into the folder that is served; the notebooks for the user's own work are put there once."""
    folder = make_folder(bench.tree.notebooks)
    write_bytes(make_folder(folder / "apps") / "certify.ipynb", voila_app("certify").read_bytes())
    for name in _OWN:
        own = folder / f"{name}.ipynb"
        if not own.exists():
            write_bytes(own, notebook(name).read_bytes())


def environment(bench: Workbench, jupyter_path: str) -> dict[str, str]:
    """Return what kernels and Voila find in their environment: the workbench, and where our page template is."""
    paths = [str(OWN), *([jupyter_path] if jupyter_path else [])]
    return {"QCBENCH_WORKBENCH": str(bench.settings.root), "JUPYTER_PATH": os.pathsep.join(paths)}


def configuration(bench: Workbench, port: int, *, open_browser: bool) -> Config:
    """Return the settings of the server: this machine only, with a token, and nothing from outside."""
    config = Config()
    lab = bench.tree.monitor / "jupyter"
    config.ServerApp.ip = ADDRESS
    config.ServerApp.port = port
    config.ServerApp.port_retries = 0
    config.ServerApp.root_dir = str(bench.tree.notebooks)
    config.ServerApp.open_browser = open_browser
    config.ServerApp.default_url = "/qcbench/certify"
    config.ServerApp.allow_root = True
    config.ServerApp.answer_yes = True
    config.ServerApp.jpserver_extensions = {
        "jupyterlab": True,
        "voila.server_extension": True,
        "qcbench.apps.files": True,
    }
    config.Application.log_level = "ERROR"
    config.IdentityProvider.token = secrets.token_hex(24)
    config.MappingKernelManager.cull_idle_timeout = CULL_IDLE_S
    config.MappingKernelManager.cull_interval = CULL_INTERVAL_S
    config.VoilaConfiguration.template = "qcbench"
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.resources = {"qcbench_css": sheet_text()}
    config.VoilaConfiguration.page_config_hook = _without_mathjax
    config.LabApp.user_settings_dir = str(lab / "settings")
    config.LabApp.workspaces_dir = str(lab / "workspaces")
    config.LabApp.app_settings_dir = str(OWN / "lab" / "settings")
    config.LabApp.extension_manager = "readonly"
    config.LabApp.news_url = None
    config.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
    return config


def _hush_traitlets() -> None:
    """Silence what Voila makes loud when it is imported: deprecations in Jupyter's own code."""
    import_module("voila")
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="traitlets")


def _without_mathjax(page_config: dict[str, Any], *, base_url: str, **_unused: object) -> dict[str, Any]:
    """Point Voila's plugin for formulas to a script of ours: by itself it fetches MathJax from elsewhere."""
    return {**page_config, "fullMathjaxUrl": f"{base_url}voila/static/no-mathjax.js"}


def _announce(server: ServerApp) -> None:
    """Print the addresses, once; the token is a secret of this run."""
    base = f"http://{ADDRESS}:{server.port}"
    token = server.identity_provider.token
    click.echo(f"Certify:    {base}/qcbench/certify?token={token}")
    click.echo(f"JupyterLab: {base}/lab/tree/{OWN_NOTEBOOK}?token={token}")
    click.echo("Stop with Ctrl-C.")


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def _checked_port(port: int) -> int:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as err:
            raise BusyError(
                f"port {port} of {ADDRESS}: {err.strerror}. Stop the program that uses it, or choose another "
                f"port, or none for a free one"
            ) from err
    return port
