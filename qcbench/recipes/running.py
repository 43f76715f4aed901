"""One recipe run: log, products, list of products, exit code."""

from __future__ import annotations

import json
import logging
import platform
import sys
import time
import traceback
from pathlib import Path

import qcbench
from qcbench.core.errors import FileWriteError
from qcbench.core.files import write_error, write_text
from qcbench.recipes import registry
from qcbench.recipes.failures import Code, RecipeRunError, bad_parameter
from qcbench.recipes.job import Job, Run, load_job
from qcbench.recipes.products import product_name, write_product

PRODUCTS_FILE = "products.json"
log = logging.getLogger(__name__)


def list_recipes() -> str:
    """Return the description of all recipes as JSON text."""
    return json.dumps([registry.get(name).describe() for name in registry.names()], indent=2)


def check_parameters(asked: str) -> str:
    """Return what is wrong with the values of parameters, as JSON text.

    Parameters
    ----------
    asked : str
        JSON text: a list of ``{"recipe": …, "parameters": {…}}``.

    Returns
    -------
    str
        JSON text: for each of the list the problems, by the names of the parameters.
    """
    jobs = json.loads(asked)
    return json.dumps([registry.get(item["recipe"]).problems(item["parameters"]) for item in jobs])


def run_job(path: Path) -> int:
    """Run the job of a file and return the exit code: 0, or that of the failure, told on stderr."""
    begin = time.perf_counter()
    name = "job"
    try:
        job = load_job(path)
        name = job.recipe
        _run(job)
    except RecipeRunError as err:
        return _fail(err, err.code, name)
    except FileWriteError as err:
        return _fail(err, Code.NOT_WRITTEN, name)
    except MemoryError as err:
        return _fail(err, Code.UNUSABLE_FRAMES, name)
    log.info("Recipe took %.3f seconds", time.perf_counter() - begin)
    return Code.OK


def _run(job: Job) -> None:
    _forget_products(job.output_dir / PRODUCTS_FILE)
    recipe = registry.get(job.recipe)
    run = Run(job, recipe.version, recipe.settle(job.parameters))
    log.info(
        "Recipe %s %s for %s; qcbench %s, Python %s",
        recipe.name, recipe.version, job.instrument_recipe, qcbench.__version__, platform.python_version(),
    )  # fmt: skip
    log.info("Parameters: %s", ", ".join(f"{name}={value}" for name, value in run.parameters.items()))
    used = {tag for item in recipe.inputs for tag in run.tags(item.parameter)}
    for line in job.sof:
        log.info("Frame %s %s%s", line.path, line.tag, "" if line.tag in used else " (not used)")
    written: dict[str, str] = {}
    for product in recipe.function(run):
        name = product_name(product, run)
        if name in written:
            raise bad_parameter(f"Products {written[name]} and {product.category} would both be {name}")
        write_product(product, run)
        log.info("Created product %s (%s)", name, product.category)
        written[name] = product.category
    listed = [{"name": name, "category": category} for name, category in written.items()]
    write_text(job.output_dir / PRODUCTS_FILE, json.dumps(listed, indent=2) + "\n")


def _forget_products(listed: Path) -> None:
    """Take away the list of an earlier try, which must not stand beside the products of one that failed."""
    try:
        listed.unlink(missing_ok=True)
    except OSError as err:
        raise write_error(listed, err) from err


def set_up_log() -> None:
    """Send the log of this process, with times, to stdout; warnings of libraries too."""
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s [%(levelname)7s] %(name)s: %(message)s"
    )
    logging.captureWarnings(True)


def _fail(err: Exception, code: Code, recipe: str) -> int:
    where = traceback.extract_tb(err.__traceback__)[-1]
    text = " ".join(str(err).split()) or type(err).__name__
    log.error("%s", text)
    sys.stderr.write(
        f"[1/1] '{text}' ({code.value}) at {recipe}:{Path(where.filename).stem}:{where.lineno}\n"
    )
    return code
