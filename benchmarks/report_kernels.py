"""Time of an AB report from the warm kernel, as a ratio to papermill's own engine on the same notebook."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from papermill.execute import execute_notebook

from qcbench.core.resources import notebook
from qcbench.reports import report_ab
from qcbench.store import AssociationBlock
from qcbench.workbench import Workbench
from qcbench.workflow import auto_daily
from tests.nights import simulated_workbench

RUNS = 5


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def first_dark(bench: Workbench) -> str:
    with bench.store.read() as session:
        return session.query(AssociationBlock).filter_by(raw_type="DARK").first().name


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = simulated_workbench(Path(folder) / "workbench", window=256)
        os.environ["QCBENCH_WORKBENCH"] = str(bench.settings.root)
        auto_daily(bench, show=False)
        name = first_dark(bench)
        parameters = {"workbench": str(bench.settings.root), "ab": name}
        template = notebook("ab_report.ipynb")

        def stock() -> None:
            output = str(Path(folder) / "stock.ipynb")
            execute_notebook(
                str(template), output, parameters=parameters, kernel_name="python3", progress_bar=False
            )

        # in turn, so that a machine that gets slower slows both
        report_ab(bench, name, force=True)
        pairs = [(seconds(lambda: report_ab(bench, name, force=True)), seconds(stock)) for _ in range(RUNS)]
    warm, cold = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"AB report: warm kernel {warm:.2f} s, papermill's engine {cold:.2f} s, ratio {warm / cold:.2f}")


if __name__ == "__main__":
    main()
