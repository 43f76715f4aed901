"""Instrument packs: all that qcbench knows of an instrument, as data."""

from qcbench.instruments.contradictions import product_category
from qcbench.instruments.dictionary import read_dictionary
from qcbench.instruments.exceptions import Breakpoint, FilterRule
from qcbench.instruments.keys import KeyDictionary, KeySpec
from qcbench.instruments.loading import available_packs, common_keys, find_pack, load_pack
from qcbench.instruments.models import (
    Column,
    EngineChoice,
    InstrumentFile,
    InstrumentPack,
    NameRule,
    ParameterScore,
    RecipeConfig,
    Scalar,
    TableSpec,
    Threshold,
)

__all__ = [
    "Breakpoint",
    "Column",
    "EngineChoice",
    "FilterRule",
    "InstrumentFile",
    "InstrumentPack",
    "KeyDictionary",
    "KeySpec",
    "NameRule",
    "ParameterScore",
    "RecipeConfig",
    "Scalar",
    "TableSpec",
    "Threshold",
    "available_packs",
    "common_keys",
    "find_pack",
    "load_pack",
    "product_category",
    "read_dictionary",
]
