"""What qcbench adds to DAGMan: 250 jobs on a real pool, by plain DAGMan, and as jobs and as ABs by qcbench.

CONDOR_CONFIG names the pool; jobs/minicondor.sh makes one of this host. HTCondor takes no jobs from root: call it by
`jobs/minicondor.sh as-user python benchmarks/htcondor.py`.

The jobs are 25 times eight, one that waits for them, and one that waits for that one; each does nothing. First
they are written by hand and submitted by condor_submit_dag, with the defaults of DAGMan, then with the settings
that qcbench gives it; the faster of the two counts. Then the same jobs go through the pool of qcbench. Last, 250 ABs
of a workbench whose recipe does nothing but copy a product go through the whole back end to their QC parameters and
scores, reports left out, their short times known from an earlier night. With --all, also ABs of which no times are
known, and a job for each AB. DAGMan's defaults refuse a folder below /tmp: TMPDIR names another one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select, update

from benchmarks import cascade
from qcbench.core.logs import set_up_logging
from qcbench.core.settings import HTCondorSection
from qcbench.processing import run_on_pool
from qcbench.processing.dag import DAG_FILE, DAGMAN, PoolJob, write_dag
from qcbench.processing.pool import Pool
from qcbench.store import AssociationBlock
from qcbench.workbench import Workbench, open_workbench

N_ROUNDS, N_BESIDE = 25, 8
N_JOBS = N_ROUNDS * (N_BESIDE + 2)
LIMIT = 1.5
SETTINGS = HTCondorSection(poll_s=0.5)
NOTHING = "/bin/true"
# an engine that is found as any other, by its entry point; and QC that leaves the report out
SITE = """
from pathlib import Path
from benchmarks.cascade import Copying
import qcbench.workflow.pool_job as job
from qcbench.reports import measure_ab

job.process_qc = lambda bench, name: measure_ab(bench, name, score=True)

def engine():
    return Copying(Path({product!r}))
"""


def names() -> list[tuple[str, frozenset[str]]]:
    """Return the jobs, each with those that it waits for."""
    jobs: list[tuple[str, frozenset[str]]] = []
    for number in range(N_ROUNDS):
        beside = [f"ab{number}x{place}" for place in range(N_BESIDE)]
        jobs += [(name, frozenset[str]()) for name in beside]
        jobs += [(f"score{number}", frozenset(beside)), (f"report{number}", frozenset({f"score{number}"}))]
    return jobs


def plain(folder: Path, config: str) -> float:
    """Return how long DAGMan takes for the jobs (s), as a user would write and submit them."""
    log = "log = nothing.log\n" if not config else ""
    (folder / "job.sub").write_text(f"executable = {NOTHING}\n{log}request_memory = 128\nqueue\n")
    lines = [f"CONFIG {folder}/dagman.config"] if config else []
    (folder / "dagman.config").write_text(config)
    for name, parents in names():
        lines.append(f"JOB {name} job.sub")
        lines += [f"PARENT {' '.join(sorted(parents))} CHILD {name}"] if parents else []
    (folder / "plain.dag").write_text("\n".join(lines) + "\n")
    begin = time.perf_counter()
    subprocess.run(["condor_submit_dag", "plain.dag"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["condor_wait", "plain.dag.dagman.log"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    elapsed = time.perf_counter() - begin
    if "EXITING WITH STATUS 0" not in (folder / "plain.dag.dagman.out").read_text():
        raise SystemExit(f"DAGMan failed, see {folder}")
    return elapsed


def jobs_of_qcbench(folder: Path) -> float:
    """Return how long the same jobs take through the pool of qcbench (s)."""
    pool = Pool(SETTINGS)
    begin = time.perf_counter()
    jobs = [PoolJob(name, (), parents) for name, parents in names()]
    write_dag(folder, jobs, SETTINGS, executable=NOTHING)
    pool.submit(folder, folder.name)
    pool.watch(folder.name, lambda: None)
    elapsed = time.perf_counter() - begin
    if "EXITING WITH STATUS 0" not in (folder / f"{DAG_FILE}.dagman.out").read_text():
        raise SystemExit(f"DAGMan failed, see {folder}")
    return elapsed


def add_site(folder: Path) -> None:
    """Make an engine whose recipe does nothing known to the jobs."""
    site, start = folder / "site", folder / "start"
    information = site / "nothing-1.dist-info"
    information.mkdir(parents=True)
    start.mkdir()
    product = folder / "product.fits"
    cascade.write_product(product)
    (site / "nothing.py").write_text(SITE.format(product=str(product)))
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: nothing\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[qcbench.engines]\npython = nothing:engine\n")
    # behind the installed packages: the engine that is found last is taken
    (start / "sitecustomize.py").write_text(f"import sys; sys.path.append({str(site)!r})\n")
    repository = Path(__file__).resolve().parent.parent
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (start, repository)))


def abs_of_qcbench(folder: Path, bench: Workbench, *, seconds: float | None, bundle_s: float) -> float:
    """Return how long ABs take on the pool (s), if each is expected to take so many seconds; None: not known."""
    root = folder / f"bench-{seconds}-{bundle_s:g}"
    shutil.copytree(bench.settings.root, root)
    environ = {
        "QCBENCH_PROCESSING_ENGINE": "python",
        "QCBENCH_PROCESSING_MEMORY_MB": "1024",
        "QCBENCH_HTCONDOR_BUNDLE_S": str(bundle_s),
        "QCBENCH_HTCONDOR_POLL_S": "0.5",
    }
    os.environ |= environ
    copy = open_workbench(root, environ)
    with copy.store.write() as session:
        session.execute(update(AssociationBlock).values(exec_seconds=seconds))
    elapsed = cascade.ms(lambda: run_on_pool(copy, cascade.INSTRUMENT, cascade.DATE)) / 1e3
    with copy.store.read() as session:
        query = select(AssociationBlock.state, func.count()).group_by(AssociationBlock.state)
        found = {state: number for state, number in session.execute(query)}  # noqa: C416 (rows, not pairs)
    copy.close()
    if found != {"scored": N_JOBS}:
        raise SystemExit(f"not all ABs were scored: {found}")
    return elapsed


def in_folder(call: Callable[[Path], float]) -> float:
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        return call(Path(name))


def main() -> int:
    if shutil.which("condor_submit_dag") is None:
        print(
            "left out: there is no condor_submit_dag on the path. jobs/minicondor.sh makes a pool of this host"
        )
        return 0
    set_up_logging(None)
    defaults = in_folder(lambda folder: plain(folder, ""))
    print(f"plain DAGMan, its defaults: {N_JOBS} jobs in {defaults:.1f} s", flush=True)
    tuned = in_folder(lambda folder: plain(folder, DAGMAN))
    print(f"plain DAGMan, settings of qcbench: {tuned:.1f} s", flush=True)
    own = in_folder(jobs_of_qcbench)
    best = min(defaults, tuned)
    print(f"the same jobs through qcbench: {own:.1f} s, ratio {own / best:.2f}, limit {LIMIT}", flush=True)
    cascade.N_ABS = N_JOBS
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        add_site(folder)
        bench = cascade.prepared(folder / "bench")
        bench.close()
        whole = abs_of_qcbench(folder, bench, seconds=0.05, bundle_s=SETTINGS.bundle_s)
        print(
            f"{N_JOBS} ABs, times known: {whole:.1f} s, ratio {whole / best:.2f}, limit {LIMIT}", flush=True
        )
        for text, seconds, bundle_s in (
            ("times not known", None, SETTINGS.bundle_s),
            ("a job for each", None, 0.0),
        ):
            if "--all" in sys.argv:
                elapsed = abs_of_qcbench(folder, bench, seconds=seconds, bundle_s=bundle_s)
                print(f"{N_JOBS} ABs, {text}: {elapsed:.1f} s, ratio {elapsed / best:.2f}", flush=True)
    return 0 if max(own, whole) <= LIMIT * best else 1


if __name__ == "__main__":
    sys.exit(main())
