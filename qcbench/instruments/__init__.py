"""Instrument packs: all that qcbench knows of an instrument, as data."""

from qcbench.instruments.loading import available_packs, find_pack, load_pack, product_category
from qcbench.instruments.models import (
    Column,
    EngineChoice,
    InstrumentPack,
    NameRule,
    ParameterScore,
    RecipeConfig,
    TableSpec,
    Threshold,
)

__all__ = [
    "Column",
    "EngineChoice",
    "InstrumentPack",
    "NameRule",
    "ParameterScore",
    "RecipeConfig",
    "TableSpec",
    "Threshold",
    "available_packs",
    "find_pack",
    "load_pack",
    "product_category",
]
