"""The simulated observatory: it observes nights and delivers raw frames into a local archive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from qcbench.core.dates import iso_ut
from qcbench.core.errors import SettingsError
from qcbench.core.files import write_bytes
from qcbench.simulate.anomalies import NOISE_JUMP_NAME, AnomalyRequest, disturb, parse_anomalies
from qcbench.simulate.description import Description, load_description
from qcbench.simulate.detectors import Camera
from qcbench.simulate.frames import frame_bytes
from qcbench.simulate.schedule import Exposure, plan_night
from qcbench.simulate.truth import Terms, TruthBook, TruthRow

RAW_FOLDER = "raw"

Night = tuple[Exposure, ...]


@dataclass(frozen=True)
class InjectedAnomaly:
    """An anomaly that is in the archive, and the files that it touches."""

    name: str
    date: dt.date
    tpl_start: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class SimulationResult:
    """What the nights that were asked for hold.

    Attributes
    ----------
    n_frames, n_templates : int
        Files and templates of these nights, those of earlier calls included.
    n_written : int
        Files that this call wrote.
    """

    n_frames: int
    n_templates: int
    n_written: int
    dates: tuple[dt.date, ...]
    anomalies: tuple[InjectedAnomaly, ...]
    truth: Path


def truth_path(archive: Path) -> Path:
    """Return where the truth of an archive is: beside its folder."""
    return archive.parent / f"{archive.name}.truth.ecsv"


def simulate(
    description: Path,
    archive: Path,
    *,
    nights: int,
    start: dt.date,
    seed: int,
    window: int | None = None,
    raw_types: Sequence[str] = (),
    anomalies: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
) -> SimulationResult:
    """Observe nights and write their raw frames as ``<archive>/raw/<DFO date>/<ARCFILE>``.

    The same arguments give byte-identical files; files that are there are never written again.

    Parameters
    ----------
    description : Path
        The ``simulate.yaml`` of an instrument pack.
    nights : int
        DFO dates to observe, from `start` on.
    window : int, optional
        Side (pixels) of the part of each detector that is read; the whole detector without it.
    raw_types : sequence of str
        What to observe, by the names of the description; the same exposures as in a whole night, and all without it.
    anomalies : sequence of str
        ``name``, ``name:night`` or ``name:night:template`` (from 1), names as in `known_anomalies`.
    progress : callable, optional
        Gets a line of text for each night.

    Raises
    ------
    PackError
        The description is wrong.
    SettingsError
        An argument is wrong, or an anomaly is for a night that was observed without it.
    ArchiveError
        The archive was made with another seed, window or choice of raw types.
    """
    if nights < 1 or seed < 0:
        raise SettingsError(f"nights must be 1 or more and the seed 0 or more, not {nights} and {seed}")
    plan = load_description(description)
    wanted = _known(raw_types, plan)
    camera = Camera(plan, window, seed)
    archive = archive.absolute()
    terms: Terms = {"seed": seed, "window": window}
    if wanted:
        terms["raw types"] = " and ".join(sorted(wanted))
    book = TruthBook(truth_path(archive), plan.prefix, terms)
    dates = tuple(start + dt.timedelta(days=i) for i in range(nights))
    planned = _plan(camera, book, dates, parse_anomalies(anomalies, nights), wanted)
    n_written = 0
    for date, night in planned.items():
        fresh = _deliver(camera, archive / RAW_FOLDER / date.isoformat(), night)
        n_written += fresh
        book.add(_truth_rows(camera, night))
        if progress is not None:
            progress(f"{date}: {len(night)} frames, {fresh} of them new")
    book.save()
    return _summary(book, dates, n_written)


def _known(raw_types: Sequence[str], plan: Description) -> frozenset[str]:
    """Return raw types that are asked for, all of which the description must have."""
    known = sorted({str(name) for template in plan.templates for name in _each(template.raw_type)})
    if strange := sorted(set(raw_types) - set(known)):
        raise SettingsError(
            f"{plan.instrume} is not simulated with {strange[0]}; it is with {', '.join(known)}"
        )
    return frozenset(raw_types)


def _each(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


def _plan(
    camera: Camera,
    book: TruthBook,
    dates: Sequence[dt.date],
    requests: Sequence[AnomalyRequest],
    wanted: Set[str],
) -> dict[dt.date, Night]:
    """Return the nights still to be observed, anomalies included, so that errors come before files."""
    nights = {}
    names = [read.detector.name for read in camera.readouts]
    for number, date in enumerate(dates, start=1):
        own = [r for r in requests if r.night == number]
        done = book.night(date)
        if done:
            _check_done(own, done, date)
        else:
            night = plan_night(camera.plan, date, camera.seed)
            kept = tuple(e for e in night if not wanted or e.raw_type in wanted)
            nights[date] = disturb(kept, own, names, camera.seed)
    return nights


def _check_done(requests: Sequence[AnomalyRequest], done: Sequence[TruthRow], date: dt.date) -> None:
    there = {name for row in done for name in row.anomaly.split("+")}
    for request in requests:
        if request.name not in there:
            raise SettingsError(
                f"night {request.night} ({date}) was observed without anomaly '{request.name}', and files "
                "that are there are never written again; name a later night or another archive folder"
            )


def _deliver(camera: Camera, folder: Path, night: Night) -> int:
    """Write the files of a night that are not there; return how many were written."""
    missing = [e for e in night if not (folder / e.file_name).exists()]
    for exposure in missing:
        write_bytes(folder / exposure.file_name, frame_bytes(camera, exposure))
    return len(missing)


def _truth_rows(camera: Camera, night: Night) -> list[TruthRow]:
    rows = []
    for exposure in night:
        for read in camera.reads(exposure):
            state = camera.state(read, night[0].date)
            rows.append(
                TruthRow(
                    arcfile=exposure.file_name,
                    dfo_date=exposure.date.isoformat(),
                    tpl_start=iso_ut(exposure.tpl_start),
                    raw_type=exposure.raw_type,
                    detector=read.detector.name,
                    gain=round(state.gain, 5),
                    ron=round(state.frame_ron(exposure, read.detector.name, camera.plan.rounding), 5),
                    dark_current=round(state.dark_current, 7),
                    n_hot=state.n_hot,
                    level=round(camera.level(exposure, state), 3),
                    anomaly="+".join(_anomalies_of(exposure, read.detector.name)),
                    **camera.spectral_truth(exposure, read),
                )
            )
    return rows


def _anomalies_of(exposure: Exposure, detector: str) -> list[str]:
    quiet = bool(exposure.ron_factor) and detector not in exposure.ron_factor
    return [name for name in exposure.anomalies if not (quiet and name == NOISE_JUMP_NAME)]


def _summary(book: TruthBook, dates: tuple[dt.date, ...], n_written: int) -> SimulationResult:
    rows = {date: book.night(date) for date in dates}
    found: dict[tuple[str, dt.date], list[TruthRow]] = {}
    for date, night in rows.items():
        for row in night:
            for name in filter(None, row.anomaly.split("+")):
                found.setdefault((name, date), []).append(row)
    injected = tuple(
        InjectedAnomaly(name, date, min(r.tpl_start for r in hit), tuple(sorted({r.arcfile for r in hit})))
        for (name, date), hit in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))
    )
    return SimulationResult(
        n_frames=len({r.arcfile for night in rows.values() for r in night}),
        n_templates=len({r.tpl_start for night in rows.values() for r in night}),
        n_written=n_written,
        dates=dates,
        anomalies=injected,
        truth=book.path,
    )
