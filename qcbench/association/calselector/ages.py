"""Calibrations that are further from what they calibrate than the calibration plan allows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from qcbench.association.calselector.compare import VALIDITY, Difference, is_master
from qcbench.association.calselector.tree import CALIB_PLAN, AssociationTree, path_of
from qcbench.blocks import time_of_name

_DAY = dt.timedelta(days=1)


def too_old(tree: AssociationTree, limits: Mapping[str, float]) -> tuple[Difference, ...]:
    """Return the raw files that an association calls within the calibration plan, and that are not.

    The distance is that of a file to the nearest one that it calibrates, before or after, by the times in their
    names. The name of a master tells when it was made, not when its data were taken: masters are passed over.

    Parameters
    ----------
    limits : mapping of category to float
        The greatest distance in days, for the category of an association or of a file; one without is not checked.
    """
    return tuple(
        difference
        for above, association in tree.walk()
        if above and association.match == CALIB_PLAN
        for difference in _beyond(above, association, limits)
    )


def _beyond(
    above: tuple[AssociationTree, ...], association: AssociationTree, limits: Mapping[str, float]
) -> Iterator[Difference]:
    calibrated = _times_of_nearest(above)
    for entry in association.main_files:
        limit = limits.get(association.category, limits.get(entry.category))
        time = _raw_time(entry.name)
        if limit is None or time is None or not calibrated:
            continue
        distance = min(((time - other) / _DAY for other in calibrated), key=abs)
        if abs(distance) > limit:
            side = "before" if distance < 0 else "after"
            allowed = f"the calibration plan allows {limit:g} d"
            text = f"{entry.name} is {abs(distance):.3f} d {side} what it calibrates; {allowed}"
            yield Difference(VALIDITY, path_of(above, association), entry.name, "", text)


def _times_of_nearest(above: Sequence[AssociationTree]) -> list[dt.datetime]:
    """Return the times of the raw files of the next association above that has any."""
    for association in reversed(above):
        times = [time for entry in association.main_files if (time := _raw_time(entry.name)) is not None]
        if times:
            return times
    return []


def _raw_time(name: str) -> dt.datetime | None:
    return None if is_master(name) else time_of_name(name)
