"""The demonstration: a few simulated nights through the whole job, on a workbench of its own."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from qcbench.instruments.yamlfiles import read_yaml
from qcbench.store import ArchiveFile, AssociationBlock
from qcbench.workbench import Workbench, make_workbench
from qcbench.workflow.auto_daily import DailyResult, auto_daily

PLAN = Path(__file__).with_name("demo.yaml")


class DemoPlan(BaseModel):
    """``demo.yaml``: what the demonstration simulates; `window` in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: str
    start: dt.date
    nights: int
    seed: int
    window: int | None
    anomalies: tuple[str, ...]


# what simulates nights into an archive, by a plan
Simulator = Callable[[Path, DemoPlan], object]


@dataclass(frozen=True)
class DemoSummary:
    """What the demonstration found, did, and left for a person."""

    bench: Workbench
    daily: DailyResult
    engines: Mapping[str, int]
    unusable: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        lines = [
            f"{'date':<12}{'frames':>7}{'ABs':>5}{'processed':>11}{'failed':>8}{'scored':>8}"
            f"{'certified':>11}{'ingested':>10}{'to review':>11}{'incomplete':>12}"
        ]
        for result in self.daily.dates:
            item = result.summary
            lines.append(
                f"{item.date!s:<12}{item.frames:>7}{item.abs:>5}{item.processed:>11}{item.failed:>8}"
                f"{item.scored:>8}{item.certified:>11}{item.ingested:>10}{item.to_review:>11}{item.incomplete:>12}"
            )
        lines.append("")
        lines.append("Recipes ran on: " + ", ".join(f"{name} ({n} ABs)" for name, n in self.engines.items()))
        lines += [f"Not usable: {text}" for text in self.unusable]
        lines += [f"Audit: {text}" for text in self.daily.audit] or ["Audit of the archive: no difference"]
        waits = sum(result.summary.to_review for result in self.daily.dates)
        lines.append(f"{waits} ABs wait for a person. Workbench: {self.bench.settings.root}")
        return lines


def run_demo(
    root: Path,
    simulate: Simulator,
    environ: Mapping[str, str],
    *,
    nights: int | None = None,
    window: int | None = None,
    show: bool | None = None,
) -> DemoSummary:
    """Make a workbench, simulate nights into its archive, and run the whole job on them.

    Called again on the same folder it goes on where it was.

    Parameters
    ----------
    nights, window : int, optional
        Instead of what ``demo.yaml`` says; the side of the detector window is in pixels.
    """
    wanted = {"nights": nights, "window": window}
    plan = read_yaml(PLAN, DemoPlan).model_copy(update={key: value for key, value in wanted.items() if value})
    nights_of = {text: int(text.partition(":")[2] or plan.nights) for text in plan.anomalies}
    fitting = tuple(text for text in plan.anomalies if nights_of[text] <= plan.nights)
    plan = plan.model_copy(update={"anomalies": fitting})
    bench = make_workbench(root, (plan.instrument,), environ)
    simulate(bench.settings.archive_path, plan)
    daily = auto_daily(bench, through="ingested", show=show)
    with bench.store.read() as session:
        used = Counter(
            session.scalars(select(AssociationBlock.engine).where(AssociationBlock.engine.is_not(None)))
        )
        unusable = session.execute(
            select(ArchiveFile.uri, ArchiveFile.problem).where(ArchiveFile.problem.is_not(None))
        ).all()
    return DemoSummary(
        bench=bench,
        daily=daily,
        engines={str(name): count for name, count in sorted(used.items())},
        unusable=tuple(f"{uri}: {problem}" for uri, problem in unusable),
    )
