"""Virtual products of calSelector rules follow the frames of the database."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from qcbench.association.calselector import datasets as module
from qcbench.association.calselector import delete_rules, refresh
from qcbench.core.dates import utc_now
from qcbench.store import Frame, RuleSetVersion, VirtualDataset, record_event
from qcbench.workbench import Workbench
from tests.association.calsel_bench import START, content, datasets, ingest
from tests.association.observatory import DATE, INSTRUMENT, RULES, arrive, build, emptied, frame, template

DAY = dt.timedelta(days=1)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return build(tmp_path / "bench")


def forget_recent(bench: Workbench) -> None:
    """Let the last look at the frames be as long ago as it takes for those of before to be known for good."""
    with bench.store.write() as session:
        session.execute(update(RuleSetVersion).values(seen_until=utc_now()))


def test_each_group_of_calibrations_is_a_data_set(bench: Workbench) -> None:
    bias = template("BIAS", 12, 3)
    flats = template("FLAT,SKY", 3, 4)
    arrive(bench, [*bias, *flats, *template("OBJECT", 5, 3, catg="SCIENCE"), frame("FOCUS", 4)])
    ingest(bench)
    found = datasets(bench)
    assert list(found) == [f"{frames[0].arcfile.removesuffix('.fits')}_tpl" for frames in (flats, bias)]
    made = found[f"{bias[0].arcfile.removesuffix('.fits')}_tpl"]
    assert (made.action, made.raw_type, made.dfo_date, made.categories) == (
        "BIAS",
        "BIAS",
        DATE,
        ["MASTER_BIAS"],
    )
    assert made.frames == [[item.arcfile, "BIAS"] for item in bias]
    assert made.mjd_obs_mod == pytest.approx(bias[1].mjd_obs + 5 / 86400, abs=1e-9)
    assert made.keys["DET.BIN"] == 1
    assert "EXPTIME" not in made.keys


def test_a_group_that_is_too_small_is_none_until_the_rest_has_come(bench: Workbench) -> None:
    bias = template("BIAS", 12, 3)
    arrive(bench, bias[:2])
    number = ingest(bench)
    assert datasets(bench) == {}
    forget_recent(bench)
    bias[2].loaded_at = utc_now() + dt.timedelta(seconds=1)
    arrive(bench, bias[2:])
    assert refresh(bench, number) > 0
    assert [len(item.frames) for item in datasets(bench).values()] == [3]


def test_a_template_over_the_start_of_a_date_is_one_data_set(bench: Workbench) -> None:
    bias = template("BIAS", 24 - 1.5 / 60, 4)
    assert {item.dfo_date for item in bias} == {DATE, DATE + DAY}
    arrive(bench, bias)
    ingest(bench)
    (made,) = datasets(bench).values()
    assert (len(made.frames), made.dfo_date) == (4, DATE)


def test_the_first_frames_may_come_last(bench: Workbench) -> None:
    bias = template("BIAS", 24 - 2.5 / 60, 6)
    late = [item for item in bias if item.dfo_date == DATE]
    arrive(bench, bias[len(late) :])
    number = ingest(bench)
    assert [item.dfo_date for item in datasets(bench).values()] == [DATE + DAY]
    arrive(bench, late)
    refresh(bench, number)
    (made,) = datasets(bench).values()
    assert (made.name, len(made.frames)) == (f"{bias[0].arcfile.removesuffix('.fits')}_tpl", 6)


def test_frames_that_are_filtered_later_leave_their_data_set(bench: Workbench) -> None:
    bias = template("BIAS", 12, 4)
    arrive(bench, bias)
    number = ingest(bench)
    forget_recent(bench)
    assert refresh(bench, number) == 0
    with bench.store.write() as session:
        session.execute(update(Frame).where(Frame.arcfile == bias[0].arcfile).values(filtered="dome closed"))
        record_event(session, "create-ab", "frame_filtered", "kept out", instrument=INSTRUMENT, date=DATE)
    assert refresh(bench, number) > 0
    (made,) = datasets(bench).values()
    assert [file for file, _ in made.frames] == [item.arcfile for item in bias[1:]]


def test_what_was_seen_is_not_looked_at_again(bench: Workbench) -> None:
    arrive(bench, template("BIAS", 12, 3))
    number = ingest(bench)
    forget_recent(bench)
    assert refresh(bench, number) == 0


def test_the_days_around_a_set_are_known_as_far_as_its_rules_reach(bench: Workbench) -> None:
    before = [template("BIAS", 12, 3, date=START - days * DAY) for days in (2, 40)]
    arrive(bench, [*before[0], *before[1]])
    ingest(bench)
    assert [item.dfo_date for item in datasets(bench).values()] == [START - 2 * DAY]


def test_a_set_that_takes_over_again_sees_the_frames_of_these_dates(bench: Workbench) -> None:
    far = DATE + 60 * DAY
    arrive(bench, template("BIAS", 12, 3, date=far))
    first = ingest(bench)
    second = ingest(bench, DATE + 5 * DAY, rules=f"// another one\n{RULES}")
    with bench.store.write() as session:
        session.execute(delete(VirtualDataset).where(VirtualDataset.rule_set_id == first))
    delete_rules(bench, second)
    refresh(bench, first)
    assert [item.dfo_date for item in datasets(bench).values()] == [far]


def test_a_question_is_not_kept_waiting_by_frames_that_do_not_matter_for_it(bench: Workbench) -> None:
    arrive(bench, template("BIAS", 12, 3))
    number = ingest(bench)
    forget_recent(bench)
    late = template("BIAS", 12, 3, date=DATE + 60 * DAY)
    for item in late:
        item.loaded_at = utc_now() + dt.timedelta(seconds=1)
    arrive(bench, late)
    assert refresh(bench, number, DATE) == 0
    assert refresh(bench, number, DATE + 58 * DAY) == 1
    assert len(datasets(bench)) == 2


def test_any_number_of_steps_and_kills_ends_with_the_same(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [
        *template("BIAS", 12, 3),
        *template("BIAS", 12, 4, date=DATE + DAY),
        *template("FLAT,SKY", 24 - 1.5 / 60, 4),
        frame("WAVE", 14),
    ]
    arrive(bench, frames)
    ingest(bench)
    at_once = content(bench)
    assert len(at_once) == 4

    emptied(bench)
    arrive(bench, frames[::2])
    renewed: list[dt.date] = []
    real = module._renew

    def killed_at_the_second(*given: object) -> None:
        renewed.append(DATE)
        if len(renewed) == 2:
            raise KeyboardInterrupt
        real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_renew", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        ingest(bench)
    number = ingest(bench)
    arrive(bench, frames[1::2])
    refresh(bench, number)
    assert content(bench) == at_once
