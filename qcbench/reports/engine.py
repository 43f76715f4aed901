"""The papermill engine of reports: a template runs in a kernel of its own.

The kernel talks through sockets in a private folder instead of ports, so that no two kernels can meet, and is
gone, with its folder, when the run has ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillException
from papermill.execute import execute_notebook

from qcbench.core.errors import ReportError
from qcbench.core.logs import get_logger
from qcbench.reports.zygote import zygote

ENGINE = "qcbench"
START_ATTEMPTS = 3
START_TIMEOUT_S = 60
# so long a kernel may owe a message: ipykernel loses one, seldom, and nothing would ever follow
SILENCE_S = 30
# No history and no start-up files of the user: a report depends on nothing but the workbench.
_KERNEL_OPTIONS = ("--HistoryManager.enabled=False",)


class KernelLostError(ReportError):
    """The kernel of a report did not start, or lost a message."""


class _Client(PapermillNotebookClient):
    """Notes since when the kernel owes a message: not while a cell runs, which may take its time."""

    owing_since: float | None = None
    was_silent = False

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Take a message of a cell: it runs, or it has ended and only the reply is left to come."""
        busy = msg["msg_type"] != "status" or msg["content"]["execution_state"] == "busy"
        self.owing_since = None if busy else time.monotonic()
        return super().process_message(msg, cell, cell_index)

    def owes(self, **_cell: object) -> None:
        """Note that from now on the kernel owes a message: that a cell runs, or the reply to what follows."""
        self.owing_since = time.monotonic()

    @property
    def is_silent(self) -> bool:
        """The kernel has owed a message for too long."""
        return self.owing_since is not None and time.monotonic() - self.owing_since > SILENCE_S


class _OwnKernelEngine(Engine):
    """Papermill engine that runs this Python in a kernel of its own."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, folder: Path, timeout: int, **_unused: Any
    ) -> Any:
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            timeout=timeout,
            startup_timeout=START_TIMEOUT_S,
            extra_arguments=list(_KERNEL_OPTIONS),
            shutdown_kernel="immediate",
            # what a cell displayed is never left out of a report in silence
            iopub_timeout=SILENCE_S,
            raise_on_iopub_timeout=True,
        )
        client.on_cell_execute = client.on_cell_executed = client.owes
        client.km = _kernel_manager(client, folder)
        environment = {**os.environ, "IPYTHONDIR": str(folder / "ipython")}
        try:
            return client.execute(cleanup_kc=True, cwd=str(folder), env=environment)
        except (RuntimeError, ReportError) as err:
            if client.was_silent:
                raise KernelLostError(f"the kernel was silent for {SILENCE_S} s") from err
            if _was_started(nb_man.nb):
                raise
            raise KernelLostError(f"the kernel did not start: {err}") from err


def execute(template: Path, parameters: Mapping[str, str | bool], timeout_s: int) -> Mapping[str, Any]:
    """Run a template from top to bottom.

    Parameters
    ----------
    parameters : mapping
        Values of the cell that is tagged ``parameters``.
    timeout_s : int
        Longest time that one cell may take (s).

    Raises
    ------
    ReportError
        A cell failed or took too long, or the kernel did not start or died.
    """
    papermill_engines.register(ENGINE, _OwnKernelEngine)
    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            return _run(template, parameters, timeout_s)
        except KernelLostError as err:
            get_logger().warning("a kernel was lost", attempt=attempt, reason=str(err))
            last = err
    raise ReportError(f"{template.name}: {last} ({START_ATTEMPTS} attempts). Call again") from last


def _run(template: Path, parameters: Mapping[str, str | bool], timeout_s: int) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory(prefix="qcb-", ignore_cleanup_errors=True) as folder:
        try:
            content = execute_notebook(
                template,
                None,
                parameters=dict(parameters),
                engine_name=ENGINE,
                progress_bar=False,
                folder=Path(folder),
                timeout=timeout_s,
            )
        except PapermillException as err:
            raise ReportError(f"{template.name}: {_last_line(err)}. The report is tried a few times") from err
        except TimeoutError as err:
            problem = f"a cell took longer than {timeout_s} s and was stopped"
            raise ReportError(f"{template.name}: {problem}. The report is tried a few times") from err
        except RuntimeError as err:
            raise ReportError(
                f"{template.name}: the kernel died ({err}). The report is tried a few times"
            ) from err
    return dict(content)


def _kernel_manager(client: _Client, folder: Path) -> Any:
    manager = client.create_kernel_manager()
    manager.transport = "ipc"
    manager.ip = str(folder / "k")
    manager.connection_file = str(folder / "kernel.json")
    manager.provisioner = _WarmKernel(manager, client)
    return manager


class _WarmKernel:
    """What a kernel manager asks of a kernel's process (its provisioner), for a fork of the zygote.

    A kernel that lives but is silent counts as dead.
    """

    def __init__(self, manager: Any, client: _Client):
        self._manager = manager
        self._client = client
        self._pid: int | None = None

    @property
    def has_process(self) -> bool:
        return self._pid is not None

    async def pre_launch(self, **options: Any) -> dict[str, Any]:
        self._manager.write_connection_file()
        return {"cmd": ["-f", self._manager.connection_file], **options}

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        arguments = [*cmd, *options["extra_arguments"]]
        self._pid = zygote().fork(arguments, Path(options["cwd"]), options["env"])
        return self._manager.get_connection_info()

    async def post_launch(self, **_options: Any) -> None:
        """Nothing is left to do."""

    async def poll(self) -> int | None:
        try:
            os.kill(self._pid or 0, 0)
        except ProcessLookupError:
            return 0
        if self._client.is_silent:
            self._client.was_silent = True
            await self.kill()
            return -signal.SIGKILL
        return None

    async def wait(self) -> int:
        while await self.poll() is None:
            await asyncio.sleep(0.01)
        self._pid = None
        return 0

    async def send_signal(self, signum: int) -> None:
        with suppress(ProcessLookupError):
            if self._pid is not None:
                os.killpg(self._pid, signum)

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        """Nothing is left to do."""

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Nothing is left to do."""

    def get_shutdown_wait_time(self, recommended: float = 5.0) -> float:
        return recommended


def _was_started(notebook: Any) -> bool:
    return any(cell.metadata.get("papermill", {}).get("start_time") for cell in notebook.cells)


def _last_line(err: Exception) -> str:
    name, value = getattr(err, "ename", None), getattr(err, "evalue", None)
    text = f"{name}: {value}" if name else str(err)
    return text.strip().splitlines()[-1].rstrip(".") if text.strip() else type(err).__name__
