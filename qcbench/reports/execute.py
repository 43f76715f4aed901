"""A page made of what an executed notebook displayed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from qcbench.core.errors import ReportError
from qcbench.reports.sections import HEAD_TYPE, SECTION_TYPE, Head

CELL_TIMEOUT_S = 300


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
    template: Path, parameters: Mapping[str, str | bool], *, timeout_s: int = CELL_TIMEOUT_S
) -> ExecutedNotebook:
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
    # Not at the top: papermill takes longer to import than a report needs, and its kernel has no use for it.
    from qcbench.reports.engine import execute

    return ExecutedNotebook(execute(template, parameters, timeout_s))


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
