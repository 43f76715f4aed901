"""A group becomes an AB when nothing more is waited for: its template is whole or broken off, its frames suffice."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from qcbench.association.explaining import explain_frame
from qcbench.core.dates import time_of_mjd
from tests.association.observatory import (
    RULES,
    arrive,
    block,
    blocks,
    build,
    create,
    frame,
    mjd_at,
    template,
)

DURING = time_of_mjd(mjd_at(1.2))
LONG_AFTER = DURING + dt.timedelta(days=2)


def test_a_group_with_too_few_frames_is_waited_for_where_no_frame_says_how_many_come(tmp_path: Path) -> None:
    bench = build(tmp_path)
    biases = template("BIAS", 1.0, 2, TPL_NEXP=None)
    arrive(bench, biases)
    assert create(bench, now=DURING).waiting == [biases[0].arcfile]
    assert not blocks(bench)
    told = explain_frame(bench, biases[1].arcfile, now=DURING)
    assert told.answer == "BIAS, in no AB yet: 2 of at least 3 frames are there."
    assert told.waiting is not None
    assert told.waiting.template is None
    assert not create(bench, now=LONG_AFTER).waiting
    assert block(bench, "BIAS").missing[0]["why"] == "2 of at least 3 raw frames"


def test_a_group_is_formed_at_once_when_its_least_number_of_frames_is_there(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, template("BIAS", 1.0, 3, TPL_NEXP=None))
    assert len(create(bench, now=DURING).created) == 1


def test_a_whole_template_with_too_few_frames_waits_for_nothing(tmp_path: Path) -> None:
    bench = build(tmp_path)
    biases = template("BIAS", 1.0, 2)
    arrive(bench, biases)
    result = create(bench, now=DURING)
    assert (result.waiting, result.incomplete) == ([], result.created)
    assert block(bench, "BIAS").completeness == "INCOMPLETE"


def test_a_frame_of_no_template_stands_alone_and_waits_for_nothing(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [frame("BIAS", 1.0, TPL_NEXP=5)])
    assert not create(bench, now=DURING).waiting
    assert len(block(bench, "BIAS").inputs) == 1


def test_a_part_of_a_template_waits_for_the_frames_of_the_other_parts(tmp_path: Path) -> None:
    """The flats of one filter are there; the template goes on with another filter, and may come back to the first."""
    bench = build(tmp_path)
    flats = template("FLAT,SKY", 1.0, 6)
    for late in flats[3:]:
        late.keys["INS.FILT"] = "B"
    arrive(bench, flats[:5])
    assert create(bench, now=DURING).waiting == [flats[0].arcfile, flats[3].arcfile]
    arrive(bench, flats[5:])
    assert len(create(bench, now=DURING).created) == 2


def test_every_template_of_a_group_is_waited_for_not_only_the_first(tmp_path: Path) -> None:
    by_setup = RULES.replace("group by TPL.START,DET.BIN as", "group by DET.BIN as")
    bench = build(tmp_path, rules=by_setup)
    first, second = template("BIAS", 1.0, 3), template("BIAS", 1.1, 3)
    arrive(bench, [*first, *second[:2]])
    assert create(bench, now=DURING).waiting == [first[0].arcfile]
    told = explain_frame(bench, first[0].arcfile, now=DURING)
    assert told.waiting is not None
    assert told.waiting.template == second[0].tpl_start
    arrive(bench, second[2:])
    create(bench, now=DURING)
    assert len(block(bench, "BIAS").inputs) == 6


@pytest.mark.parametrize("here", [2, 3])
def test_frames_whose_last_one_decides_over_their_group_are_waited_for(tmp_path: Path, here: int) -> None:
    rules = RULES.replace(
        'where RAW.TYPE == "BIAS" group by TPL.START,DET.BIN as (TPL_A,tpl)',
        'where SIG.TEMPLATE == 1 and LF.DET.END == "LAST" group by TPL.START as (TPL_A,tpl)',
    )
    bench = build(tmp_path, rules=rules)
    biases = template("BIAS", 1.0, 3)
    biases[-1].keys["DET.END"] = "LAST"
    arrive(bench, biases[:here])
    result = create(bench, now=DURING)
    told = explain_frame(bench, biases[0].arcfile, now=DURING)
    if here == 3:
        assert len(result.created) == 1
        return
    assert result.waiting == [item.arcfile for item in biases[:2]]
    assert not result.unsupported
    assert "2 of 3 frames are there" in told.answer
    later = create(bench, now=LONG_AFTER)
    assert (later.waiting, later.unsupported) == ([], result.waiting)
