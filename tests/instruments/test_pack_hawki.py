"""HAWK-I: science is grouped by observation block, with its sky."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcbench.instruments import InstrumentPack, find_pack
from qcbench.oca import group
from tests.instruments.pipelines import Header, Night, classified


@pytest.fixture(scope="module")
def pack() -> InstrumentPack:
    return find_pack("hawki")


@pytest.fixture(scope="module")
def science(pack: InstrumentPack, night_of: Callable[[str], Night]) -> list[Header]:
    return [keys for keys in night_of("hawki").frames if keys["RAW.TYPE"] == "SCI_IMAGE"]


def test_templates_of_an_observation_block_are_reduced_together(
    pack: InstrumentPack, science: list[Header]
) -> None:
    sky = [
        classified(pack.rules, keys | {"DPR.TYPE": "SKY", "TPL.START": "2026-11-18T06:00:00"})
        for keys in science
    ]
    (together,) = group(pack.rules, [*science, *sky]).groups
    assert together.action == "SCI_IMAGE"
    assert len(together.members) == 2 * len(science)


def test_each_observation_block_is_reduced_by_itself(pack: InstrumentPack, science: list[Header]) -> None:
    later = [keys | {"OBS.START": "2026-11-18T06:00:00"} for keys in science]
    assert len(group(pack.rules, [*science, *later]).groups) == 2
