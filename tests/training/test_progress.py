"""The progress bar is quiet when not a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from foretide.training.progress import epoch_bar


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_quiet_when_not_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    with epoch_bar("LSTM", 3) as show:
        assert show is None
    assert out.getvalue() == ""


def test_shows_epochs_and_loss_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with epoch_bar("LSTM", 3) as show:
        assert show is not None
        show({"epoch": 2, "val_loss": 0.12345})
    assert "LSTM" in out.getvalue()
    assert "2/3" in out.getvalue()
    assert "validation loss 0.1235" in out.getvalue() or "validation loss 0.1234" in out.getvalue()
