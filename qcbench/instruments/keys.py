"""Dictionaries of header keys: which keys there are, of what type and unit.

A name may hold ``i`` in place of a number, as in the dictionaries of ESO: ``DET.WINi.BINX`` is ``DET.WIN1.BINX``,
``DET.WIN2.BINX`` and so on.
Source: Data Interface Control Document (GEN-SPE-ESO-19400-0794), dictionaries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from qcbench.instruments.emptiness import EmptyLists


class KeySpec(BaseModel):
    """A header key: its type, its unit (empty where it has none), and what it says."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: Literal["text", "integer", "float", "logical"]
    """What the key holds."""
    unit: str = ""
    """Unit, as astropy.units writes it."""
    description: str
    """What the key says."""


class KeysFile(EmptyLists):
    """``keys.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    keys: dict[str, KeySpec] = Field(default_factory=dict)
    """Keys by their short names; i stands for a number."""


@dataclass(frozen=True)
class KeyDictionary:
    """The keys that headers may hold."""

    specs: Mapping[str, KeySpec]

    def find(self, key: str) -> KeySpec | None:
        """Return what is known of a key; None if it is in no dictionary."""
        if key in self.specs:
            return self.specs[key]
        return next((spec for pattern, spec in self._patterns if pattern.fullmatch(key)), None)

    def __or__(self, other: KeyDictionary) -> KeyDictionary:
        """Return a dictionary of both; the other one wins."""
        return KeyDictionary({**self.specs, **other.specs})

    @cached_property
    def _patterns(self) -> tuple[tuple[re.Pattern[str], KeySpec], ...]:
        return tuple(
            (re.compile(re.escape(name).replace("i", r"\d+")), spec)
            for name, spec in self.specs.items()
            if "i" in name
        )
