"""Raw frames of an instrument that no pack knows: those of a built-in pack's observatory, under another name."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from qcbench.instruments import available_packs
from qcbench.simulate import simulate

START = dt.date(2026, 11, 17)


def observe_unknown(folder: Path, like: str = "efosc2", name: str = "MYCAM", nights: int = 1) -> Path:
    """Observe nights as an instrument of another name; return the folder of the raw frames."""
    text = (available_packs()[like] / "simulate.yaml").read_text()
    for key in ("instrume", "prefix"):
        text = re.sub(f"^{key}: .*$", f"{key}: {name}", text, flags=re.MULTILINE)
    folder.mkdir(parents=True, exist_ok=True)
    description = folder / "observatory.yaml"
    description.write_text(text)
    simulate(description, folder / "archive", nights=nights, start=START, seed=1, window=64)
    return folder / "archive" / "raw"
