"""The entry point: one group of thin commands, and what happens when one of them can't go on."""

from __future__ import annotations

import io
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click
from click.shell_completion import get_completion_class

import qcbench
from qcbench.cli import (
    accounts,
    bench,
    calsel,
    daily,
    delays,
    explain,
    instrument,
    observatory,
    provenance,
    review,
    rules,
    texts,
    verify,
)
from qcbench.cli.exits import INTERRUPTED, TERMINATED, exit_codes
from qcbench.cli.invocation import command, common_options
from qcbench.cli.output import PROGRAM, plain
from qcbench.core.errors import QcbenchError

_COMPLETE = "_QCBENCH_COMPLETE"


class _Terminated(KeyboardInterrupt):
    """The system, or somebody, ended the program with SIGTERM."""


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end what runs within the block as Ctrl-C does: recipes are ended, and ABs go back to the queue."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Program(click.Group):
    """The group of all commands, in sections; errors of qcbench end it with one message and their exit code."""

    def __init__(self, *args: Any, sections: Mapping[str, tuple[click.Command, ...]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.sections = sections
        for item in (item for items in sections.values() for item in items):
            self.add_command(item)
        self.params += common_options()

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            with _ended_by_sigterm():
                return super().invoke(ctx)
        except QcbenchError as err:
            click.echo(f"Error: {plain(str(err))}", err=True)
            ctx.exit(err.exit_code)
        except KeyboardInterrupt as err:
            click.echo(
                "\nInterrupted. Nothing is lost: call the same command again, and it goes on.", err=True
            )
            ctx.exit(TERMINATED if isinstance(err, _Terminated) else INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, section by section."""
        width = max(map(len, self.commands))
        for title, items in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(f"{item.name or '':<{width}}", item.get_short_help_str(limit=100)) for item in items]
                )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the exit codes mean."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in exit_codes().items()])


@command("completion", "qcbench completion bash", "qcbench completion fish")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete commands, dates and AB names.

    In bash and zsh, put eval "$(qcbench completion SHELL)" into .bashrc or .zshrc.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    if shell == "bash":
        # AB names have colons, which bash takes for the end of a word
        click.echo("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}")
    click.echo(kind(cli, {}, PROGRAM, _COMPLETE).source())


SECTIONS: Mapping[str, tuple[click.Command, ...]] = {
    "The workbench": (
        bench.init,
        bench.doctor,
        bench.serve,
        observatory.demo,
        observatory.simulate,
        completion,
    ),
    "The automatic part": (
        bench.auto_daily,
        daily.data_loader,
        daily.create_report,
        daily.create_ab,
        daily.create_job,
        daily.process_ab,
        daily.process_qc,
        daily.process_job,
        daily.score_qc,
        bench.get_status_ab,
        delays.delays,
        accounts.account,
    ),
    "Review, and what follows it": (
        review.certify_products,
        review.move_products,
        review.rename_products,
        review.ingest_products,
        review.update_ab,
        review.finish_night,
        review.audit,
    ),
    "Science, and the archive user": (calsel.calsel_manager, calsel.calselector, verify.verify_ab),
    "Why": (
        explain.explain_frame,
        explain.explain_ab,
        explain.create_calib_map,
        provenance.provenance,
        provenance.uses,
        texts.extract_ab,
    ),
    "Rules and packs": (rules.oca, instrument.instrument),
}


@click.group(
    PROGRAM, cls=Program, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(qcbench.__version__, prog_name=PROGRAM)
def cli() -> None:
    """The quality-control workbench: from raw frames to certified, archived products.

    \b
    A first look:    qcbench demo
    A morning:       qcbench auto-daily; qcbench serve
    One command:     qcbench create-ab -h
    """  # noqa: D301 (\b keeps click from filling the lines)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal that has no ✓ gets a ?, not a traceback
            stream.reconfigure(errors="replace")
    cli(prog_name=PROGRAM)
