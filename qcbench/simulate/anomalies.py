"""What can go wrong at the simulated observatory, on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from qcbench.core.errors import SettingsError
from qcbench.simulate.scenes import Dark, Flat
from qcbench.simulate.schedule import Exposure

Night = tuple[Exposure, ...]

NOISE_JUMP = 1.6
NOISE_JUMP_NAME = "noise-jump"
FOREIGN_INSTRUMENT = "NOSUCHCAM"

_CHOICE = 21  # part of the seed of an anomaly's own choices


@dataclass(frozen=True)
class AnomalyRequest:
    """An anomaly that was asked for: on which night (from 1), and in which template of it (from 1) or any."""

    name: str
    night: int
    template: int | None = None


@dataclass(frozen=True)
class _Anomaly:
    text: str
    fits: Callable[[Night], bool]
    apply: Callable[[Night, int, str], Night]
    prefers: Callable[[Night], bool] = lambda template: True


def known_anomalies() -> dict[str, str]:
    """Return each anomaly's name with a line that says what it does."""
    return {name: anomaly.text for name, anomaly in _ANOMALIES.items()}


def parse_anomalies(texts: Sequence[str], nights: int) -> tuple[AnomalyRequest, ...]:
    """Read ``name``, ``name:night`` or ``name:night:template-index``; the night defaults to the last.

    Raises
    ------
    SettingsError
        An unknown name, or a night or template that is not a number in range.
    """
    requests = []
    for text in texts:
        name, *numbers = text.strip().split(":")
        if name not in _ANOMALIES:
            raise SettingsError(f"unknown anomaly '{name}'; known are {', '.join(_ANOMALIES)}")
        if len(numbers) > 2 or not all(n.isdecimal() and int(n) > 0 for n in numbers):
            raise SettingsError(
                f"anomaly '{text}' is not of the form name, name:night or name:night:template, counted from 1"
            )
        night = int(numbers[0]) if numbers else nights
        if night > nights:
            raise SettingsError(f"anomaly '{text}' is for night {night}, but only {nights} are simulated")
        requests.append(AnomalyRequest(name, night, int(numbers[1]) if len(numbers) == 2 else None))
    return tuple(requests)


def disturb(night: Night, requests: Sequence[AnomalyRequest], detectors: Sequence[str], seed: int) -> Night:
    """Return a night with the requested anomalies in it; each goes to another template where it can.

    Raises
    ------
    SettingsError
        No template of the night fits an anomaly, or the one that was named does not.
    """
    taken: set[int] = set()
    for number, request in enumerate(requests):
        index = _choose(night, request, taken)
        taken.add(index)
        rng = np.random.default_rng([seed, _CHOICE, night[0].date.toordinal(), number])
        read = [name for name in detectors if any(name in e.detectors for e in night if e.index == index)]
        detector = read[int(rng.integers(len(read)))]
        night = _ANOMALIES[request.name].apply(night, index, detector)
    return night


def _choose(night: Night, request: AnomalyRequest, taken: set[int]) -> int:
    anomaly = _ANOMALIES[request.name]
    templates = {i: tuple(e for e in night if e.index == i) for i in sorted({e.index for e in night})}
    fitting = [i for i, template in templates.items() if anomaly.fits(template)]
    if request.template is not None:
        if request.template not in fitting:
            fit = ", ".join(f"{i} ({templates[i][0].template.id})" for i in fitting) or "none"
            raise SettingsError(
                f"anomaly '{request.name}' does not fit template {request.template} of night "
                f"{request.night}; it fits {fit}"
            )
        return request.template
    if not fitting:
        raise SettingsError(
            f"anomaly '{request.name}' fits no template of night {request.night}; leave it out"
        )
    return min(fitting, key=lambda i: (i in taken, not anomaly.prefers(templates[i]), i))


def _mark(exposure: Exposure, name: str, **changes: Any) -> Exposure:
    return replace(exposure, anomalies=(*exposure.anomalies, name), **changes)


def _all_of(
    name: str, which: Callable[[Exposure], bool], **changes: Any
) -> Callable[[Night, int, str], Night]:
    """Return a change of all exposures of a template for which `which` holds."""

    def apply(night: Night, index: int, detector: str) -> Night:
        return tuple(_mark(e, name, **changes) if e.index == index and which(e) else e for e in night)

    return apply


def _one_of(name: str, **changes: Any) -> Callable[[Night, int, str], Night]:
    """Return a change of the middle exposure of a template."""

    def apply(night: Night, index: int, detector: str) -> Night:
        hit = _middle(night, index)
        return tuple(_mark(e, name, **changes) if e is hit else e for e in night)

    return apply


def _middle(night: Night, index: int) -> Exposure:
    template = [e for e in night if e.index == index]
    return template[len(template) // 2]


def _noise_jump(night: Night, index: int, detector: str) -> Night:
    def louder(exposure: Exposure) -> Exposure:
        factors = MappingProxyType({**exposure.ron_factor, detector: NOISE_JUMP})
        return _mark(exposure, NOISE_JUMP_NAME, ron_factor=factors)

    return tuple(louder(e) if e.index >= index else e for e in night)


def _incomplete(night: Night, index: int, detector: str) -> Night:
    n_kept = max(1, _middle(night, index).template.nexp // 2)
    kept = [e for e in night if e.index != index or e.expno <= n_kept]
    return tuple(_mark(e, "incomplete-template") if e.index == index else e for e in kept)


def _duplicate(night: Night, index: int, detector: str) -> Night:
    hit = _middle(night, index)
    name = f"{hit.arcfile.removesuffix('.fits')}_2.fits"
    second = _mark(hit, "duplicate-arcfile", file_name=name, copy=1)
    at = night.index(hit) + 1
    return (*night[:at], second, *night[at:])


def _any(template: Night) -> bool:
    return True


def _lit(exposure: Exposure) -> bool:
    return isinstance(exposure.template.scene, Flat) and exposure.nominal_level > 0


def _has_flats(template: Night) -> bool:
    return any(_lit(e) for e in template)


def _has_lamp(template: Night) -> bool:
    return any("LAMP" in e.dpr_type for e in template)


def _has_darks(template: Night) -> bool:
    return isinstance(template[0].template.scene, Dark)


def _has_several(template: Night) -> bool:
    return len(template) > 1


_ANOMALIES: Mapping[str, _Anomaly] = MappingProxyType(
    {
        "lamp-out": _Anomaly(
            "the flats of a template have no signal",
            _has_flats,
            _all_of("lamp-out", _lit, light="out"),
            _has_lamp,
        ),
        NOISE_JUMP_NAME: _Anomaly(
            f"readout noise of one detector times {NOISE_JUMP}, from a template on for the rest of the night",
            _any,
            _noise_jump,
            _has_darks,
        ),
        "saturated-flat": _Anomaly(
            "all pixels of the flats of a template are saturated",
            _has_flats,
            _all_of("saturated-flat", _lit, light="saturated"),
        ),
        "incomplete-template": _Anomaly(
            "the last frames of a template never arrive", _has_several, _incomplete, _has_flats
        ),
        "truncated-file": _Anomaly(
            "one file ends in the middle of its pixels", _any, _one_of("truncated-file", damage="truncated")
        ),
        "missing-keyword": _Anomaly(
            "one frame has no MJD-OBS", _any, _one_of("missing-keyword", dropped=("MJD-OBS",))
        ),
        "rotten-pixels": _Anomaly(
            "pixels of one frame were overwritten after its checksum was made",
            _any,
            _one_of("rotten-pixels", damage="rotten"),
        ),
        "not-fits": _Anomaly(
            "one file is an error page of a web server", _any, _one_of("not-fits", damage="not-fits")
        ),
        "no-arcfile": _Anomaly("one frame has no ARCFILE", _any, _one_of("no-arcfile", dropped=("ARCFILE",))),
        "unknown-instrument": _Anomaly(
            "one frame is of an instrument that nobody knows",
            _any,
            _one_of("unknown-instrument", replaced=MappingProxyType({"INSTRUME": FOREIGN_INSTRUMENT})),
        ),
        "duplicate-arcfile": _Anomaly(
            "a second file has the ARCFILE of another frame, but other pixels", _any, _duplicate
        ),
    }
)
