"""Run the cascades on whole detectors and write docs/validation.md: ``python -m validation DIR``.

Each instrument gets a workbench in the folder; one that is there is not run again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from qcbench.core.files import write_text
from qcbench.workbench import Workbench, open_workbench
from validation.cascades import FULL, Cascade, run
from validation.comparing import Compared, compare, runs

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "validation.md"
INTRODUCTION = """\
# Validation: what the pipelines find, and what was put in

Written by `make validation` from a run of the cascades on whole detectors; don't edit. Frames are simulated with a
known truth and go through the workflow (`auto-daily`: load, associate, process in the order of the cascade, measure,
score); each value stands in a QC1 table in the end. A tolerance is said with its reason; the tests use the same ones.

Two recipes write no QC parameter into their products, so there is nothing to compare: `naco_img_twflat` and
`vimos_ima_det_noise`. Three write levels alone, and are not compared: `vimos_ima_bias`, `vimos_ima_twilight_flat`
and `hawki_twilight_flat_combine`. Of `uves_cal_mdark` and `vimos_ima_dark` the truth is the dark current without hot
pixels.
MUSE is run with one IFU alone, by parameters of the AB. Times are those of one busy machine with two cores.
"""


def main(folder: Path) -> bool:
    """Run what was not run in a folder, write the document, and tell whether all agree."""
    parts, agree = [INTRODUCTION], True
    for cascade in FULL:
        root = folder / cascade.instrument
        known = (root / "qcbench.toml").exists()
        bench = open_workbench(root, {}) if known else run(cascade, root)
        found = list(compare(bench, cascade))
        agree &= bool(found) and all(item.agrees for item in found)
        parts += _chapter(bench, cascade, found)
        bench.close()
    write_text(DOCUMENT, "\n".join(parts))
    return agree


def _chapter(bench: Workbench, cascade: Cascade, found: list[Compared]) -> Iterator[str]:
    made = runs(bench)
    yield f"## {bench.pack(cascade.instrument).instrument.title}\n"
    yield f"Pipeline: {', '.join(sorted({call.versions[call.engine] for _, call in made}))}\n"
    yield "| raw type | recipe | parameters | state | seconds | peak memory (MiB) |\n|---|---|---|---|---|---|"
    for ab, call in made:
        parameters = ", ".join(f"{name}={value}" for name, value in call.parameters.items())
        yield (
            f"| {ab.raw_type} | {call.recipe} | {parameters} | {ab.state} | {call.seconds:.1f} | {call.peak_mb:.0f} |"
        )
    yield "\n| recipe | QC parameter | detector | put in | measured | difference | tolerance | unit | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    yield from map(_line, found)
    yield "\nTolerances:\n"
    reasons = {(item.comparison.table, item.comparison.column): item.comparison.why for item in found}
    for (table, column), why in reasons.items():
        yield f"- `{table}.{column}`: {why}."
    yield ""


def _line(item: Compared) -> str:
    measured = "" if item.value is None else f"{item.value:.5g}"
    difference = "" if item.value is None else f"{item.value - item.truth:+.2g}"
    verdict = "agrees" if item.agrees else "**differs**"
    return (
        f"| {item.run.recipe} | {item.column.key} | {item.detector} | {item.truth:.5g} | {measured} | {difference} "
        f"| {item.tolerance:.2g} | {item.column.unit} | {verdict} |"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m validation DIR")
    sys.exit(0 if main(Path(sys.argv[1]).resolve()) else "some values differ from what was put in")
