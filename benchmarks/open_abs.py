"""Memory and time of auto-daily while 10,000 ABs of 30 dates are open and nothing is new.

Twilight flats for which there is no dark: they stay incomplete, and are tried again in each call. The peak is that of
a process of its own, which is started as cron does; the same program that only says its version is the reference.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import func, select

from qcbench.association import create_abs
from qcbench.core.dates import dfo_bounds, iso_ut, time_of_mjd, utc_now
from qcbench.store import ArchiveFile, AssociationBlock, Frame
from qcbench.store.states import OPEN_STATES
from qcbench.workbench import Workbench, make_workbench

INSTRUMENT, FIRST = "hawki", dt.date(2026, 10, 1)
N_ABS, N_DATES = 10_000, 30
LIMIT_MIB = 500.0
FILTERS = ("J", "H", "Ks", "Y", "BrG", "CH4")


def add_frames(bench: Workbench) -> None:
    per_date = N_ABS // N_DATES + 1
    with bench.store.write() as session:
        for number in range(N_ABS):
            date = FIRST + dt.timedelta(days=number // per_date)
            mjd = dfo_bounds(date)[0] + (number % per_date + 1) / (per_date + 2)
            start = iso_ut(time_of_mjd(mjd), digits=3)
            name = f"HAWKI.{start}.fits"
            keys = {
                "INSTRUME": "HAWKI", "ARCFILE": name, "MJD-OBS": mjd, "EXPTIME": 10.0, "DPR.CATG": "CALIB",
                "DPR.TYPE": "FLAT", "DPR.TECH": "IMAGE", "TPL.START": start, "TPL.NEXP": 1, "TPL.EXPNO": 1,
                "DET.DIT": 2.5, "DET.NDIT": 1, "DET.NCORRS.NAME": "NonDest", "EXTEND": True,
                "INS.FILT1.NAME": FILTERS[number % len(FILTERS)], "INS.FILT2.NAME": "OPEN",
                **{f"INS.SENS{index}.VAL": float(index) for index in range(200)},
            }  # fmt: skip
            now = utc_now()
            given = {"uri": name, "size": 8640, "stamp": "1", "instrument": INSTRUMENT, "dfo_date": date}
            session.add(ArchiveFile(arcfile=name, seen_at=now, **given))
            session.add(
                Frame(
                    arcfile=name,
                    mjd_obs=mjd,
                    exptime=10.0,
                    header_sha256="0" * 64,
                    dpr_catg="CALIB",
                    dpr_type="FLAT",
                    tpl_start=start,
                    tpl_nexp=1,
                    keys=keys,
                    loaded_at=now,
                    **given,
                )
            )
    for index in range(N_DATES):
        create_abs(bench, INSTRUMENT, FIRST + dt.timedelta(days=index))


PROGRAM = """\
import sys
from pathlib import Path
from qcbench.cli.main import cli
try:
    cli(sys.argv[1:])
finally:
    # of the program alone: what the system counts for a process begins before it has become this program
    status = Path("/proc/self/status").read_text()
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), file=sys.stderr)
"""


def run(root: Path, *words: str) -> tuple[float, float]:
    """Run qcbench as a process; return its most memory (MiB) and its time (s)."""
    begin = time.perf_counter()
    command = [sys.executable, "-c", PROGRAM, *words]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"qcbench {' '.join(words)} ended with {ended.returncode}: {ended.stderr}")
    return float(ended.stderr.split()[-1]) / 1024, time.perf_counter() - begin


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "bench"
        bench = make_workbench(root, (INSTRUMENT,), {})
        add_frames(bench)
        with bench.store.read() as session:
            n_open = session.scalar(
                select(func.count()).where(AssociationBlock.state.in_(OPEN_STATES), AssociationBlock.id > 0)
            )
        bench.close()
        if n_open != N_ABS:
            raise SystemExit(f"{n_open} ABs are open, {N_ABS} are wanted")
        reference, _ = run(root, "--version")
        memory, first = run(root, "auto-daily")
        memory_again, second = run(root, "auto-daily")
    peak = max(memory, memory_again)
    print(
        f"auto-daily, {N_ABS:,} ABs of {N_DATES} dates open: {peak:.0f} MiB, limit {LIMIT_MIB:g}; the program alone "
        f"{reference:.0f} MiB, ratio {peak / reference:.1f}; {first:.0f} s, called again {second:.0f} s"
    )
    return 0 if peak < LIMIT_MIB else 1


if __name__ == "__main__":
    raise SystemExit(main())
