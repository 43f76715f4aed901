"""From frames to associations with a real rule file of 2,771 lines: how long, how much memory, how it grows.

The rules are ESO's own for UVES (Debian's cpl-plugin-uves). The frames are those of a busy instrument: templates of
biases, darks, flats, arcs, standards and science in both arms, in 160 setups. The reference is the plain way: rule by
rule over every frame, without remembering anything, measured on as many frames as take a second or so.

Limits: classify, group and associate 100,000 frames against 20,000 calibrations in 10 s on one core with less than
1 GiB; time grows no faster than n log n.
"""

from __future__ import annotations

import math
import os
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from qcbench.oca import RuleSet, group, load_rules
from qcbench.oca.candidates import Candidate, CandidatePool
from qcbench.oca.cascade import cascade_of
from qcbench.oca.evaluate import classify
from qcbench.oca.values import Keys, Value

FRAMES = (10_000, 100_000, 400_000)
STATED = 100_000
CALIBRATIONS_PER_FRAME = 0.2
LIMIT_S = 10.0
LIMIT_MIB = 1024
FRAMES_PER_DAY = 150
REFERENCE_FRAMES = 500
FIRST_MJD = 58000.0

# (DPR.CATG, DPR.TYPE, DPR.TECH, exposures of a template)
TEMPLATES = (
    ("CALIB", "BIAS", "IMAGE", 5),
    ("CALIB", "DARK", "IMAGE", 3),
    ("CALIB", "LAMP,FMTCHK", "ECHELLE", 1),
    ("CALIB", "LAMP,ORDERDEF", "ECHELLE", 1),
    ("CALIB", "LAMP,FLAT", "ECHELLE", 5),
    ("CALIB", "LAMP,DFLAT", "ECHELLE", 5),
    ("CALIB", "LAMP,WAVE", "ECHELLE", 1),
    ("CALIB", "STD", "ECHELLE", 1),
    ("SCIENCE", "OBJECT,POINT", "ECHELLE,SLIT", 3),
    ("SCIENCE", "OBJECT,EXTENDED", "ECHELLE,SLIT", 2),
)
WAVELENGTHS = {1: (346.0, 390.0, 437.0, 455.0), 2: (520.0, 564.0, 580.0, 600.0, 760.0, 860.0)}
SPEEDS = ("225kHz,1x1,low", "50kHz,2x2,high")
SLITS = (0.3, 0.6, 0.8, 1.0)


def setup(chance: random.Random) -> dict[str, Value]:
    """Draw a setup of the instrument."""
    chips = chance.choice((1, 2))
    binning = chance.choice((1, 2))
    grating, slit = f"INS.GRAT{chips}", f"INS.SLIT{chips + 1}.WID"
    return {
        "INSTRUME": "UVES",
        "DET.CHIPS": chips,
        "DET.WIN1.BINX": binning,
        "DET.WIN1.BINY": binning,
        "DET.WIN1.NX": 2148 // binning,
        "DET.WIN1.NY": 3000 // binning,
        "DET.WIN1.STRX": 1,
        "DET.WIN1.STRY": 1,
        "DET.OUTPUTS": chips,
        "DET.READ.SPEED": chance.choice(SPEEDS),
        "INS.MODE": "BLUE" if chips == 1 else "RED",
        "INS.SLIT1.NAME": "FREE",
        "INS.PATH": "BLUE" if chips == 1 else "RED",
        f"{grating}.NAME": f"CD#{chips}",
        f"{grating}.WLEN": chance.choice(WAVELENGTHS[chips]),
        slit: chance.choice(SLITS),
    }


def frames(number: int, seed: int = 1) -> list[dict[str, Value]]:
    """Make the keys of frames, template after template."""
    chance = random.Random(seed)
    made: list[dict[str, Value]] = []
    while len(made) < number:
        catg, dpr_type, tech, n_exposures = chance.choice(TEMPLATES)
        own = setup(chance)
        mjd = FIRST_MJD + len(made) / FRAMES_PER_DAY
        start = f"T{mjd:.5f}"
        for exposure in range(min(n_exposures, number - len(made))):
            made.append(
                {
                    **own,
                    "DPR.CATG": catg,
                    "DPR.TYPE": dpr_type,
                    "DPR.TECH": tech,
                    "TPL.START": start,
                    "TPL.EXPNO": exposure + 1,
                    "TPL.NEXP": n_exposures,
                    "OBS.ID": int(mjd * 10),
                    "MJD-OBS": mjd + exposure * 1e-3,
                    "ARCFILE": f"UVES.{mjd:.5f}.{exposure}.fits",
                }
            )
    return made


def calibrations(rules: RuleSet, number: int, span_days: float, seed: int = 2) -> list[Candidate]:
    """Make calibrations of every category that the rules ask for, spread over the same time."""
    chance = random.Random(seed)
    wanted = sorted({category for need in cascade_of(rules).needs for category in need.categories})
    made = []
    for index in range(number):
        mjd = FIRST_MJD + chance.random() * span_days
        keys: dict[str, Value] = {**setup(chance), "PRO.CATG": wanted[index % len(wanted)], "MJD-OBS": mjd}
        keys |= classify(rules, keys).assigned
        made.append(Candidate(f"M.UVES.{mjd:.6f}.fits", keys, mjd, tier=index % 2))
    return made


def run(rules: RuleSet, number: int) -> tuple[float, str]:
    """Classify, group and associate; return the time (s) and what came out."""
    raw = frames(number)
    pool_of = calibrations(rules, int(number * CALIBRATIONS_PER_FRAME), number / FRAMES_PER_DAY)
    start = time.process_time()
    for keys in raw:
        keys |= classify(rules, keys).assigned
    classified = time.process_time()
    grouping = group(rules, raw)
    grouped = time.process_time()
    pool = CandidatePool(pool_of, rules.keys())
    n_asked = n_found = 0
    for made in grouping.groups:
        first = raw[made.members[0]]
        middle = sum(float(str(raw[index]["MJD-OBS"])) for index in made.members) / len(made.members)
        for association in rules.action(made.action).associations:
            n_asked += 1
            n_found += bool(pool.find(association, first, middle))
    end = time.process_time()
    text = (
        f"{number:>7,} frames: classify {classified - start:5.2f} s, group {grouped - classified:5.2f} s "
        f"({len(grouping.groups):,} groups), associate {end - grouped:5.2f} s ({n_found:,} of {n_asked:,} found "
        f"among {len(pool_of):,})"
    )
    return end - start, text


def plain(rules: RuleSet) -> float:
    """Return the time (s) of one frame if every rule is asked about it, and every calibration is looked at."""
    raw = frames(REFERENCE_FRAMES)
    pool = calibrations(rules, 2000, REFERENCE_FRAMES / FRAMES_PER_DAY)
    start = time.process_time()
    for keys in raw:
        keys |= dict(_one_by_one(rules, keys))
    for made in group(rules, raw).groups:
        first = raw[made.members[0]]
        for association in rules.action(made.action).associations:
            fitting = [item for item in pool if association.condition.evaluate(item.keys, first) is True]
            min(
                fitting, key=lambda item: abs((item.time or 0.0) - float(str(first["MJD-OBS"]))), default=None
            )
    return (time.process_time() - start) / REFERENCE_FRAMES


def _one_by_one(rules: RuleSet, keys: Keys) -> Iterator[tuple[str, Value]]:
    known = dict(keys)
    for rule in rules.classifiers:
        if rule.condition.evaluate(known, known) is True:
            for key, value in rule.assignments:
                known[key] = value.evaluate(known, known)
                yield key, known[key]


def main() -> int:
    """Run all, print the figures, and tell by the exit code whether the limits hold."""
    files = sorted(Path("/usr/share/cpl-plugins").glob("uves-*/gasgano/config/uves.oca"))
    if not files:
        print("The rule file of UVES is not installed: jobs/install_system_packages.sh installs it")
        return 1
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rules = load_rules(files[-1])
    times, peak = {}, 0.0
    for number in FRAMES:
        times[number], text = run(rules, number)
        if number == STATED:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(text)
    first, last = FRAMES[0], FRAMES[-1]
    growth = times[last] / times[first] / (last * math.log(last) / (first * math.log(first)))
    reference = plain(rules)
    ratio = times[STATED] / STATED / reference
    print(f"{STATED:,} frames: {times[STATED]:.2f} s (limit {LIMIT_S:.0f} s)")
    print(f"memory up to then: {peak:.0f} MiB (limit {LIMIT_MIB} MiB)")
    print(f"growth from {first:,} to {last:,} frames: {growth:.2f} of n log n (limit 1)")
    print(f"ratio to asking every rule and calibration ({reference * 1e3:.1f} ms a frame): {ratio:.4f}")
    return 0 if times[STATED] <= LIMIT_S and peak <= LIMIT_MIB and growth <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
