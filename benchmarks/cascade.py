"""Cost of the framework for each AB, and the makespan of a cascade against its lower bound.

First: 500 ABs of a workbench whose recipe does nothing but copy a product; state, set of frames, QC0, QC parameters
and scores are real, reports are left out. With one worker, then with one for each core. The cost is what an AB takes
beyond the same copying process alone, started in the same run. With one worker, what is not spent within an AB is
scheduling. Second: scheduling alone, with 10,000 tasks. Third: 85 science jobs on 30 slots with the times of the
processing monitor in the PHOENIX manual (VLT-MAN-ESO-19600-6104, figures 2 and 4), a minute as a second.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from sqlalchemy import func, select

from qcbench.association import create_abs, load_headers, scan_archive
from qcbench.core.dates import dfo_bounds, iso_ut, time_of_mjd
from qcbench.core.logs import set_up_logging
from qcbench.processing import Supply, Task, create_job, process_ab, queued_cascade, run_cascade
from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.processing.running import describe_end, run_process
from qcbench.reports import measure_ab
from qcbench.store import AssociationBlock
from qcbench.workbench import Workbench, make_workbench

N_ABS, N_FRAMES, N_REFERENCE = 500, 3, 200
N_TASKS = 10_000
LIMIT_MS, LIMIT_SCHEDULING_MS, LIMIT_MAKESPAN = 50.0, 5.0, 1.05
INSTRUMENT, DATE = "hawki", dt.date(2026, 11, 16)
CHIPS = ("CHIP1.INT1", "CHIP2.INT1", "CHIP4.INT1", "CHIP3.INT1")
# minutes of the recipe, and of QC, of the fifteen jobs that figure 4 shows
MINUTES = (3.4, 8.6, 2.1, 2.1, 5.2, 1.5, 1.7, 4.2, 1.4, 1.9, 4.1, 1.4, 8.4, 11.7, 2.2)
QC_MINUTES = (0.1, 0.2, 0.1, 0.1, 0.2, 0.1, 0.1, 0.2, 0.1, 0.2, 0.2, 0.2, 0.2, 0.3, 0.2)
N_JOBS, N_SLOTS = 85, 30


class Copying:
    """An engine whose recipe copies a product that is there."""

    name = "python"

    def __init__(self, product: Path):
        self.product = product

    def problem(self, recipe: str) -> str | None:
        """Return nothing: it can run any recipe."""

    def version(self, recipe: str) -> str:
        """Return that of nothing."""
        return "copy 1"

    def run(self, job: RecipeJob) -> RecipeResult:
        """Copy the product, in a process."""
        target = job.output_dir / "product.fits"
        ended = run_process(
            ["cp", str(self.product), str(target)], cwd=job.work_dir, log=job.log, limits=job.limits, env={}
        )
        reason = describe_end(ended, "")
        return RecipeResult(ended.code, reason, ((target, "MASTER_DARK"),), ended.seconds, ended.peak_mb)


def write_frame(folder: Path, mjd: float, start: str, number: int) -> None:
    name = f"HAWKI.{iso_ut(time_of_mjd(mjd), digits=3)}.fits"
    primary = fits.PrimaryHDU()
    keys = {
        "INSTRUME": "HAWKI", "ARCFILE": name, "MJD-OBS": mjd, "EXPTIME": 10.0, "HIERARCH ESO DPR CATG": "CALIB",
        "HIERARCH ESO DPR TYPE": "DARK", "HIERARCH ESO DPR TECH": "IMAGE", "HIERARCH ESO TPL START": start,
        "HIERARCH ESO TPL NEXP": N_FRAMES, "HIERARCH ESO TPL EXPNO": number + 1, "HIERARCH ESO DET DIT": 10.0,
        "HIERARCH ESO DET NDIT": 1, "HIERARCH ESO DET NCORRS NAME": "NonDest", "HIERARCH ESO DET WIN NX": 32,
        "HIERARCH ESO DET WIN NY": 32, "EXTEND": True,
    }  # fmt: skip
    primary.header.update(keys)
    chance = np.random.default_rng(number)
    images = [fits.ImageHDU(chance.integers(90, 110, (32, 32), np.int32), name=chip) for chip in CHIPS]
    fits.HDUList([primary, *images]).writeto(folder / name)


def write_product(path: Path) -> None:
    images = [fits.ImageHDU(np.ones((32, 32), np.float32), name=chip) for chip in CHIPS]
    for image in images:
        image.header["HIERARCH ESO QC RON1"] = 9.0
    primary = fits.PrimaryHDU()
    primary.header["HIERARCH ESO PRO CATG"] = "MASTER_DARK"
    fits.HDUList([primary, *images]).writeto(path)


def prepared(folder: Path) -> Workbench:
    bench = make_workbench(folder, (INSTRUMENT,), {"QCBENCH_PROCESSING_ENGINE": "python"})
    raw = bench.settings.archive_path / "raw"
    first = dfo_bounds(DATE)[0]
    for group in range(N_ABS):
        begin = first + (group + 1) / (N_ABS + 2)
        for number in range(N_FRAMES):
            write_frame(raw, begin + number * 10 / 86400, iso_ut(time_of_mjd(begin)), number)
    scan_archive(bench, wanted=lambda _: True)
    load_headers(bench, INSTRUMENT, DATE)
    create_abs(bench, INSTRUMENT, DATE)
    create_job(bench, INSTRUMENT, DATE)
    return bench


class Busy:
    """Adds up the time that is spent in calls (ms)."""

    def __init__(self) -> None:
        self.total = 0.0

    def within(self, call: Callable[[str], object]) -> Callable[[str], bool]:
        def timed(name: str) -> bool:
            begin = time.perf_counter()
            try:
                return call(name) is not False
            finally:
                self.total += (time.perf_counter() - begin) * 1e3

        return timed


def framework(folder: Path, workers: int) -> tuple[float, float, float]:
    """Return what an AB takes with all of the framework, what of it is processor time, and scheduling (ms)."""
    product = folder / "product.fits"
    write_product(product)
    bench = prepared(folder / "bench")
    engines = {"python": Copying(product)}

    def qc(name: str) -> None:
        measure_ab(bench, name, score=True)

    busy = Busy()
    tasks = queued_cascade(bench, INSTRUMENT, DATE)
    if len(tasks) != N_ABS:
        raise SystemExit(f"{len(tasks)} of {N_ABS} ABs are queued")
    begin = time.process_time()
    with Supply(bench, tasks, number=workers) as supply:

        def process(name: str) -> bool:
            return process_ab(bench, name, engines=engines, write_texts=False, supply=supply).ok

        elapsed = ms(
            lambda: run_cascade(
                tasks, busy.within(process), busy.within(qc), workers=workers, has_room=supply.has_room
            )
        )
    elapsed += (texts := ms(bench.write_texts))
    used = (time.process_time() - begin) * 1e3
    with bench.store.read() as session:
        states = dict(
            session.execute(
                select(AssociationBlock.state, func.count()).group_by(AssociationBlock.state)
            ).all()
        )
    bench.close()
    if states != {"scored": N_ABS}:
        raise SystemExit(f"not all ABs were scored: {states}")
    return elapsed / N_ABS, used / N_ABS, (elapsed - texts - busy.total) / N_ABS


def process_alone(folder: Path) -> float:
    """Return what the process of the recipe takes alone (ms)."""
    write_product(folder / "product.fits")
    copy = ["cp", folder / "product.fits", folder / "copy.fits"]
    return ms(lambda: [subprocess.run(copy, check=True) for _ in range(N_REFERENCE)]) / N_REFERENCE


def scheduling() -> float:
    """Return what scheduling takes for a task (ms), in a cascade as wide as a month."""
    chance = random.Random(1)
    tasks = {}
    for number in range(N_TASKS):
        parents = {f"t{chance.randrange(max(0, number - 300), number)}" for _ in range(min(3, number))}
        tasks[f"t{number}"] = Task(f"t{number}", frozenset(parents), number % 2, chance.random())
    elapsed = ms(lambda: run_cascade(tasks, lambda _: True, lambda _: None, workers=os.cpu_count() or 1))
    return elapsed / N_TASKS


def makespan(*, are_times_known: bool) -> tuple[float, float]:
    """Return how long the replay takes, and the lower bound (s)."""
    order = random.Random(7).sample(range(N_JOBS), N_JOBS)
    seconds = {f"job{number:02d}": MINUTES[number % len(MINUTES)] for number in order}
    after = {f"job{number:02d}": QC_MINUTES[number % len(MINUTES)] for number in order}
    tasks = {
        name: Task(name, seconds=duration if are_times_known else 1.0) for name, duration in seconds.items()
    }

    def sleep(times: dict[str, float]) -> Callable[[str], bool]:
        return lambda name: time.sleep(times[name]) is None

    elapsed = ms(lambda: run_cascade(tasks, sleep(seconds), sleep(after), workers=N_SLOTS)) / 1e3
    total = sum(seconds.values()) + sum(after.values())
    longest = max(seconds[name] + after[name] for name in seconds)
    return elapsed, max(longest, total / N_SLOTS)


def ms(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1e3


def main() -> int:
    set_up_logging(None)
    costs, scheduled = [], []
    for workers in sorted({1, os.cpu_count() or 1}):
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            elapsed, used, between = framework(Path(first), workers)
            alone = process_alone(Path(second))
        costs.append(elapsed - alone)
        print(
            f"framework, workers: {workers}: {elapsed:.1f} ms an AB ({used:.1f} of processor), its process alone "
            f"{alone:.1f} ms: {costs[-1]:.1f} ms of cost, limit {LIMIT_MS:g}; ratio {elapsed / alone:.1f}"
        )
        if workers == 1:
            scheduled.append(between)
            print(f"scheduling: {between:.3f} ms an AB of {N_ABS}, limit {LIMIT_SCHEDULING_MS:g}")
    scheduled.append(scheduling())
    print(f"scheduling: {scheduled[-1]:.3f} ms a task of {N_TASKS:,}, limit {LIMIT_SCHEDULING_MS:g}")
    ratios = {}
    for are_times_known in (True, False):
        replay, bound = makespan(are_times_known=are_times_known)
        ratios[are_times_known] = replay / bound
        known = "known from earlier ABs" if are_times_known else "not known"
        print(
            f"replay: {N_JOBS} jobs on {N_SLOTS} slots, times {known}: {replay:.2f} s, bound {bound:.2f} s, "
            f"ratio {replay / bound:.3f}" + (f", limit {LIMIT_MAKESPAN}" if are_times_known else "")
        )
    holds = (
        max(costs) <= LIMIT_MS and max(scheduled) <= LIMIT_SCHEDULING_MS and ratios[True] <= LIMIT_MAKESPAN
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
