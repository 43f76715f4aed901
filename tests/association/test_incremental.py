"""Whatever the order in which frames come, and in however many steps: the ABs are the same in the end."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qcbench.core.dates import time_of_mjd
from qcbench.store import Frame
from qcbench.workbench import Workbench
from tests.association.observatory import (
    DATE,
    INSTRUMENT,
    LATER,
    add_general,
    arrive,
    blocks,
    build,
    create,
    emptied,
    mjd_at,
    summary,
    template,
    texts,
)

NEXT = DATE + dt.timedelta(days=1)
DATES = (DATE, NEXT)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    made = build(tmp_path_factory.mktemp("incremental"))
    add_general(made, "TY_GLIN.fits", **{"HIERARCH ESO PRO CATG": "LINE_CATALOG"})
    yield made
    made.store.dispose()


TEMPLATES = st.tuples(
    st.sampled_from(["BIAS", "FLAT,SKY", "WAVE", "STD", "ILLUM"]),
    st.sampled_from(DATES),
    # the last one goes on over the start of the next date
    st.sampled_from([1.0, 5.0, 11.0, 13.0, 18.0, 23.97]),
    st.integers(min_value=1, max_value=4),
    st.sampled_from([1, 2]),
    st.sampled_from(["V", "B"]),
)


def frames_of(templates: Sequence[tuple[str, dt.date, float, int, int, str]]) -> list[Frame]:
    found: dict[str, Frame] = {}
    for index, (kind, date, hours, number, binning, band) in enumerate(templates):
        # a few seconds apart, so that no two frames have one name
        made = template(
            kind, hours + index * 0.004, number, date=date, DET_BIN=binning, INS_FILT=band, TPL_NEXP=4
        )
        found |= {item.arcfile: item for item in made}
    return list(found.values())


def result_of(
    bench: Workbench, steps: Sequence[Sequence[Frame]], times: Sequence[dt.datetime] = (LATER,)
) -> tuple[object, object]:
    """What the ABs are in the end, with one call of create-ab for each step and one long after."""
    emptied(bench)
    for step, now in zip(steps, cycle(times), strict=False):
        arrive(bench, step)
        for date in DATES:
            create(bench, date, now=now)
    for date in DATES if times[-1] != LATER else ():
        create(bench, date)
    return summary(bench), texts(bench)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(templates=st.lists(TEMPLATES, min_size=1, max_size=8), seed=st.integers(), n_steps=st.integers(2, 6))
# the flat of the next date, which the standard is associated with, is classified before or after the standard
@example(
    templates=[("FLAT,SKY", NEXT, 1.0, 1, 1, "V"), ("STD", DATE, 1.0, 1, 1, "V")],
    seed=0,
    n_steps=2,
)
def test_any_order_and_any_number_of_steps_end_with_the_abs_of_one_call(
    bench: Workbench, templates: list[tuple[str, dt.date, float, int, int, str]], seed: int, n_steps: int
) -> None:
    frames = frames_of(templates)
    at_once = result_of(bench, [frames])
    shuffled = random.Random(seed).sample(frames, len(frames))
    steps = [shuffled[start::n_steps] for start in range(n_steps)]
    assert result_of(bench, steps) == at_once
    # calls while the templates are being taken: groups wait in one call, and are formed in another
    during = [time_of_mjd(mjd_at(hours)) for hours in (1.5, 13.5, 18.5)]
    assert result_of(bench, steps, during) == at_once


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(templates=st.lists(TEMPLATES, min_size=1, max_size=8), seed=st.integers())
def test_association_does_not_depend_on_the_order_of_rows(
    bench: Workbench, templates: list[tuple[str, dt.date, float, int, int, str]], seed: int
) -> None:
    frames = frames_of(templates)
    assert result_of(bench, [random.Random(seed).sample(frames, len(frames))]) == result_of(bench, [frames])


def test_the_frames_of_these_tests_make_abs_that_use_each_other(bench: Workbench) -> None:
    templates = [
        ("BIAS", DATE, 1.0, 4, 1, "V"),
        ("FLAT,SKY", NEXT, 5.0, 3, 1, "V"),
        ("STD", NEXT, 11.0, 1, 1, "V"),
    ]
    result_of(
        bench, [frames_of([*templates, ("ILLUM", NEXT, 13.0, 1, 1, "V"), ("WAVE", DATE, 5.0, 2, 1, "V")])]
    )
    assert [(ab.raw_type, ab.completeness, len(ab.calibrations)) for ab in blocks(bench)] == [
        ("BIAS", "COMPLETE", 0),
        ("ARC", "COMPLETE", 2),
        ("ARC", "COMPLETE", 2),
        ("FLAT", "COMPLETE", 1),
        ("STD", "COMPLETE", 1),
    ]
    assert [item.role for item in blocks(bench)[-1].inputs] == ["RAWFILE", "RCALIB", "RASSOC"]
    assert bench.instruments == (INSTRUMENT,)


def test_calling_again_changes_no_row_and_no_file(bench: Workbench, tmp_path: Path) -> None:
    frames = frames_of(
        [("BIAS", DATE, 1.0, 4, 1, "V"), ("FLAT,SKY", DATE, 5.0, 3, 1, "V"), ("STD", DATE, 11.0, 1, 1, "V")]
    )
    first = result_of(bench, [frames])
    stamps = [(ab.name, ab.updated_at) for ab in blocks(bench)]
    written = {
        path: path.stat().st_mtime_ns for path in bench.data(INSTRUMENT).root.rglob("*") if path.is_file()
    }
    again = create(bench)
    assert (again.created, again.associated, again.dissolved) == ([], [], [])
    assert (summary(bench), texts(bench)) == first
    assert [(ab.name, ab.updated_at) for ab in blocks(bench)] == stamps
    assert {path: path.stat().st_mtime_ns for path in written} == written
