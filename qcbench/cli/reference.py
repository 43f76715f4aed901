"""Writes the reference pages: ``python -m qcbench.cli.reference DIR``.

``cli.md`` comes from the commands, ``qc1.md`` from the instrument packs, ``pack.md`` from the models that read them,
``recipes.md`` from what the Python recipes say of themselves.
The same sources give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from qcbench.cli.exits import exit_codes
from qcbench.cli.invocation import Command, CommandFamily
from qcbench.cli.main import SECTIONS, cli
from qcbench.cli.output import PROGRAM
from qcbench.cli.pack_reference import FILES, HEADS, pack_rows
from qcbench.cli.recipe_reference import recipe_parts
from qcbench.core.files import write_text
from qcbench.instruments import InstrumentPack, ParameterScore, TableSpec, available_packs, find_pack
from qcbench.qc1.tables import FIXED_COLUMNS

_MADE = "<!-- Made by `make docs`; a change by hand is lost. -->\n"
_KINDS = (
    ("KPI", "key performance indicator of the instrument"),
    ("HC", "health of the instrument, shown by the Health Check"),
    ("CAL", "quality of the calibration"),
    ("ENG", "engineering"),
    ("FILTER", "a key that tells setups apart, not measured"),
)


def cli_page() -> str:
    """Return the page of the command line."""
    context = click.Context(cli, info_name=PROGRAM)
    parts = [
        f"# The command line\n\n{_MADE}",
        "The common options stand before or behind the command. With `--json` the standard output has one JSON "
        "document and nothing else; its key `next` says what to do next. Messages and progress go to the standard "
        "error; so does an error, and the standard output is then empty, but for the differences that an audit "
        "found.\n",
        "## Common options\n\n" + _options(context, cli.params),
    ]
    for title, commands in SECTIONS.items():
        parts.append(f"## {title}\n")
        parts += [text for item in commands if isinstance(item, Command) for text in _commands(item, context)]
    codes = ((str(code), text) for code, text in exit_codes().items())
    parts.append("## Exit codes\n\n" + _table(("code", "meaning"), codes))
    return "\n".join(parts)


def qc1_page(packs: Iterable[InstrumentPack]) -> str:
    """Return the page of the QC1 tables and thresholds of some packs."""
    fixed = ", ".join(f"`{name}`" for name in FIXED_COLUMNS)
    parts = [
        f"# QC1 tables\n\n{_MADE}",
        f"One row for each AB and detector. Besides its own columns every table has {fixed}. "
        "A column's kind is one of:\n\n" + _table(("kind", "meaning"), _KINDS),
    ]
    for pack in packs:
        parts.append(f"## {pack.instrument.title} (`{pack.name}`)\n")
        parts += [_qc1_table(name, spec, pack) for name, spec in pack.tables.items()]
    return "\n".join(parts)


def pack_page() -> str:
    """Return the page of the files of an instrument pack."""
    parts = [
        f"# The files of an instrument pack\n\n{_MADE}",
        "A pack is a folder: one that comes with qcbench, or `config/NAME` of a workbench, which wins. "
        "[How to add an instrument](../how-to/add-an-instrument.md) says how one is made; `rules.oca` is in "
        "[the OCA rule language](oca.md). In the tables `[]` stands for each item of a list, `NAME` for a name that "
        "you choose. At the top of a file a name that begins with a dot holds a piece that is used again below, as "
        "`.filter: &filter [{key: INS.FILT1.NAME}]` and `parameters: *filter`.\n",
    ]
    for name, model, text in FILES:
        parts += [f"## {name}\n", f"{text}\n", _table(HEADS, pack_rows(model))]
    return "\n".join(parts)


def recipes_page() -> str:
    """Return the page of the recipes of the python engine."""
    return "\n".join([f"# The Python recipes\n\n{_MADE}", *recipe_parts(_table)])


def _commands(item: Command, parent: click.Context) -> Iterator[str]:
    """Give the text of a command, and those of the commands of a family."""
    yield _command(item, parent)
    if isinstance(item, CommandFamily):
        context = click.Context(item, info_name=item.name, parent=parent)
        for part in item.commands.values():
            if isinstance(part, Command):
                yield _command(part, context)


def _command(item: Command, parent: click.Context) -> str:
    context = click.Context(item, info_name=item.name, parent=parent)
    usage = f"{context.command_path} {' '.join(item.collect_usage_pieces(context))}"
    lines = [
        f"### {context.command_path.removeprefix(PROGRAM).strip()}\n",
        f"{_help(item)}\n",
        f"```\n{usage}\n```\n",
    ]
    own = [param for param in item.own_params if isinstance(param, click.Option)]
    if own:
        lines.append(_options(context, own))
    return "\n".join([*lines, "For example:\n", "```\n" + "\n".join(item.examples) + "\n```\n"])


def _help(item: Command) -> str:
    paragraphs = (item.help or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _options(context: click.Context, params: Iterable[click.Parameter]) -> str:
    records = (param.get_help_record(context) for param in params)
    return _table(("option", "meaning"), ((f"`{record[0]}`", record[1]) for record in records if record))


def _qc1_table(name: str, spec: TableSpec, pack: InstrumentPack) -> str:
    facts = (
        f"{spec.description}. From `{spec.product}` of raw type {', '.join(spec.raw_types)}; "
        f"detectors {', '.join(spec.detectors.names)}."
    )
    columns = (
        (f"`{item.name}`", f"`{item.key}`", item.unit, item.kind, item.description) for item in spec.columns
    )
    scores = [score for score in pack.scores if score.table == name]
    parts = [
        f"### {name}\n",
        f"{facts}\n",
        _table(("column", "FITS key", "unit", "kind", "what it is"), columns),
    ]
    if scores:
        heads = ("column", "of", "from", "low", "high", "why", "if it is red")
        parts += ["Thresholds, each in force until the next one of the same column:\n"]
        parts += [_table(heads, _thresholds(scores))]
    return "\n".join(parts)


def _thresholds(scores: Sequence[ParameterScore]) -> Iterator[tuple[str, ...]]:
    for score in scores:
        places = [*score.detectors, *(f"{key} = {value}" for key, value in score.where.items())]
        for limit in sorted(score.thresholds, key=lambda item: item.valid_from):
            low, high = ("" if value is None else f"{value:g}" for value in (limit.low, limit.high))
            where = ", ".join(places) or "all"
            yield f"`{score.parameter}`", where, str(limit.valid_from), low, high, limit.why, score.remedy


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def write(folder: Path) -> None:
    """Write cli.md, qc1.md, pack.md and recipes.md into a folder."""
    write_text(folder / "cli.md", cli_page())
    write_text(folder / "qc1.md", qc1_page(find_pack(name) for name in sorted(available_packs())))
    write_text(folder / "pack.md", pack_page())
    write_text(folder / "recipes.md", recipes_page())


if __name__ == "__main__":
    write()
