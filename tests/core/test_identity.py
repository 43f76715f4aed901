"""Who acts is what the operating system says, not what anybody can set."""

from __future__ import annotations

import os
import pwd

import pytest

from qcbench.core.identity import current_user


def test_the_user_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody-else")
    assert current_user() == pwd.getpwuid(os.geteuid()).pw_name


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 987_654_321)
    assert current_user() == "uid987654321"
