"""Where a product comes from: raw frames, calibrations, recipe, versions."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from markupsafe import Markup

import qcbench
from qcbench.core.addresses import relative_url
from qcbench.core.dates import iso_ut, time_of_mjd
from qcbench.look.marks import TagKind, state_tag
from qcbench.look.pages import Cell, Column, Link, table
from qcbench.reports.sections import Section, anchor, card, facts
from qcbench.reports.subject import Subject, raw_path
from qcbench.store import AssociationBlock

_RAW_COLUMNS = (
    Column("Raw frame"),
    Column("Tag"),
    Column("Start", "UT"),
    Column("EXPTIME", "s", numeric=True),
    Column("Problem"),
)
_ASSOCIATION_COLUMNS = (
    Column("Role"),
    Column("Calibration"),
    Column("Tag"),
    Column("Flag"),
    Column("Time match"),
    Column("Δt", "d", numeric=True),
)


def raw_frames(subject: Subject) -> Section:
    """Return the raw frames of the AB."""
    rows: list[tuple[Cell, ...]] = []
    for item in subject.ab.inputs:
        frame = item.frame
        path = raw_path(subject.bench, frame)
        name: Cell = Link(frame.arcfile, relative_url(path, subject.folder)) if path else frame.arcfile
        problem = state_tag(frame.problem, "warn") if frame.problem else ""
        rows.append((name, item.tag, iso_ut(time_of_mjd(frame.mjd_obs)), frame.exptime, problem))
    return card(
        "Raw frames", table(_RAW_COLUMNS, rows, empty="The AB has no raw frame."), note=f"{len(rows)}"
    )


def association(subject: Subject) -> Section:
    """Return the calibrations that were used, with their signed distance in time, and those that are missing."""
    rows: list[tuple[Cell, ...]] = []
    for item in subject.ab.calibrations:
        text, report = item.product.file_name, _report_of(subject, item.product.ab)
        file: Cell = Link(text, relative_url(report, subject.folder)) if report else text
        match = state_tag(item.evaluation, "ok" if item.evaluation == "OK" else "nok")
        rows.append((item.role, file, item.tag, item.flag, match, _distance(item.dt_days)))
    for missing in subject.ab.missing:
        rows.append(("MCALIB", "–", str(missing.get("tag", "")), "", state_tag("MISS", "nok"), None))
    body = table(_ASSOCIATION_COLUMNS, rows, empty="This AB needs no calibration.")
    return card("Association", body, note=subject.ab.completeness, narrow=True)


def _report_of(subject: Subject, maker: AssociationBlock | None) -> Path | None:
    """Return the report of the AB that made a calibration; the product itself moves on and gets another name."""
    if maker is None:
        return None
    report = subject.bench.data(maker.instrument).plots(maker.dfo_date) / f"{maker.root_name}.html"
    return report if report.is_file() else None


def _distance(dt_days: float | None) -> str:
    """Return the signed distance in time; nothing for a general calibration."""
    return "" if dt_days is None else f"{dt_days:+.3f}"


def processing(subject: Subject) -> Section:
    """Return how the product was made: recipe, engine, log, versions, decision."""
    ab, folder = subject.ab, subject.folder
    keys = subject.header.keys if subject.header else {}
    log = subject.bench.settings.root / ab.log_path if ab.log_path else None
    block = subject.bench.data(ab.instrument).logs(ab.dfo_date) / ab.name
    seconds = f", {ab.exec_seconds:.1f} s" if ab.exec_seconds is not None else ""
    pipeline = " · ".join(str(keys[key]) for key in ("PRO.REC1.PIPE.ID", "PRO.REC1.DRS.ID") if key in keys)
    libraries = " · ".join(f"{name} {version(name)}" for name in ("numpy", "astropy", "bokeh"))
    last = ab.decisions[-1] if ab.decisions else None
    return card(
        "Processing",
        facts(
            (
                ("AB", anchor(ab.name, block, folder)),
                ("State", _state(subject)),
                (
                    "Decision",
                    f"{last.verdict} by {last.by}, {iso_ut(last.at)} UT {last.comment}" if last else "",
                ),
                ("Setup", ab.setup),
                ("Recipe", f"{ab.recipe} ({ab.engine or 'no engine yet'}{seconds})"),
                ("Log", anchor(log.name, log, folder) if log else ""),
                ("Pipeline", pipeline),
                ("qcbench", f"{qcbench.__version__} · Python {platform.python_version()} · {libraries}"),
            )
        ),
        narrow=True,
    )


def _state(subject: Subject) -> Markup:
    ab = subject.ab
    kinds: dict[str, TagKind] = {"failed": "failed", "rejected": "nok"}
    review = f" · for review: {ab.review}" if ab.review else ""
    return state_tag(ab.state, kinds.get(ab.state, "accent")) + review
