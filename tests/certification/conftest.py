from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qcbench.workbench import Workbench
from tests.builders import build_workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    built = build_workbench(tmp_path / "wb")
    yield built
    built.close()
