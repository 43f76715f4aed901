"""What an Association Block says against itself: lines that can't both be true are an error, odd ones a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from qcbench.blocks.lines import quoted
from qcbench.core.dates import dfo_date, parse_date

# a group is one template, or less: hours, not days
_LONGEST_DAYS = 3.0
# dates start at another hour elsewhere
_DAYS_OFF = 1


class ContradictionError(ValueError):
    """Two things that an AB says can't both be true; the argument names them, and the remedy."""


def odd_things(fields: Mapping[str, str], raw_files: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Give what does not fit together in an AB and can be read all the same.

    Parameters
    ----------
    fields : mapping of qualifier to value
        Those that the AB itself has, and those that were assumed.
    raw_files : sequence of (file, category)
        In the order of the AB.

    Raises
    ------
    ContradictionError
        Something can't be true.
    """
    _check_name(fields["AB_NAME"])
    _check_times(float(fields["MJD-OBS"]), float(fields["MJD-OBS_MOD"]))
    if len(fields["RECIPE"].split()) > 1:
        raise ContradictionError(
            f"RECIPE: expected one word, found {quoted(fields['RECIPE'])}. Correct the line"
        )
    if not fields["RECIPE"]:
        yield "RECIPE is empty: the AB can't be processed"
    date = parse_date(fields["DATE"])
    by_time = dfo_date(float(fields["MJD-OBS"]))
    if abs((by_time - date).days) > _DAYS_OFF:
        yield f"DATE is {date}, but MJD-OBS is of {by_time}: both are kept"
    of_batch = fields["BATCH_ID"].rpartition("_")[2]
    if of_batch != fields["DATE"]:
        yield f"BATCH_ID {quoted(fields['BATCH_ID'])} is not of DATE {date}: both are kept"
    roots = [name.removesuffix(".fits") for name, _ in raw_files]
    if not any(fields["AB_NAME"].startswith(root) for root in roots):
        yield f"AB_NAME {quoted(fields['AB_NAME'])} has the name of none of its raw files: it is kept"


def once(items: Sequence[tuple[str, object]], what: str) -> tuple[list[int], list[str]]:
    """Return the positions of the first of each item, and the names of those that stand there again.

    Parameters
    ----------
    items : sequence of (name, rest)
        What names a line, and all else that it says.

    Raises
    ------
    ContradictionError
        Two lines of one name say different things.
    """
    seen: dict[str, object] = {}
    kept, again = [], []
    for position, (name, rest) in enumerate(items):
        if name not in seen:
            seen[name] = rest
            kept.append(position)
        elif seen[name] == rest:
            again.append(name)
        else:
            raise ContradictionError(
                f"{what} {quoted(name)} is there twice, and its lines differ. Remove one of them"
            )
    return kept, again


def _check_name(name: str) -> None:
    if not name.endswith(".ab"):
        raise ContradictionError(
            f"AB_NAME: expected a name that ends in .ab, found {quoted(name)}. Correct the line"
        )


def _check_times(start: float, middle: float) -> None:
    if not start <= middle <= start + _LONGEST_DAYS:
        raise ContradictionError(
            f"MJD-OBS_MOD {middle} is no middle of a group that starts at MJD-OBS {start}. Correct one of them"
        )
