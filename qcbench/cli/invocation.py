"""What stands around every command: the options that all of them take, and the workbench that they open."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from qcbench.cli.output import Answer, show

if TYPE_CHECKING:
    from qcbench.core.settings import Settings
    from qcbench.workbench import Workbench

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass
class Invocation:
    """The common options of a call; they may stand before or behind the command.

    Attributes
    ----------
    folder : Path or None
        Folder of the workbench, where it was named.
    named : tuple of str
        Instruments that were named; empty for all.
    """

    folder: Path | None = None
    named: tuple[str, ...] = ()
    as_json: bool = False
    verbose: bool = False

    @property
    def root(self) -> Path:
        """Folder of the workbench: named, else QCBENCH_WORKBENCH, else the nearest parent that is one."""
        from qcbench.core.settings import find_workbench

        return self.folder or find_workbench(Path.cwd(), os.environ)

    def settings(self) -> Settings:
        """Read the settings without opening the workbench."""
        from qcbench.core.settings import load_settings

        return load_settings(self.root, os.environ)

    def open(self) -> Workbench:
        """Open the workbench, log into its monitor folder, and close it when the command has ended."""
        from qcbench.workbench import open_workbench

        return self.keep(open_workbench(self.root, os.environ))

    def keep(self, bench: Workbench) -> Workbench:
        """Log into the monitor folder of a workbench, and close it when the command has ended."""
        from qcbench.core.logs import set_up_logging

        click.get_current_context().call_on_close(bench.close)
        set_up_logging(bench.tree.monitor, verbose=self.verbose)
        return bench

    def instruments(self, bench: Workbench) -> tuple[str, ...]:
        """Return the instruments to work on: those that were named, else all of the workbench."""
        for name in self.named:
            bench.pack(name)
        return self.named or bench.instruments

    def show(self, answer: Answer) -> None:
        """Print what came of the command."""
        show(answer, as_json=self.as_json)


pass_invocation = click.make_pass_decorator(Invocation)


class Command(click.Command):
    """A command with examples, which takes the common options behind its name, too."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.own_params = tuple(self.params)
        self.params += common_options()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the common ones, then the examples."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        helps = [(param, param.get_help_record(ctx)) for param in options]
        common = [record for param, record in helps if param not in self.own_params and record]
        own = [record for param, record in helps if param in self.own_params and record]
        for title, records in (("Options", own), ("Common options", common)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
        with formatter.section("Example" if len(self.examples) == 1 else "Examples"):
            for example in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


def command(name: str, *examples: str) -> Callable[[_F], Command]:
    """Make a function a command of qcbench; its docstring is the help."""
    return click.command(name, cls=Command, examples=examples)


class CommandFamily(Command, click.Group):
    """Commands about one thing, under one name: ``qcbench oca check``."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, then the common options and the examples."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


def command_family(name: str, text: str, *commands: Command) -> CommandFamily:
    """Make one command of several; each gives its first example."""
    examples = [item.examples[0] for item in commands]
    return CommandFamily(
        name, help=text, commands={str(item.name): item for item in commands}, examples=examples
    )


def common_options() -> list[click.Parameter]:
    """Return the options that stand before or behind every command."""
    return [
        click.Option(
            ["folder", "-w", "--workbench"],
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="Folder of the workbench. Without it: QCBENCH_WORKBENCH, else this folder or its nearest "
            "parent with a qcbench.toml.",
            **_KEPT,
        ),
        click.Option(
            ["named", "--instrument"],
            multiple=True,
            metavar="NAME",
            help="Work on this instrument only; can be given again. Without it: all of the workbench.",
            **_KEPT,
        ),
        click.Option(["as_json", "--json"], is_flag=True, help="Print JSON instead of tables.", **_KEPT),
        click.Option(["verbose", "-v", "--verbose"], is_flag=True, help="Say what is being done.", **_KEPT),
    ]


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> object:
    given = ctx.get_parameter_source(str(param.name)) is not click.core.ParameterSource.DEFAULT
    invocation = ctx.find_root().ensure_object(Invocation)
    if given:
        setattr(invocation, str(param.name), value)
    return value


# eager: a date such as `today` needs the settings of the workbench
_KEPT: dict[str, Any] = {"expose_value": False, "is_eager": True, "callback": _keep}
