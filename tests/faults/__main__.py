"""Inject all faults and print what they led to: ``python -m tests.faults [--long] [OPTION OF PYTEST …]``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.table import Table


def main(arguments: list[str]) -> int:
    """Run the tests of faults, with `--long` also those that take long; return the exit code of pytest."""
    table = Table()
    chosen = ["-m", "long or not long" if "--long" in arguments else "not long"]
    others = [item for item in arguments if item != "--long"]
    code = pytest.main([str(Path(__file__).parent), "-q", *chosen, *others], plugins=[table])
    sys.stdout.write("\n".join(table.lines()) + "\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
