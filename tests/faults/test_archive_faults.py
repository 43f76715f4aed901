"""An archive that goes away in the middle: nobody is blamed, and when it is back all goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import daily
from tests.faults.befall import is_beyond, look
from tests.faults.disturbances import Gone
from tests.faults.rig import Rig


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("first", "step"), [(250, 400), pytest.param(2, 12, marks=pytest.mark.long)])
def test_an_archive_that_goes_away_is_said(
    rig: Rig, tmp_path: Path, judge: Callable[..., None], first: int, step: int
) -> None:
    for moment in range(first, rig.operations + 1, step):
        root = tmp_path / str(moment)
        rig.fresh(root).close()
        ended = daily.run(rig, root, Gone(moment))
        if not is_beyond(rig, moment, ended):
            root.with_name(f"{root.name}.away").rename(root / "archive")
        judge("archive: gone from then on", look(rig, root, ended), moment)
