"""Which header keys tell one setup of an instrument from another: those that change from template to template."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from qcbench.fits import Value

_ROOTS = ("INS.", "DET.")
_PLAIN = ("EXPTIME",)
# keys that say which detector a file is of
_PARTS = ("EXTNAME", "DET.CHIP1.ID", "DET.CHIP1.NAME", "OCS.CON.QUAD")
# counters, dates and names of software change, too, and are no setup
_NO_SETUP = ("DATE", "DID", "ENC", "FRAM", "EXP", "TEMP", "TLM", "UIT", "SWSIM", "COMMENT", "NO", "RA", "DEC")
_MOST = 3
# of each the first that frames have
_READOUT = (("DET.READ.SPEED", "DET.READ.MODE", "DET.READ.CURNAME"), ("DET.WIN1.BINX", "DET.DIT"))
_PREFERRED = ("NAME", "DIT", "MODE", "SPEED", "BINX", "WLEN", "WID")


def setup_keys(
    frames: Sequence[Mapping[str, Value]], *, detector_only: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Find the keys that have one value in each template, and not the same in all of them.

    Where an exposure has a file for each detector, the key that says which one comes first.

    Parameters
    ----------
    detector_only : bool
        The frames see no light: what stands in its way is no setup.

    Returns
    -------
    tuple of tuple of str
        The few that tell all setups apart, as far as three can; and those that change as one of these does.
    """
    part = _part_key(frames)
    templates: dict[tuple[str, str], list[Mapping[str, Value]]] = defaultdict(list)
    for keys in frames:
        template = keys.get("TPL.START", keys.get("ARCFILE", ""))
        templates[str(template), str(keys.get(part))].append(keys)
    values = {
        key: found
        for key in sorted({key for keys in frames for key in keys})
        if _may_be_setup(key, detector_only=detector_only)
        and (found := _by_template(key, list(templates.values())))
    }
    varying = {key: found for key, found in values.items() if len(set(found)) > 1}
    chosen = [part] if part else []
    chosen += _readout(frames) if detector_only else []
    together = [[str(found[0].get(key)) for found in templates.values()] for key in chosen]
    also: list[str] = []
    for key in sorted(varying, key=lambda key: (_rank(key), key)):
        finer = len(set(zip(*together, varying[key], strict=True))) > len(set(zip(*together, strict=True)))
        if (finer or not chosen) and len(chosen) < _MOST:
            chosen.append(key)
            together.append(varying[key])
        elif key not in chosen:
            also.append(key)
    return tuple(chosen), tuple(also)


def _readout(frames: Sequence[Mapping[str, Value]]) -> list[str]:
    """Return the keys of the readout, also where these frames have one: those of another night may have others."""
    names = (next((key for key in choice if all(key in keys for keys in frames)), "") for choice in _READOUT)
    return [name for name in names if name]


def _part_key(frames: Sequence[Mapping[str, Value]]) -> str:
    """Return the key that tells the files of one exposure apart; nothing where each exposure is one file."""
    exposures: dict[tuple[Value | None, ...], list[Mapping[str, Value]]] = defaultdict(list)
    for keys in frames:
        exposures[keys.get("TPL.START"), keys.get("TPL.EXPNO")].append(keys)
    parted = [found for found in exposures.values() if len(found) > 1 and "TPL.EXPNO" in found[0]]
    if not parted:
        return ""
    most = max(len(found) for found in parted)
    names = [
        key
        for key in parted[0][0]
        if key in _PARTS or _may_be_setup(key)
        if all(len({str(keys.get(key)) for keys in found}) == len(found) for found in parted)
        and len({str(keys.get(key)) for keys in frames}) == most
    ]
    return min(names, key=lambda key: (key not in _PARTS, _rank(key), key), default="")


def _may_be_setup(key: str, *, detector_only: bool = False) -> bool:
    if not key.startswith("DET." if detector_only else _ROOTS):
        return key in _PLAIN
    return not any(word.rstrip("0123456789") in _NO_SETUP for word in key.split(".")[1:])


def _by_template(key: str, templates: Sequence[Sequence[Mapping[str, Value]]]) -> list[str] | None:
    """Return the value of each template; None where a template has several, or hardly two have the same."""
    found = []
    for frames in templates:
        values = {str(keys.get(key)) for keys in frames}
        if len(values) > 1:
            return None
        found.append(values.pop())
    measured = any(isinstance(frames[0].get(key), float) for frames in templates)
    # what is measured is never twice the same
    return None if measured and len(set(found)) == len(found) > 2 else found


def _rank(key: str) -> int:
    word = key.rpartition(".")[2]
    return _PREFERRED.index(word) if word in _PREFERRED else len(_PREFERRED)
