"""Running recipes on ABs: engines, the processing of one AB, and jobs in the order of the cascade."""

from qcbench.processing.cascade import Cascade, Task, run_cascade
from qcbench.processing.checking import check_engines
from qcbench.processing.claims import recover_interrupted
from qcbench.processing.engines import Engine, RecipeJob, RecipeResult, load_engines
from qcbench.processing.htcondor import resume_job, run_on_pool
from qcbench.processing.jobs import JobResult, create_job, queued_cascade, waits_for
from qcbench.processing.pool import Pool
from qcbench.processing.process_ab import ProcessResult, process_ab
from qcbench.processing.removal import keep_window, remove_raw_of, tidy_raw
from qcbench.processing.supply import Supply

__all__ = [
    "Cascade",
    "Engine",
    "JobResult",
    "Pool",
    "ProcessResult",
    "RecipeJob",
    "RecipeResult",
    "Supply",
    "Task",
    "check_engines",
    "create_job",
    "keep_window",
    "load_engines",
    "process_ab",
    "queued_cascade",
    "recover_interrupted",
    "remove_raw_of",
    "resume_job",
    "run_cascade",
    "run_on_pool",
    "tidy_raw",
    "waits_for",
]
