from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.training import step_correction
from foretide.training.watch import watching

H = 2


def panel(strength: float, seed: int = 0, rows: int = 500) -> ft.Panel:
    """Two known columns whose product decides the target: no start sees it."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows))
    y = 20.0 + np.sin(np.arange(rows) / 7 * 2 * np.pi) + strength * a * b + rng.normal(size=rows)
    days = pd.date_range("2020-01-01", periods=rows)
    return ft.Panel.from_frame(
        pd.DataFrame({"day": days, "y": y, "a": a, "b": b}), id=None, time="day", target="y", future=["a", "b"]
    )


def fitted(table: ft.Panel, **options: Any) -> ft.LSTM:
    parts = ft.split(table)
    model = ft.LSTM(H, input_size=14, hidden=4, device="cpu", **options)
    return model.fit(table, until=parts.val_until, train_until=parts.train_until)


def errors(model: Any, table: ft.Panel) -> float:
    parts = ft.split(table)
    cutoffs = table.grid.output_times(np.arange(parts.val_end, int(table.last[0]) - H + 1))
    forecast = model.predict(table, cutoffs=cutoffs, levels=())
    return float(np.sqrt(np.mean((forecast.truth() - forecast.mean) ** 2)))


@pytest.fixture(scope="module")
def found() -> tuple[ft.LSTM, ft.Panel]:
    table = panel(4.0)
    return fitted(table, epochs=10), table


def test_what_no_line_holds_is_learned(found: tuple[ft.LSTM, ft.Panel]) -> None:
    model, table = found
    assert model.network.backbone.frame.correction is not None
    start = model.start().fit(table, until=ft.split(table).val_until, train_until=ft.split(table).train_until)
    assert errors(model, table) < 0.8 * errors(start, table)


def test_it_is_saved(found: tuple[ft.LSTM, ft.Panel], tmp_path: Path) -> None:
    model, table = found
    model.save(tmp_path / "model")
    again = ft.load(tmp_path / "model")
    at = [ft.split(table).val_until]
    assert np.array_equal(again.predict(table, cutoffs=at).mean, model.predict(table, cutoffs=at).mean)


def test_noise_is_not_corrected() -> None:
    assert fitted(panel(0.0, seed=1), epochs=3).network.backbone.frame.correction is None


def test_nobody_sees_its_epochs() -> None:
    rows: list[Any] = []
    with watching(rows.append):
        fitted(panel(3.0, rows=200), epochs=2)
    assert [row["epoch"] for row in rows] == [0, 1, 2]


def test_validation_only_judges_it(monkeypatch: pytest.MonkeyPatch) -> None:
    losses, train = [], step_correction.train_network

    def spied(*args: Any, **options: Any) -> Any:
        history = train(*args, **options)
        losses.append([[row[name] for row in history.epochs] for name in ("train_loss", "val_loss")])
        return history

    monkeypatch.setattr(step_correction, "train_network", spied)
    table = panel(3.0, rows=200)
    later = np.arange(200)[:, None] > ft.split(table).train_end
    fixed = {"epochs": 2, "channels": "shared", "level": "last", "waves": 1, "known": "off", "penalties": (0.1,)}
    for values in (table.values, table.values + np.where(later, 2.0, 0.0)):
        fitted(table.with_values(values), **fixed)
    assert losses[0][0][1:] == losses[1][0][1:]
    assert losses[0][1] != losses[1][1]


def test_it_can_be_left_out() -> None:
    assert fitted(panel(3.0, rows=200), epochs=2, by_step=False).network.backbone.frame.correction is None


@pytest.mark.parametrize(("asked", "most", "steps"), [(None, 3, 3), (None, 1_000, None), (7, 3, 7)])
def test_it_does_not_go_through_every_one_of_many_windows(
    asked: int | None, most: int, steps: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, train = [], step_correction.train_network

    def spied(network: Any, *args: Any, **options: Any) -> Any:
        seen.append(args[2].steps_per_epoch)
        return train(network, *args, **options)

    monkeypatch.setattr(step_correction, "train_network", spied)
    monkeypatch.setattr(step_correction, "MOST_STEPS", most)
    fitted(panel(3.0, rows=200), epochs=1, steps_per_epoch=asked)
    assert seen == [steps]
