"""Time of header ingestion (archive to rows of the database), as a ratio to ``dfits | fitsort``.

5,000 files of 250 primary cards and four image extensions of 40 cards, warm, all on one core, each in turn. Ingestion
reads the headers of all HDUs: its limit is set against ``dfits -x 0``, which does so too; plain ``dfits`` reads the
primary headers alone. What a run made is kept to the end: ext4 is slow to make files where many were removed in the
last minutes.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from sqlalchemy import select

from qcbench.association import load_headers, scan_archive
from qcbench.store import Frame
from qcbench.workbench import Workbench, make_workbench

N_FILES, N_CARDS, N_VARYING, N_EXTENSIONS, N_EXTENSION_CARDS = 5000, 250, 45, 4, 40
RUNS = 7
LIMIT = 1.5
BLOCK, CARD = 2880, 80
PRIMARY, ALL = "dfits | fitsort, primary headers", "dfits -x 0 | fitsort, all headers"
OURS, TEXTS = "qcbench, all headers to the database", "qcbench, header files"
KEYS = "MJD-OBS ARCFILE DPR.TYPE TEL.SENS3.VAL"


def card(key: str, value: object, comment: str) -> str:
    """A card in the form of the observatory: a key with blanks is a HIERARCH key."""
    if isinstance(value, bool):
        text = "T" if value else "F"
    elif isinstance(value, str):
        text = f"'{value:<8}'"
    else:
        text = repr(value).upper()
    left = f"HIERARCH ESO {key} = {text}" if " " in key else f"{key:<8}= {text:>20}"
    return f"{left} / {comment}"[:CARD].ljust(CARD)


def padded(content: bytes, fill: bytes) -> bytes:
    return content.ljust(-(-len(content) // BLOCK) * BLOCK, fill)


def header(cards: list[str]) -> bytes:
    return padded("".join([*cards, "END".ljust(CARD)]).encode(), b" ")


def settings(chance: random.Random, n_cards: int) -> list[str]:
    """Cards that are the same in all files of a night."""
    values = (lambda i: f"name{i}", lambda _: chance.uniform(-1000, 1000), lambda i: i, lambda i: i % 3 == 0)
    return [
        card(
            f"INS{i // 20} OPTI{i} {('NAME', 'VAL', 'NO', 'ST')[i % 4]}",
            values[i % 4](i),
            "set for the night",
        )
        for i in range(n_cards)
    ]


def primary(number: int, fixed: list[str], chance: random.Random) -> bytes:
    """A primary header: readings of sensors between settings, and keys of the exposure."""
    second, minute = number % 60, number // 60
    when = f"2026-11-17T{minute // 60:02d}:{minute % 60:02d}:{second:02d}.{number % 1000:03d}"
    cards = [
        card("SIMPLE", True, "standard FITS"),
        card("BITPIX", 16, "bits of a pixel"),
        card("NAXIS", 0, "no pixels here"),
        card("EXTEND", True, "there are extensions"),
        card("INSTRUME", "HAWKI", "instrument"),
        card("ARCFILE", f"HAWKI.{when}.fits", "name in the archive"),
        card("DATE-OBS", when, "start of the exposure"),
        card("MJD-OBS", 61361.0 + number / 86400, "start of the exposure"),
        card("EXPTIME", float(number % 7), "s"),
        card("DPR CATG", "CALIB", "category"),
        card("DPR TYPE", "DARK", "type"),
        card("TPL START", f"{when[:15]}0:00", "start of the template"),
        card("TPL NEXP", 10, "exposures of the template"),
    ]
    readings = (chance.uniform(-50, 900), round(chance.uniform(0, 30), 2), chance.randrange(10**6))
    varying = [card(f"TEL SENS{i} VAL", readings[i % 3] + i, "reading") for i in range(N_VARYING)]
    rest = list(fixed)
    for i, reading in enumerate(varying):
        rest.insert(i * 5, reading)
    return header([*cards, *rest][: N_CARDS - 1])


def extension(number: int, chance: random.Random) -> bytes:
    cards = [
        card("XTENSION", "IMAGE", "image extension"),
        card("BITPIX", 16, "bits of a pixel"),
        card("NAXIS", 2, "axes"),
        card("NAXIS1", 10, "pixels"),
        card("NAXIS2", 10, "pixels"),
        card("PCOUNT", 0, "parameters"),
        card("GCOUNT", 1, "groups"),
        card("EXTNAME", f"CHIP{number}.INT1", "detector"),
    ]
    for i in range(N_EXTENSION_CARDS - 1 - len(cards)):
        cards.append(card(f"DET CHIP{number} P{i}", chance.uniform(0, 10) if i % 4 == 0 else i, "detector"))
    return header(cards) + padded(bytes(200), b"\0")


def make_files(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(1)
    fixed = settings(chance, N_CARDS)
    for number in range(N_FILES):
        extensions = [extension(i + 1, chance) for i in range(N_EXTENSIONS)]
        content = primary(number, fixed, chance) + b"".join(extensions)
        (folder / f"HAWKI.{number:05d}.fits").write_bytes(content)


def ms_per_file(call: Callable[[], object]) -> tuple[float, float]:
    """Elapsed and processor time."""
    begin, before = time.perf_counter(), os.times()
    call()
    elapsed, after = time.perf_counter() - begin, os.times()
    return elapsed / N_FILES * 1e3, (sum(after[:4]) - sum(before[:4])) / N_FILES * 1e3


def reference(folder: Path, options: str) -> None:
    # xargs: a shell may refuse a command line of 5,000 names
    command = (
        f"find . -name '*.fits' -print0 | sort -z | xargs -0 dfits {options} | fitsort {KEYS} > /dev/null"
    )
    subprocess.run(command, shell=True, cwd=folder, check=True)


def ingest(bench: Workbench) -> None:
    scan = scan_archive(bench, wanted=lambda _: True)
    if sum(scan.loaded.values()) != N_FILES or scan.problems:
        raise SystemExit(f"{sum(scan.loaded.values())} of {N_FILES} files were loaded: {scan.problems[:3]}")


def write_texts(bench: Workbench) -> None:
    """Write the header files, which are derived from the archive when a date is loaded."""
    with bench.store.read() as session:
        nights = session.execute(select(Frame.instrument, Frame.dfo_date).distinct()).all()
    if problems := [text for name, date in nights for text in load_headers(bench, name, date).problems]:
        raise SystemExit(f"header files were not written: {problems[:3]}")


def new_bench(folder: Path, files: Path) -> Workbench:
    bench = make_workbench(folder, ("hawki",), {})
    raw = bench.settings.archive_path / "raw"
    shutil.rmtree(raw)
    raw.symlink_to(files)
    return bench


def main() -> int:
    if shutil.which("dfits") is None:
        print("header ingestion: dfits (qfits-tools) is not installed, nothing to compare with")
        return 0
    cores = psutil.Process().cpu_affinity()
    os.sched_setaffinity(0, {min(cores or [0])})
    times: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        files = Path(name) / "files"
        make_files(files)
        reference(files, "")
        # in turn, so that what else the machine does hits all
        for run in range(RUNS):
            bench = new_bench(Path(name) / f"run{run}", files)
            for what, call in (
                (PRIMARY, lambda: reference(files, "")),
                (ALL, lambda: reference(files, "-x 0")),
                (OURS, lambda bench=bench: ingest(bench)),
                (TEXTS, lambda bench=bench: write_texts(bench)),
            ):
                times.setdefault(what, []).append(ms_per_file(call))
    best = {what: [min(column) for column in zip(*found, strict=True)] for what, found in times.items()}
    for what, (elapsed, busy) in best.items():
        print(f"{what:<39} | {elapsed:.3f} ms per file, {busy:.3f} of them on the processor")
    ratios = {
        what: [mine / theirs for mine, theirs in zip(best[OURS], best[what], strict=True)]
        for what in (PRIMARY, ALL)
    }
    memory = psutil.Process().memory_info().rss / 2**20
    print(
        f"header ingestion: ratio {ratios[ALL][0]:.2f} to dfits -x 0 | fitsort, which reads the same headers, limit "
        f"{LIMIT} (processor time {ratios[ALL][1]:.2f}); {ratios[PRIMARY][0]:.2f} to plain dfits | fitsort, which "
        f"reads primary headers alone (processor time {ratios[PRIMARY][1]:.2f}); memory {memory:.0f} MiB"
    )
    return 1 if ratios[ALL][0] > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
