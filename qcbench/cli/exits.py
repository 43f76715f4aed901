"""Exit codes: each class of error has its own, so that scripts can tell them apart."""

from __future__ import annotations

from qcbench.core import errors

NOT_DONE = 20
DIFFERENT = 21
INTERRUPTED = 130
TERMINATED = 143
_GENERAL = {
    0: "All went well.",
    1: "qcbench doctor found that something needed is missing; or an error that no class below names.",
    2: "The command line can't be understood.",
}
_MORE = {
    NOT_DONE: "The command ended, but something that it was asked for could not be done; its answer says what.",
    DIFFERENT: "qcbench verify-ab found differences; its answer lists them.",
    INTERRUPTED: "Interrupted with Ctrl-C; the same command, called again, goes on.",
    TERMINATED: "Ended by the system or by somebody (SIGTERM); the same command, called again, goes on.",
}


def exit_codes() -> dict[int, str]:
    """Return all exit codes with what they mean, in order."""
    found: dict[int, list[str]] = {}
    for item in vars(errors).values():
        if (
            isinstance(item, type)
            and issubclass(item, errors.QcbenchError)
            and item.exit_code not in _GENERAL
        ):
            found.setdefault(item.exit_code, []).append(str(item.__doc__).partition("\n")[0])
    return _GENERAL | {code: " ".join(texts) for code, texts in sorted(found.items())} | _MORE
