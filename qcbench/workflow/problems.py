"""What goes wrong in the automatic part of the day: logged, and kept as an event."""

from __future__ import annotations

import datetime as dt

from qcbench.core.errors import QcbenchError
from qcbench.core.logs import get_logger
from qcbench.store import record_lasting
from qcbench.workbench import Workbench

TOOL = "auto-daily"


def say(
    bench: Workbench,
    flag: str,
    message: str,
    instrument: str | None = None,
    date: dt.date | None = None,
    *,
    level: str = "error",
) -> None:
    """Log a problem, and add the event: once while it lasts, and not if the database itself is what is wrong."""
    (get_logger().error if level == "error" else get_logger().info)(message, tool=TOOL)
    try:
        with bench.store.write() as session:
            record_lasting(session, TOOL, flag, message, instrument=instrument, date=date, level=level)
    except QcbenchError as err:
        get_logger().error(f"the event could not be kept: {err}", tool=TOOL)
