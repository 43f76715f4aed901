"""A simulated night of each pack, made once for all the tests of the packs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from qcbench.instruments import find_pack
from tests.instruments.pipelines import Night, observe

# the recipes of these two run on the frames of the night, and take their statistics away from the borders
WINDOWS = {"naco": 512, "uves": 512}


@pytest.fixture(scope="session")
def night_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Night]:
    @cache
    def observed(name: str) -> Night:
        return observe(find_pack(name), tmp_path_factory.mktemp(name), WINDOWS.get(name, 32))

    return observed
