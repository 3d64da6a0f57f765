from __future__ import annotations

import threading
from typing import Any

import pytest
from cases import make_panel

from foretide.forecasters.networks.lstm import LSTM
from foretide.training.watch import show_watchers, watching


class StopError(Exception):
    pass


def lstm(epochs: int = 2) -> LSTM:
    return LSTM(7, input_size=14, hidden=8, epochs=epochs, device="cpu")


def test_every_epoch_is_seen_and_nothing_after() -> None:
    rows: list[dict[str, Any]] = []
    model = lstm()
    with watching(rows.append):
        model.fit(make_panel((120,)))
    model.fit(make_panel((120,)))
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert [row["val_loss"] for row in rows] == [row["val_loss"] for row in model.history]


def test_a_watcher_may_stop_the_fit() -> None:
    def stop(row: dict[str, Any]) -> None:
        if row["epoch"] == 1:
            raise StopError

    model = lstm()
    with watching(stop), pytest.raises(StopError):
        model.fit(make_panel((120,)))
    assert not model.is_fitted
    assert model.fit(make_panel((120,))).is_fitted


def test_watchers_are_those_of_their_context() -> None:
    inner: list[Any] = []
    outer: list[Any] = []
    with watching(outer.append):
        with watching(inner.append):
            show_watchers({"epoch": 1})
        show_watchers({"epoch": 2})
        thread = threading.Thread(target=show_watchers, args=({"epoch": 3},))
        thread.start()
        thread.join()
    assert [row["epoch"] for row in outer] == [1, 2]
    assert [row["epoch"] for row in inner] == [1]
    inner[0]["epoch"] = 9
    assert outer[0]["epoch"] == 1
