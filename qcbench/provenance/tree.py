"""The history of a product as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qcbench.core.dates import iso_ut
from qcbench.provenance.tracing import Origin
from qcbench.store import RecipeRun

_HASH_DIGITS = 12
CHANGED = "▲ made anew since: what is there now is not what was used"


def tree_lines(origin: Origin) -> Iterator[str]:
    """Give the history of a product as a tree; what comes up again is told once."""
    yield _title(origin)
    yield from _below(origin, "", set())


def _below(origin: Origin, indent: str, told: set[int]) -> Iterator[str]:
    if origin.run is None:
        if origin.kind == "product":
            yield f"{indent}  no run of a recipe is known that made it as it is"
        return
    if origin.run.id in told:
        yield f"{indent}  see above"
        return
    told.add(origin.run.id)
    yield from (f"{indent}  {line}" for line in run_lines(origin.run))
    for number, item in enumerate(origin.origins, 1):
        is_last = number == len(origin.origins)
        yield f"{indent}  {'└' if is_last else '├'} {_title(item)}"
        yield from _below(item, f"{indent}  {' ' if is_last else '│'} ", told)


def run_lines(run: RecipeRun) -> Sequence[str]:
    """Return what is known of a run."""
    software = ", ".join(f"{name} {version}" for name, version in versions(run).items())
    given = ", ".join(f"{name}={value}" for name, value in run.parameters.items())
    return (
        f"made by {run.recipe} for {run.ab.name}",
        f"  {iso_ut(run.started_at)} UT, {run.seconds:.1f} s, at most {run.peak_mb:.0f} MiB, on {run.host}",
        f"  {software}",
        *([f"  parameters {given}"] if given else []),
    )


def versions(run: RecipeRun) -> dict[str, str]:
    """Return the software of a run with its versions: for the engine that of what it called."""
    found = {name: str(version) for name, version in run.versions.items() if name != run.engine}
    called, _, version = str(run.versions.get(run.engine, "")).rpartition(" ")
    return ({called: version} if called else {}) | found


def _title(origin: Origin) -> str:
    parts = [origin.name, origin.tag]
    if origin.kind != "product":
        parts.append({"raw": "raw frame", "general": "general calibration"}[origin.kind])
    if origin.state:
        parts.append(origin.state)
    if origin.sha256:
        parts.append(f"sha256 {origin.sha256[:_HASH_DIGITS]}")
    return "  ".join([*parts, *([CHANGED] if origin.changed else [])])
