"""What a test may need beside Python, and what happens where it isn't there.

A test marked `real`, `esorex`, `browser` or `tmpfs` is left out where its data or program is missing, and the last
lines of the run say so. On CI, on Debian as root, a missing program is an error: there it can be installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAMS = {"esorex": "esorex", "browser": "chromium"}
REASONS = pytest.StashKey[dict[str, str]]()
LEFT_OUT = pytest.StashKey[Counter[str]]()

settings.register_profile("qcbench", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("qcbench")


def real_data_folder() -> Path:
    override = os.environ.get("QCBENCH_REAL_DATA")
    return Path(override).resolve() if override else REPOSITORY.parent / "shared" / "data"


def may_mount() -> bool:
    """Whether a small file system can be mounted, in a namespace of its own."""
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0
    )


def reasons_to_leave_out() -> Iterator[tuple[str, str]]:
    """Marker and reason, for each marker whose tests can't run here."""
    unwanted = os.environ.get("QCBENCH_TEST_WITHOUT", "").split()
    for marker, program in PROGRAMS.items():
        if shutil.which(program) is None:
            yield (
                marker,
                f"there is no program {program} on the path (jobs/install_system_packages.sh installs it)",
            )
        elif program in unwanted:
            yield marker, f"QCBENCH_TEST_WITHOUT names {program}"
    if not may_mount():
        yield "tmpfs", "a mount namespace is not allowed here (unshare -rm)"
    if not real_data_folder().is_dir():
        yield "real", f"there is no folder {real_data_folder()} (QCBENCH_REAL_DATA can name another)"


def everything_is_installable() -> bool:
    return os.environ.get("CI") == "true" and Path("/etc/debian_version").exists() and os.geteuid() == 0


def pytest_configure(config: pytest.Config) -> None:
    reasons = dict(reasons_to_leave_out())
    if os.environ.get("QCBENCH_REAL_DATA") and "real" in reasons:
        raise pytest.UsageError(f"QCBENCH_REAL_DATA: {reasons['real']}")
    unmet = [reason for marker, reason in reasons.items() if marker in PROGRAMS]
    if unmet and everything_is_installable():
        raise pytest.UsageError("CI leaves no test out, but " + "; ".join(unmet))
    config.stash[REASONS] = reasons
    config.stash[LEFT_OUT] = Counter()


# After the selection by -m and -k, so that only tests somebody asked for count as left out.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    reasons = config.stash[REASONS]
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        unmet = [marker for marker in reasons if item.get_closest_marker(marker)]
        config.stash[LEFT_OUT].update(unmet)
        (dropped if unmet else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    # what may take long begins first, so that no worker is left with it when the others are done
    items[:] = sorted(kept, key=lambda item: -_allowed_s(item))


def _allowed_s(item: pytest.Item) -> float:
    """How long a test says that it may take (s); 0 where it says nothing."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(session.config.stash[LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take over the count of a pytest-xdist worker; each of them collects all tests."""
    output = getattr(node, "workeroutput", {})
    if "left_out" in output:
        node.config.stash[LEFT_OUT] = Counter(output["left_out"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for marker, count in sorted(config.stash[LEFT_OUT].items()):
        reason = config.stash[REASONS][marker]
        terminalreporter.write_line(f"left out: {count} tests marked {marker}: {reason}", yellow=True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; its README.md says what each file holds."""
    folder = real_data_folder()
    if not (folder / "README.md").is_file():
        pytest.fail(f"{folder} is there but has no README.md: it is not the folder of real data")
    return folder
