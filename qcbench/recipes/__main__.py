"""The command line of the recipes: ``run JOB.json``, ``list`` and ``check``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from qcbench.recipes.running import check_parameters, list_recipes, run_job, set_up_log


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m qcbench.recipes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the recipe of a job file")
    run.add_argument("job", type=Path, metavar="JOB.json")
    commands.add_parser("list", help="print the recipes as JSON")
    commands.add_parser("check", help="read values of parameters as JSON, and print what is wrong with them")
    given = parser.parse_args(arguments)
    if given.command == "list":
        sys.stdout.write(list_recipes() + "\n")
        return 0
    if given.command == "check":
        sys.stdout.write(check_parameters(sys.stdin.read()) + "\n")
        return 0
    set_up_log()
    return run_job(given.job)


if __name__ == "__main__":
    sys.exit(main())
