"""Hostile values for both text forms, and what they are put into."""

from __future__ import annotations

import datetime as dt

from hypothesis import strategies as st

from qcbench.blocks import AssociatedLine, BlockFile, CalibrationLine, LogFile, MissingLine
from qcbench.blocks.model import COMPLETENESS, EVALUATIONS, FLAGS, SINGLE

files = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:+#-]{0,30}", fullmatch=True)
hostile = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=" \t\n\r\x00\x0b\x85\u2028\ud800%#=_.-25Aä", max_size=12),
    st.text(min_size=1, max_size=3).map(lambda text: text * 200),
    st.sampled_from(
        ["V#641", "OIII # 687", "# 3", "a=b", "", "-", "%", "%23", "%%2", "100%", "x\nRAWFILE evil.fits BIAS"]
    ),
)
keys = hostile.filter(bool)
fixed = {
    "DATE": st.dates().map(dt.date.isoformat),
    # one word at the most
    "RECIPE": hostile.filter(lambda text: len(text.split()) < 2),
    "COMPLETENESS": st.sampled_from(COMPLETENESS),
    "PROCESS_STATUS": st.sampled_from(["CREATED", "SUCCESSFUL", "FAILED"]),
    "DRS_TYPE": st.sampled_from(["CPL", "CON", "INT", "RBS", "REI"]),
    "AB_NAME": files.map(lambda name: f"{name}.ab"),
    "PROD_ROOT_NAME": files,
    "LOG_NAME": files,
    "PROD_PATH": st.just("product/BIAS/2026-11-19"),
}


def days(digits: int) -> st.SearchStrategy[float | None]:
    """Time differences as their column can hold them."""
    return st.none() | st.integers(-(10**9), 10**9).map(lambda number: number / 10**digits)


def calibrations(digits: int) -> st.SearchStrategy[tuple[CalibrationLine, ...]]:
    """Calibrations of an AB, MCALIB before MASSOC."""
    line = st.builds(
        CalibrationLine,
        role=st.sampled_from(["MCALIB", "MASSOC"]),
        flag=st.sampled_from(FLAGS),
        file=files,
        tag=hostile,
        evaluation=st.sampled_from(EVALUATIONS),
        dt_days=days(digits),
    )
    return st.lists(line, max_size=4, unique=True).map(
        lambda lines: tuple(sorted(lines, key=lambda item: item.role, reverse=True))
    )


def pairs(names: st.SearchStrategy[str], least: int = 0) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Names with a value, no name twice."""
    return st.lists(
        st.tuples(names, hostile), min_size=least, max_size=3, unique_by=lambda pair: pair[0]
    ).map(tuple)


@st.composite
def fields(draw: st.DrawFn) -> tuple[tuple[str, str], ...]:
    """Single-valued qualifiers that don't contradict each other."""
    start = draw(st.floats(1, 99_000))
    times = {"MJD-OBS": start, "MJD-OBS_MOD": start + draw(st.floats(0, 2))}
    return tuple(
        (name, f"{times[name]:.8f}" if name in times else draw(fixed.get(name, hostile))) for name in SINGLE
    )


blocks = st.builds(
    BlockFile,
    fields=fields(),
    match_keys=pairs(keys),
    raw_files=pairs(files, 1),
    associated=st.lists(
        st.builds(AssociatedLine, files, hostile, st.sampled_from(EVALUATIONS), days(6)),
        max_size=3,
        unique=True,
    ).map(tuple),
    calibrations=calibrations(6),
    products=pairs(files),
    updated=st.none()
    | st.datetimes(dt.datetime(1990, 1, 1), timezones=st.just(dt.UTC)).map(
        lambda time: time.replace(microsecond=0)
    ),
)
logs = st.builds(
    LogFile,
    ab_name=files,
    raw_type=hostile,
    setup=hostile,
    completeness=st.sampled_from(COMPLETENESS),
    calibrations=calibrations(3),
    missing=st.lists(st.builds(MissingLine, hostile, st.booleans(), hostile), max_size=3).map(tuple),
)
