"""Nights of several instruments whose files arrive hour by hour, with auto-daily each hour and a person each morning.

By hand, for a whole month: python -m tests.e2e.month FOLDER --nights 30
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from qcbench.certification import decide, queue
from qcbench.core.dates import dfo_bounds, time_of_mjd
from qcbench.distribution import finish_night
from qcbench.instruments import available_packs
from qcbench.simulate import simulate
from qcbench.store import ABState
from qcbench.workbench import Workbench, make_workbench, open_workbench
from qcbench.workflow import account, auto_daily, open_dates
from validation.general import naco_calibrations

START = dt.date(2026, 10, 1)
# sides of the windows (pixels) that the recipes of each accept
WINDOWS = {"hawki": 128, "efosc2": 800, "naco": 512}
SETTINGS = {"QCBENCH_CERTIFICATION_SAMPLE_SEED": "month"}
ANOMALIES = (
    "noise-jump", "truncated-file", "rotten-pixels", "incomplete-template", "not-fits", "missing-keyword",
    "no-arcfile", "duplicate-arcfile", "unknown-instrument", "lamp-out", "saturated-flat",
)  # fmt: skip
HOUR = dt.timedelta(hours=1)
MORNING = 12
# of the files, and what they are late by
LATE_FRACTION, LATE = 0.03, dt.timedelta(hours=30)


def anomalies(nights: int, seed: int) -> list[str]:
    """One anomaly in about every second night, each kind in its turn."""
    hit = [night for night in range(1, nights + 1) if (night + seed) % 2]
    return [f"{ANOMALIES[(index + seed) % len(ANOMALIES)]}:{night}" for index, night in enumerate(hit)]


def observe(archive: Path, windows: Mapping[str, int], nights: int) -> None:
    """All that the telescopes will have observed in the end."""
    for seed, (name, window) in enumerate(sorted(windows.items())):
        simulate(
            available_packs()[name] / "simulate.yaml",
            archive / name,
            nights=nights,
            start=START,
            seed=seed + 1,
            window=window,
            anomalies=anomalies(nights, seed),
        )


def arrivals(observed: Path) -> list[tuple[dt.datetime, Path]]:
    """When each file arrives: some minutes after it was taken, a few a day later."""
    found = []
    for path in sorted(observed.glob("*/raw/*/*")):
        chance = random.Random(path.name)
        taken = dt.datetime.fromisoformat(path.name.partition(".")[2][:23]).replace(tzinfo=dt.UTC)
        lag = dt.timedelta(minutes=chance.lognormvariate(1.5, 0.8))
        found.append((taken + lag + (LATE if chance.random() < LATE_FRACTION else dt.timedelta()), path))
    return sorted(found)


def hours(nights: int) -> Iterator[dt.datetime]:
    """The full hours from the start of the first date to some days after the last one."""
    begin = time_of_mjd(dfo_bounds(START)[0])
    return (begin + number * HOUR for number in range(1, 24 * (nights + 2)))


def decide_all(bench: Workbench) -> None:
    """A person in the morning: certifies what is scored, rejects what failed, finishes what is done."""
    for item in queue(bench):
        verdict = "certified" if item.state == ABState.SCORED else "rejected"
        comment = f"seen: {item.why}"[:200]
        decide(
            bench,
            item.ab_name,
            verdict,
            by="month",
            comment=comment,
            scope="raw" if verdict == "rejected" else "product",
        )
    for instrument in bench.instruments:
        for date in open_dates(bench, instrument):
            finish_night(bench, instrument, date)


def live(root: Path, windows: Mapping[str, int], nights: int, environ: Mapping[str, str]) -> Workbench:
    """Live through the nights; one that was interrupted goes on at the hour at which it was."""
    observed, clock = root / "observed", root / "hour.txt"
    bench_root = root / "bench"
    if not clock.is_file():
        observe(observed, windows, nights)
        bench = make_workbench(bench_root, sorted(windows), environ)
        if "naco" in windows:
            naco_calibrations(bench.data("naco").general)
        bench.close()
        clock.write_text("")
    bench = open_workbench(bench_root, {**os.environ, **environ})
    coming = arrivals(observed)
    raw = bench.settings.archive_path / "raw"
    for now in hours(nights):
        if now.isoformat() <= clock.read_text():
            continue
        while coming and coming[0][0] <= now:
            _, path = coming.pop(0)
            target = raw / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        begin = time.monotonic()
        auto_daily(bench, through="ingested", now=now, show=False)
        if now.hour == MORNING:
            decide_all(bench)
        clock.write_text(now.isoformat())
        click.echo(f"{now:%Y-%m-%d %H} h: {time.monotonic() - begin:.1f} s")
    return bench


def table(bench: Workbench) -> Iterator[str]:
    """The accounts of all instruments as lines of a table."""
    heads = (
        "instrument", "files", "unusable", "in ABs", "in none", "ABs created", "succeeded", "failed", "waiting",
        "listed only", "unaccounted",
    )  # fmt: skip
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for name in bench.instruments:
        files, abs_ = account(bench, name)
        numbers: Sequence[int] = (
            files.files, files.unusable, files.in_abs, files.others.total(), abs_.created, abs_.succeeded,
            abs_.failures.total(), len(abs_.waiting), abs_.listed_only, files.missing + abs_.missing,
        )  # fmt: skip
        yield f"| {' | '.join((name, *map(str, numbers)))} |"
    for name in bench.instruments:
        files, abs_ = account(bench, name)
        yield from (f"{name}: failed {n} × {why}" for why, n in abs_.failures.most_common())
        yield from (f"{name}: {ab}: {why}" for ab, why in abs_.waiting.items())
        yield from (f"{name}: {n} files {why}" for why, n in files.others.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nights", type=int, default=30)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    bench = live(given.folder.absolute(), WINDOWS, given.nights, SETTINGS)
    click.echo("\n".join(table(bench)))


if __name__ == "__main__":
    main()
