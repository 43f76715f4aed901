"""Design tokens: the colours and faces of every page, report, app and figure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import resources

SANS = 'system-ui, "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, "DejaVu Sans Mono", monospace'


@dataclass(frozen=True)
class Tokens:
    """One set of colours, as ``#rrggbb``.

    ``ink`` to ``none`` are for text on ``bg``, ``card`` and ``sel``; ``on_fill`` is for text on a
    filled ``accent``, ``ok`` or ``nok``.
    """

    bg: str
    card: str
    sel: str
    line: str
    row: str
    ink: str
    muted: str
    accent: str
    ok: str
    nok: str
    warn: str
    none: str
    on_fill: str


TEXT_TOKENS = ("ink", "muted", "accent", "ok", "nok", "warn", "none")
SURFACE_TOKENS = ("bg", "card", "sel")

LIGHT = Tokens(
    bg="#f7f8fa",
    card="#ffffff",
    sel="#e8f0fc",
    line="#dfe3e9",
    row="#eef0f3",
    ink="#1b2330",
    muted="#5c6675",
    accent="#1f5fbf",
    ok="#18774f",
    nok="#b3372b",
    warn="#8a5a00",
    none="#5f6a7a",
    on_fill="#ffffff",
)

DARK = Tokens(
    bg="#11151c",
    card="#1a1f28",
    sel="#22314a",
    line="#333b48",
    row="#262d38",
    ink="#e4e8ee",
    muted="#a2adbb",
    accent="#7fb0f5",
    ok="#5cc79c",
    nok="#f2897d",
    warn="#e0b04e",
    none="#99a4b3",
    on_fill="#11151c",
)

# Glyphs of a figure are painted in colours that a stylesheet can't change afterwards, so these stand
# out (3:1 and more) on the light card and on the dark one.
SERIES = ("#2f78d0", "#cc5f1f", "#1f9476", "#9a63b8", "#b07d12", "#d0527f", "#5f8797", "#8a8f2a")
GLYPH_NOK = "#cf4a3c"
GLYPH_MUTED = "#7d8796"

# What Bokeh reads from the page in place of its theme, and the token that it gets.
_BOKEH_VARIABLES = {
    "--bk-text-color": "ink",
    "--bk-axis-label-text-color": "muted",
    "--bk-major-label-text-color": "muted",
    "--bk-title-text-color": "muted",
    "--bk-label-text-color": "ink",
    "--bk-grid-line-color": "row",
    "--bk-background-fill-color": "card",
    "--bk-border-fill-color": "card",
    "--bk-outline-line-color": "line",
    "--bk-axis-line-color": "none",
    "--bk-major-tick-line-color": "none",
    "--bokeh-icon-color": "muted",
}


def css() -> str:
    """Return the one stylesheet: tokens as variables for both schemes, then the rules that use them."""
    rules = resources.files(__package__).joinpath("look.css").read_text(encoding="utf-8")
    figures = "".join(f"{name}:var(--{token});" for name, token in _BOKEH_VARIABLES.items())
    return (
        f":root{{color-scheme:light dark;--sans:{SANS};--mono:{MONO};{_variables(LIGHT)}{figures}}}\n"
        f"@media (prefers-color-scheme: dark){{:root{{{_variables(DARK)}}}}}\n{rules}"
    )


def _variables(tokens: Tokens) -> str:
    return "".join(f"--{name.replace('_', '-')}:{value};" for name, value in asdict(tokens).items())
