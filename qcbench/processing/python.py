"""The engine that runs the built-in Python recipes, each in a process of its own."""

from __future__ import annotations

import json
import os
import sys

import qcbench
from qcbench.core.files import write_text
from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.processing.esorex import result_of, root_cause
from qcbench.processing.running import describe_end, run_process

RUNNER = "qcbench.recipes"


class PythonEngine:
    """Runs recipes as ``python -m qcbench.recipes run JOB``."""

    name = "python"

    def problem(self, recipe: str) -> str | None:
        """Return nothing: the recipes come with qcbench; an unknown one ends with its exit code."""
        return None

    def version(self, recipe: str) -> str:
        """Return that of qcbench, which the recipes come with."""
        return f"qcbench {qcbench.__version__}"

    def run(self, job: RecipeJob) -> RecipeResult:
        """Run a recipe; the products are those that it lists when it has ended."""
        described = {
            "recipe": job.recipe,
            "instrument_recipe": job.instrument_recipe,
            "sof": [{"path": str(path), "tag": tag} for path, tag in job.sof],
            "parameters": dict(job.parameters),
            "output_dir": str(job.output_dir),
            "product_names": None,
        }
        file = write_text(job.work_dir / "job.json", json.dumps(described, indent=1))
        command = [sys.executable, "-m", RUNNER, "run", str(file)]
        ended = run_process(
            command,
            cwd=job.work_dir,
            log=job.log,
            limits=job.limits,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        reason = describe_end(ended, root_cause(job.log))
        return result_of(ended, reason, job.output_dir / "products.json", job.output_dir)
