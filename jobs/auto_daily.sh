#!/bin/sh
# The automatic part of the daily workflow, for cron: auto_daily.sh WORKBENCH
# A call that finds another one running ends with code 9 and has done nothing: that is no failure.
set -u
workbench=${1:?usage: auto_daily.sh WORKBENCH}
here=$(cd "$(dirname "$0")/.." && pwd)
PATH="$here/.venv/bin:$PATH"
qcbench -w "$workbench" auto-daily >>"$workbench/monitor/auto_daily.log" 2>&1
status=$?
[ "$status" -eq 9 ] && exit 0
exit "$status"
