"""The order of the stages: the automatic part of the day, and the demonstration."""

from qcbench.workflow.accounting import ABAccount, FileAccount, account
from qcbench.workflow.auto_daily import DailyResult, DateResult, auto_daily, open_dates, run_date
from qcbench.workflow.demo import DemoSummary, run_demo
from qcbench.workflow.job import run_job
from qcbench.workflow.pool_job import run_pool_job
from qcbench.workflow.summary import DateSummary, summarize

__all__ = [
    "ABAccount",
    "DailyResult",
    "DateResult",
    "DateSummary",
    "DemoSummary",
    "FileAccount",
    "account",
    "auto_daily",
    "open_dates",
    "run_date",
    "run_demo",
    "run_job",
    "run_pool_job",
    "summarize",
]
