"""The calibration map (the handbook's createCalibMap): the cascade of a rule set as a page.

One file, which needs nothing else: it works without a network and can be sent to a colleague.
Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.7.4; dfos documentation (createCalibMap.html) for the legend.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from qcbench.core.dates import utc_now
from qcbench.core.files import write_text
from qcbench.core.paths import DataTree
from qcbench.instruments import InstrumentPack
from qcbench.look.graphs import graph
from qcbench.look.pages import Column, HeadlineKind, render_page, table
from qcbench.monitors.cascade_graph import CascadeGraph
from qcbench.oca import RuleSet
from qcbench.workbench import Workbench

_ASSOCIATIONS = (
    Column("Action", name_like=True),
    Column("Needs", name_like=True),
    Column("Category"),
    Column("Made by"),
    Column("Validity", name_like=True),
    Column("Number"),
    Column("Equal keys"),
    Column("Rule", name_like=True),
)
_ACTIONS = (
    Column("Depth", numeric=True),
    Column("Action", name_like=True),
    Column("Recipe", name_like=True),
    Column("Raw types"),
    Column("Makes"),
    Column("Rule", name_like=True),
)
_SIGNS = (
    Column("Sign", name_like=True),
    Column("Meaning"),
    Column("Source"),
)
_DFOS = "dfos, createCalibMap"
_OURS = "our reading"
_LEGEND = (
    ("T", "no limit in time", _DFOS),
    ("GT", "no limit in time, a general (static) calibration", _DFOS),
    ("<", "the previous one", _DFOS),
    (
        "|-1/+1|-7/+7",
        "calibration plan (tryBetween), then extended validity (between)",
        f"{_DFOS}; which of them stands first: {_OURS}",
    ),
    ("(-2/+2)", "extended validity only (between)", _DFOS),
    ("[-2/+2]", "calibration plan only (tryBetween)", _DFOS),
    ("<[-2/+2]", "the previous one, preferably within the calibration plan", _OURS),
    (
        "-7/+7",
        "calibration minus AB, both at mid-exposure, in days; a side that is left out has no limit",
        _OURS,
    ),
    ("×0–1", "how many files are taken (minRet–maxRet), where it is not exactly one", _OURS),
)
_KEY = Markup(
    """<div class="graph-key"><span class="box action">action</span><span class="box science">science action</span>
<span class="box product">product</span><span class="box general">general calibration</span>
<span class="box unmade">no rule here makes it</span><span class="box raw">raw frames</span>
<span class="line needs">required</span><span class="line optional">optional</span>
<span class="line raw">raw frames (RASSOC)</span><span class="line makes">makes</span>
<span class="line cycle">closes a cycle</span></div>"""
)
_CARD = Markup('<section class="card"><h2>{}</h2>{}</section>')
_SOURCE = Markup('<p class="muted" style="margin:0">Rules: <span class="mono">{}</span></p>')
_FRAME = Markup(
    '<div><iframe srcdoc="{page}" title="Calibration map of {title}" loading="lazy"'
    ' style="width:100%;height:{height}px;border:1px solid #7d8796;border-radius:8px"></iframe></div>'
)
_HINT = "Click on a box or an association to see its rule, and what comes before and after it. Esc shows all."


def map_file(tree: DataTree) -> Path:
    """Return where the calibration map of an instrument is."""
    return tree.listings / "calib_map.html"


def calib_map(bench: Workbench, instrument: str, output: Path | None = None) -> Path:
    """Write the calibration map of an instrument; return the page.

    Raises
    ------
    SettingsError
        The workbench does not look after this instrument.
    """
    pack = bench.pack(instrument)
    return write_map(pack_map(pack), pack.instrument.title, output or map_file(bench.data(instrument)))


def pack_map(pack: InstrumentPack) -> CascadeGraph:
    """Return the cascade of a pack."""
    return CascadeGraph(pack.rules, pack.instrument.static)


def rules_map(rules: RuleSet, static: Mapping[str, str] | None = None) -> CascadeGraph:
    """Return the cascade of a rule set that is in no pack."""
    return CascadeGraph(rules, static or {})


def write_map(found: CascadeGraph, title: str, output: Path) -> Path:
    """Write the page of a cascade."""
    return write_text(output, map_page(found, title))


def map_page(found: CascadeGraph, title: str) -> str:
    """Return the page of a cascade."""
    headline, kind = _headline(found)
    body = Markup("").join(
        (
            _SOURCE.format(found.rules.source),
            _CARD.format("Cascade", _KEY + _drawing(found, title)),
            _CARD.format("What the signs mean", table(_SIGNS, _LEGEND)),
            _CARD.format("All associations", _association_table(found)),
            _CARD.format("All actions", _action_table(found)),
        )
    )
    return render_page(
        f"Calibration map · {title}",
        headline=headline,
        headline_kind=kind,
        body=body,
        crumbs=[],
        generated=utc_now(),
    )


def map_frame(found: CascadeGraph, title: str, *, height: int = 860) -> Markup:
    """Return the page of a cascade for the output of a notebook's cell: a frame of its own, `height` px high."""
    return _FRAME.format(page=map_page(found, title), title=title, height=height)


def _headline(found: CascadeGraph) -> tuple[str, HeadlineKind]:
    cascade = found.cascade
    text = f"{_count(len(found.actions), 'action')}, {_count(len(cascade.needs), 'association')}"
    if cascade.cycles:
        names = "; ".join(", ".join(cycle) for cycle in cascade.cycles)
        return f"{text}; {_count(len(cascade.cycles), 'cycle')}: {names}.", "nok"
    if found.actions and not found.made:
        return f"{text}. The rules name no products, so that nothing says which action makes what.", "warn"
    absent = found.without_action
    if absent:
        return f"{text}. Classified, and in no group: {', '.join(absent)}.", "none"
    return f"{text}.", "none"


def _drawing(found: CascadeGraph, title: str) -> Markup:
    return graph(
        found.nodes(), found.edges(), heads=found.heads(), label=f"Calibration cascade of {title}", hint=_HINT
    )


def _association_table(found: CascadeGraph) -> Markup:
    rows = [
        (row.action, row.tag, row.categories, row.makers, row.validity, row.required, row.keys, row.place)
        for row in found.associations()
    ]
    return table(_ASSOCIATIONS, rows, empty="The rules associate nothing.")


def _action_table(found: CascadeGraph) -> Markup:
    rows = [
        (
            found.cascade.depth(name),
            name,
            action.recipe or "none",
            ", ".join(found.raw_types(name)),
            ", ".join(found.makes(name)),
            found.place(action),
        )
        for name, action in found.actions.items()
    ]
    return table(_ACTIONS, rows, sorted_by="Depth", empty="The rules have no action.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
