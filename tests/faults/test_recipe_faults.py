"""Whatever a recipe does, its AB alone fails, with a reason that can be read; mended, it ends well."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from qcbench.processing import Cascade, process_ab
from qcbench.store import AssociationBlock
from qcbench.workbench import Workbench
from tests.faults import rig as rigs
from tests.faults.compare import all_is_mended, only_these_suffer
from tests.faults.rig import Rig
from tests.faults.table import RECORDED

# in the environment of a recipe and of all that it starts
MARK = "QCBENCH_WORK_DIR"
# what the pack of the rig's instrument calls the victim's recipe for its engine
RECIPE = "dark"
# what the recipe does, and what is said of it
CODES = {
    1: "unspecified error", 5: "file read or write error", 6: "bad file format", 9: "file not found",
    10: "data not found", 13: "input data do not match", 14: "illegal input", 15: "illegal output",
    19: "type mismatch", 255: "EsoRex refused its options",
}  # fmt: skip
FAULTS = {
    **{f"code {code}": (f"exit {code}", f"ended with code {code}: {text}") for code, text in CODES.items()},
    "code 61, which has no name": ("exit 61", "ended with code 61"),
    "error trail": (
        "echo \"[1/2] 'Missing FITS card EXPTIME' (10) at f:file.c:1\"; echo \"[2/2] 'x' (10) at g:f.c:2\"; exit 10",
        "ended with code 10: Missing FITS card EXPTIME",
    ),
    "crash, SIGSEGV": ("kill -SEGV $$; sleep 5", "crashed (SIGSEGV)"),
    "crash, SIGABRT": ("kill -ABRT $$; sleep 5", "crashed (SIGABRT)"),
    "killed from outside": ("kill -KILL $$; sleep 5", "was killed (SIGKILL)"),
    "hangs": ("sleep 60", f"it ran longer than {rigs.TIMEOUT_S} s"),
    "ignores signals and hangs": ("trap '' TERM INT HUP; while :; do sleep 1; done", "it ran longer than"),
    "leaves a child in the background": (
        "setsid sleep 61 & make_products; rm products/*.fits; exit 0", "but wrote no MASTER_DARK"
    ),
    "hangs with children": ("sleep 62 & setsid sleep 62 & wait", "it ran longer than"),
    "fills its folder": ("head -c 60000000 /dev/zero > big; sleep 60", "more than the 20 that it may"),
    "eats memory": (
        "exec python3 -c 'import time; x = bytearray(500_000_000); time.sleep(60)'",
        "more than the 300 that it may",
    ),
    "writes no product": ("echo '[]' > products.json; exit 0", "ended well but wrote no MASTER_DARK"),
    "writes no list of products": ("exit 0", "ended well but wrote no MASTER_DARK"),
    "lists what it has not written": ("make_products; rm products/*; exit 0", "ended well but wrote no MASTER_DARK"),
    "writes another PRO.CATG": (
        "make_products; sed -i s/MASTER_DARK/MASTER_LIGHT/ products.json; exit 0",
        "ended well but wrote no MASTER_DARK",
    ),
    "writes another PRO.CATG into the header": (
        "make_products; LC_ALL=C sed -i s/MASTER_DARK/MASTER_LITE/ products/*.fits; exit 0",
        "lists it as MASTER_DARK, but its header has PRO.CATG MASTER_LITE",
    ),
    "writes half of a product": (
        'make_products; for f in products/*.fits; do head -c 20000 "$f" > half; mv half "$f"; done; exit 0',
        "a product that is cut short",
    ),
    "writes what is no FITS": (
        'make_products; for f in products/*.fits; do echo no > "$f"; done; exit 0', "not a readable FITS file"
    ),
    "writes a list that is no list": (
        "make_products; echo '{{' > products.json; exit 0", "its list of products can't be read"
    ),
    "fills its log": ("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 1", "the end"),
    "removes its folder": ('rm -rf "$PWD"; exit 1', "removed the folder in which it worked"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_recipe_is_the_failure_of_its_ab_alone(
    rig: Rig, tmp_path: Path, tell: Callable[..., None], name: str
) -> None:
    bench = rig.copy(tmp_path / "bench")
    script, said = FAULTS[name]
    fault = tmp_path / "fault.sh"
    fault.write_text(f"{script}\n")
    ended = rigs.run(rig, bench, fault)
    _fail_alone(rig, bench, {f"{rig.victim}.ab"}, ended, said)
    assert _strays(tmp_path) == []

    fault.unlink()
    _mend(rig, bench, {f"{rig.victim}.ab"}, runs=1)
    bench.close()
    tell(f"recipe: {name}", RECORDED)


def test_a_recipe_that_is_not_installed_is_the_failure_of_its_abs_alone(
    rig: Rig, tmp_path: Path, tell: Callable[..., None]
) -> None:
    bench = rig.copy(tmp_path / "bench")
    recipe = rigs.block(bench, rig.victim).recipe
    with bench.store.read() as session:
        victims = set(session.scalars(select(AssociationBlock.name).where(AssociationBlock.recipe == recipe)))
    assert len(victims) > 1
    ended = rigs.run(rig, bench, missing=RECIPE)
    said = f"no engine can run {recipe}: not esorex: the settings ask for python; not python: no installed pipeline"
    _fail_alone(rig, bench, victims, ended, said)

    _mend(rig, bench, victims, runs=0)
    bench.close()
    tell("recipe: is not installed", RECORDED)


def _fail_alone(rig: Rig, bench: Workbench, victims: set[str], ended: Cascade, said: str) -> None:
    only_these_suffer(rig, bench, victims)
    assert f"{rig.victim}.ab" in {root for roots in ended.roots().values() for root in roots}
    for name in victims:
        reason = rigs.block(bench, name).reason
        assert reason
        assert said in reason
        assert "Traceback" not in reason
        assert len(reason) < 500
    assert list(bench.tree.work.iterdir()) == []


def _mend(rig: Rig, bench: Workbench, victims: set[str], runs: int) -> None:
    """Process the victims again, and what waited for them; each has so many failed runs of its recipe."""
    with rigs.recipes(rig):
        for name in sorted(victims):
            assert process_ab(bench, name, engines={"python": rigs.StandIn()}, again=True).ok
    rigs.run(rig, bench)
    all_is_mended(rig, bench, victims, runs)


def _strays(folder: Path) -> list[psutil.Process]:
    """The processes that live on and work below a folder, or carry the mark of a recipe that did."""
    for _ in range(20):
        found = [process for process in psutil.process_iter() if _is_of(process, os.fspath(folder))]
        if not found:
            break
        # one that was killed may be on its way
        time.sleep(0.05)
    return found


def _is_of(process: psutil.Process, folder: str) -> bool:
    try:
        return process.cwd().startswith(folder) or process.environ().get(MARK, "").startswith(folder)
    except psutil.Error:
        return False
