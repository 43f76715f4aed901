"""Sets of calSelector rules: which one is in force, what may be changed, and what stays for ever."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pytest

from qcbench.association.calselector import (
    Answer,
    CalSelector,
    delete_rules,
    download_rules,
    list_rules,
    read_rules,
    rules_on,
    store_rules,
)
from qcbench.core.errors import NotFoundError, RuleError, StoreError
from qcbench.oca import parse_rules
from qcbench.workbench import Workbench
from tests.association.calsel_bench import START, answer, ask, datasets, ingest
from tests.association.observatory import DATE, INSTRUMENT, RULES, arrive, build, frame, template

DAY = dt.timedelta(days=1)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return build(tmp_path / "bench")


def in_force(bench: Workbench, date: dt.date) -> int:
    with bench.store.read() as session:
        return rules_on(session, INSTRUMENT, date).id


def other_rules(number: int) -> str:
    """Rules that say the same, in another text."""
    return f"// number {number}\n{RULES}"


def test_the_rules_of_the_pack_are_taken_as_they_are(bench: Workbench) -> None:
    number = ingest(bench)
    text = download_rules(bench, number)
    assert text.encode() == (bench.pack(INSTRUMENT).folder / "rules.oca").read_bytes()
    (known,) = list_rules(bench, [INSTRUMENT])
    assert known.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert (known.valid_from, known.in_force_to, known.used_at, known.is_whole) == (START, None, None, True)


def test_a_set_is_whole_by_itself(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "common.h").write_text('#define BIAS_TYPE "BIAS"\n')
    rules = RULES.replace('DPR.TYPE == "BIAS"', "DPR.TYPE == BIAS_TYPE")
    main = tmp_path / "main.oca"
    main.write_text(f'#include "common.h"\n{rules}')
    number = ingest(bench, path=main)
    (tmp_path / "common.h").unlink()
    assert "#include" not in download_rules(bench, number)
    assert parse_rules(download_rules(bench, number), "set") == parse_rules(RULES, "pack")


def test_each_set_is_in_force_until_the_next_one_starts_or_its_own_end(bench: Workbench) -> None:
    first = ingest(bench, START)
    later = ingest(bench, DATE + 10 * DAY, DATE + 20 * DAY, rules=other_rules(2))
    between = ingest(bench, DATE, rules=other_rules(3))
    assert [in_force(bench, date) for date in (START, DATE - DAY, DATE, DATE + 9 * DAY)] == [
        first, first, between, between,
    ]  # fmt: skip
    assert in_force(bench, DATE + 20 * DAY) == later
    for date in (START - DAY, DATE + 21 * DAY):
        with pytest.raises(NotFoundError, match=f"none for {date}.*qcbench calsel-manager ingest"):
            in_force(bench, date)
    ranges = [(item.valid_from, item.in_force_to) for item in list_rules(bench, [INSTRUMENT])]
    assert ranges == [
        (START, DATE - DAY), (DATE, DATE + 9 * DAY), (DATE + 10 * DAY, DATE + 20 * DAY),
    ]  # fmt: skip


def test_without_any_set_the_command_is_named(bench: Workbench) -> None:
    science = template("OBJECT", 5, 3, catg="SCIENCE")
    arrive(bench, science)
    with pytest.raises(NotFoundError, match=f"qcbench calsel-manager ingest -i toy --from {DATE}"):
        ask(bench, science[0])


@pytest.mark.parametrize(
    ("first", "last", "why"),
    [
        (START, None, "starts on .*, too"),
        (START + 5 * DAY, START + 6 * DAY, "overlaps"),
        (START - 3 * DAY, START, "overlaps"),
        (DATE, DATE - DAY, "is before the first one"),
    ],
)
def test_dates_that_leave_open_which_set_holds_are_refused(
    bench: Workbench, first: dt.date, last: dt.date | None, why: str
) -> None:
    ingest(bench, START, START + 7 * DAY)
    with pytest.raises(StoreError, match=why):
        ingest(bench, first, last, rules=other_rules(2))
    assert len(list_rules(bench, [INSTRUMENT])) == 1


def test_rules_that_can_not_work_are_refused(bench: Workbench) -> None:
    with pytest.raises(RuleError, match=r"calselector\.oca:\d+:.*Nothing was ingested"):
        ingest(bench, rules=RULES.replace("action SCI\n", "action SCIENCE\n"))
    with pytest.raises(RuleError, match="expected"):
        ingest(bench, rules="if DPR.TYPE then nothing")
    assert list_rules(bench, [INSTRUMENT]) == []


@pytest.mark.parametrize(
    ("rules", "lacking"),
    [
        ("\n", "no classification rule .* no organisation rule .* no action"),
        (RULES[RULES.index("minRet = 3") :], "no classification rule"),
        (RULES[: RULES.index("minRet = 3")] + RULES[RULES.index("action BIAS") :], "no organisation rule"),
        (RULES[: RULES.index("minRet = 3")], "no organisation rule .* no action"),
    ],
)
def test_rules_that_answer_nothing_are_refused(bench: Workbench, rules: str, lacking: str) -> None:
    with pytest.raises(RuleError, match=rf"calselector\.oca:1:.*{lacking}.*Nothing was ingested"):
        ingest(bench, rules=rules)
    assert list_rules(bench, [INSTRUMENT]) == []


def test_rules_that_look_wrong_are_taken_with_a_warning(bench: Workbench, tmp_path: Path) -> None:
    path = tmp_path / "own.oca"
    path.write_text(RULES.replace("INS.FILT == INS.FILT", "INS.FILTER9 == INS.FILTER9"))
    findings = read_rules(bench.pack(INSTRUMENT), path).findings
    assert any("INS.FILTER9" in finding.text for finding in findings)


def test_a_set_that_was_not_used_is_deleted_with_its_data_sets(bench: Workbench) -> None:
    arrive(bench, template("BIAS", 12, 3))
    number = ingest(bench)
    assert len(datasets(bench)) == 1
    delete_rules(bench, number)
    assert (list_rules(bench, [INSTRUMENT]), datasets(bench)) == ([], {})
    with pytest.raises(NotFoundError, match="calsel-manager list"):
        delete_rules(bench, number)


def test_a_used_set_can_not_be_deleted_nor_replaced_where_it_has_answered(bench: Workbench) -> None:
    science = template("OBJECT", 6, 3, catg="SCIENCE")
    arrive(bench, science)
    number = ingest(bench)
    ask(bench, science[0])
    with pytest.raises(StoreError, match="it stays"):
        delete_rules(bench, number)
    with pytest.raises(StoreError, match=f"frames of {DATE} were answered.*--from {DATE + DAY}"):
        ingest(bench, DATE - DAY, rules=other_rules(2))
    # on other dates nothing was said yet
    later = ingest(bench, DATE + DAY, rules=other_rules(2))
    earlier = ingest(bench, START - 5 * DAY, START - DAY, rules=other_rules(3))
    assert [in_force(bench, date) for date in (START - DAY, DATE, DATE + DAY)] == [earlier, number, later]


def test_a_set_with_a_last_date_takes_no_answered_date_after_it(bench: Workbench) -> None:
    science = template("OBJECT", 6, 3, catg="SCIENCE")
    arrive(bench, science)
    number = ingest(bench)
    ask(bench, science[0])
    # it would end before the date, but where it has ended no other set is in force again
    with pytest.raises(StoreError, match=f"--from {DATE + DAY}, and without --to {DATE - 4 * DAY}"):
        ingest(bench, DATE - 5 * DAY, DATE - 4 * DAY, rules=other_rules(2))
    ask(bench, science[1])
    later = ingest(bench, DATE + DAY, rules=other_rules(2))
    assert [in_force(bench, date) for date in (DATE - 4 * DAY, DATE, DATE + DAY)] == [number, number, later]


def test_the_first_free_date_that_a_refusal_names_is_one(bench: Workbench) -> None:
    nights = [template("OBJECT", 6, 3, catg="SCIENCE", date=DATE + step * DAY) for step in (0, 6)]
    arrive(bench, [item for night in nights for item in night])
    ingest(bench)
    # the days after the answered one are taken: one set with a last date, one that has answered again
    ingest(bench, DATE + DAY, DATE + 3 * DAY, rules=other_rules(2))
    ingest(bench, DATE + 4 * DAY, rules=other_rules(3))
    for night in nights:
        ask(bench, night[0])
    with pytest.raises(StoreError, match=f"frames of {DATE} were answered.*--from {DATE + 7 * DAY}"):
        ingest(bench, DATE - DAY, rules=other_rules(4))
    later = ingest(bench, DATE + 7 * DAY, rules=other_rules(4))
    assert in_force(bench, DATE + 7 * DAY) == later


def test_after_a_set_has_ended_the_command_that_the_message_names_helps(bench: Workbench) -> None:
    science = template("OBJECT", 6, 3, catg="SCIENCE")
    arrive(bench, science)
    ingest(bench)
    ingest(bench, DATE - 5 * DAY, DATE - 4 * DAY, rules=other_rules(2))
    with pytest.raises(NotFoundError, match=f"none for {DATE}.*--from {DATE}"):
        ask(bench, science[0])
    assert in_force(bench, DATE - 6 * DAY) == 1
    assert ingest(bench, DATE) == 3
    ask(bench, science[0])
    assert in_force(bench, DATE) == 3


def test_only_an_answer_counts_as_use(bench: Workbench) -> None:
    unknown = frame("FOCUS", 2)
    arrive(bench, [unknown])
    number = ingest(bench)
    with pytest.raises(NotFoundError, match="do not say what it is"):
        ask(bench, unknown)
    (known,) = list_rules(bench, [INSTRUMENT])
    assert known.used_at is None
    delete_rules(bench, number)
    assert list_rules(bench, [INSTRUMENT]) == []


def test_rules_that_come_into_force_meanwhile_give_the_answer(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    science = template("OBJECT", 6, 3, catg="SCIENCE")
    arrive(bench, science)
    ingest(bench)
    work_out = CalSelector._answer_now

    def slow(service: CalSelector, *question: Any) -> Answer:
        given = work_out(service, *question)
        if len(list_rules(bench, [INSTRUMENT])) == 1:
            ingest(bench, DATE, rules=other_rules(2))
        return given

    monkeypatch.setattr(CalSelector, "_answer_now", slow)
    assert answer(bench, science[0]).rules.id == 2
    assert [item.used_at is None for item in list_rules(bench, [INSTRUMENT])] == [True, False]


def test_ingesting_the_same_again_changes_nothing(bench: Workbench) -> None:
    arrive(bench, template("BIAS", 12, 3))
    number = ingest(bench)
    before = list_rules(bench, [INSTRUMENT])
    assert ingest(bench) == number
    assert list_rules(bench, [INSTRUMENT]) == before


def test_an_ingestion_that_was_killed_goes_on_when_called_again(bench: Workbench) -> None:
    arrive(bench, template("BIAS", 12, 3))
    new = read_rules(bench.pack(INSTRUMENT))
    number = store_rules(bench, INSTRUMENT, new, START)
    (known,) = list_rules(bench, [INSTRUMENT])
    assert (known.is_whole, known.n_datasets) == (False, 0)
    assert ingest(bench) == number
    (known,) = list_rules(bench, [INSTRUMENT])
    assert (known.is_whole, known.n_datasets) == (True, 1)
