"""Running a template with papermill in a kernel of its own, and a page made of what it displayed.

The kernel talks through sockets in a private folder instead of ports, so that no two kernels can meet, and is
gone, with its folder, when the run has ended.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillException
from papermill.execute import execute_notebook

from qcbench.core.errors import ReportError
from qcbench.core.logs import get_logger
from qcbench.reports.sections import HEAD_TYPE, SECTION_TYPE, Head

ENGINE = "qcbench"
START_ATTEMPTS = 3
START_TIMEOUT_S = 60
CELL_TIMEOUT_S = 300.0
# No history and no start-up files of the user: a report depends on nothing but the workbench.
_KERNEL_OPTIONS = ("--HistoryManager.enabled=False",)


class KernelStartError(ReportError):
    """The kernel of a report did not start."""


class _OwnKernelEngine(Engine):
    """Papermill engine that runs this Python in a kernel of its own."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, folder: Path, timeout: float, **_unused: Any
    ) -> Any:
        client = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            timeout=timeout,
            startup_timeout=START_TIMEOUT_S,
            extra_arguments=list(_KERNEL_OPTIONS),
            shutdown_kernel="immediate",
        )
        client.km = _kernel_manager(client, folder)
        environment = {**os.environ, "IPYTHONDIR": str(folder / "ipython")}
        try:
            return client.execute(cleanup_kc=True, cwd=str(folder), env=environment)
        except RuntimeError as err:
            if _was_started(nb_man.nb):
                raise
            raise KernelStartError(f"the kernel did not start: {err}") from err


@dataclass(frozen=True)
class ExecutedNotebook:
    """A notebook with its outputs."""

    content: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The notebook as a file holds it."""
        return json.dumps(self.content, ensure_ascii=False, indent=1) + "\n"

    def head(self) -> Head:
        """Return what the notebook displayed as the head of its page.

        Raises
        ------
        ReportError
            It displayed none.
        """
        for data in self._displayed():
            if HEAD_TYPE in data:
                return Head(**data[HEAD_TYPE])
        raise ReportError("the notebook displayed no head: its first cell must end with report.head()")

    def body(self) -> Markup:
        """Return all that was displayed, in order; narrow sections that follow each other share a row."""
        parts: list[str] = []
        row: list[str] = []
        for data in self._displayed():
            text = _shown(data)
            if data.get(SECTION_TYPE, {}).get("narrow"):
                row.append(text)
                continue
            parts += [*_row(row), text]
            row = []
        return Markup("\n".join([*parts, *_row(row)]))

    def _displayed(self) -> Iterator[Mapping[str, Any]]:
        for cell in self.content["cells"]:
            for output in cell.get("outputs", ()):
                if output["output_type"] in ("display_data", "execute_result"):
                    yield output["data"]


def run_notebook(
    template: Path, parameters: Mapping[str, str | bool], *, timeout_s: float = CELL_TIMEOUT_S
) -> ExecutedNotebook:
    """Run a template from top to bottom.

    Parameters
    ----------
    parameters : mapping
        Values of the cell that is tagged ``parameters``.
    timeout_s : float
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
        except KernelStartError as err:
            get_logger().warning("a kernel did not start", attempt=attempt, reason=str(err))
            last = err
    raise ReportError(f"{template.name}: {last} ({START_ATTEMPTS} attempts). Call again") from last


def _run(template: Path, parameters: Mapping[str, str | bool], timeout_s: float) -> ExecutedNotebook:
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
            raise ReportError(f"{template.name}: {_last_line(err)}. The report is tried again") from err
        except TimeoutError as err:
            problem = f"a cell took longer than {timeout_s:g} s and was stopped"
            raise ReportError(f"{template.name}: {problem}. The report is tried again") from err
        except RuntimeError as err:
            raise ReportError(f"{template.name}: the kernel died ({err}). The report is tried again") from err
    return ExecutedNotebook(content)


def _kernel_manager(client: PapermillNotebookClient, folder: Path) -> Any:
    manager = client.create_kernel_manager()
    # Without folders to look in, the native kernel is this Python, whatever kernels the user has.
    manager.kernel_spec_manager.kernel_dirs = []
    manager.transport = "ipc"
    manager.ip = str(folder / "k")
    manager.connection_file = str(folder / "kernel.json")
    return manager


def _was_started(notebook: Any) -> bool:
    return any(cell.metadata.get("papermill", {}).get("start_time") for cell in notebook.cells)


def _last_line(err: Exception) -> str:
    name, value = getattr(err, "ename", None), getattr(err, "evalue", None)
    text = f"{name}: {value}" if name else str(err)
    return text.strip().splitlines()[-1].rstrip(".") if text.strip() else type(err).__name__


def _shown(data: Mapping[str, Any]) -> str:
    if "text/html" in data:
        return str(data["text/html"])
    if "image/svg+xml" in data:
        return str(data["image/svg+xml"])
    if "image/png" in data:
        source = str(data["image/png"]).replace("\n", "")
        return f'<img alt="" style="max-width:100%" src="data:image/png;base64,{source}">'
    return ""


def _row(sections: list[str]) -> list[str]:
    if len(sections) < 2:
        return sections
    return ['<div class="columns">', *sections, "</div>"]
