"""A planted look-up from the outside: found, saved, explained, and worth its head."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

import foretide as ft

H, L = 3, 30


@cache
def fitted() -> tuple[ft.Attention, ft.Panel, np.ndarray]:
    """Model, panel, and cutoffs after what it was fitted on."""
    panel = ft.synthetic.planted_lookup(T=2500, marker=0.12, seed=110).panel
    model = ft.Attention(H, input_size=L, hidden=16, heads=2, epochs=4, device="cpu", seed=1)
    model.fit(panel, until=panel.grid.output_times([1999])[0])
    return model, panel, np.arange(2000, 2490)


def test_it_looks_where_the_value_stands_and_forecasts_by_it() -> None:
    model, panel, cutoffs = fitted()
    truth = ft.synthetic.planted_lookup(T=2500, marker=0.12, seed=110).truth
    forecast = model.predict(panel, panel.grid.output_times(cutoffs), attention=True)
    weights, place = forecast.extras["attention"], truth.places(cutoffs, H)
    assert weights.shape == (len(cutoffs), 3, H, L)
    there = place - (cutoffs[:, None] - L + 1)
    looks = (place >= 0) & (there >= 0)
    assert (weights.mean(axis=1).argmax(axis=2) == there)[looks].mean() > 0.9
    error = np.sqrt(np.mean((forecast.truth() - forecast.mean)[looks] ** 2))
    floor = np.sqrt(np.mean((forecast.truth() - truth.oracle(cutoffs, H))[looks] ** 2))
    start = model.start()
    assert start is not None
    before = start.fit(panel, until=panel.grid.output_times([1999])[0]).predict(panel, panel.grid.output_times(cutoffs))
    assert error < 1.3 * floor
    assert error < 0.85 * np.sqrt(np.mean((before.truth() - before.mean)[looks] ** 2))


def test_it_is_saved_and_refitted(tmp_path: Path) -> None:
    model, panel, cutoffs = fitted()
    times = panel.grid.output_times(cutoffs[:50])
    model.save(tmp_path / "model")
    again = ft.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(panel, times).mean, model.predict(panel, times).mean)
    np.testing.assert_array_equal(
        again.predict(panel, times, attention=True).extras["attention"],
        model.predict(panel, times, attention=True).extras["attention"],
    )


def test_the_summary_says_that_weights_change_and_are_faithful() -> None:
    model, panel, cutoffs = fitted()
    summary = ft.explain.attention(model, panel, panel.grid.output_times(cutoffs))
    assert summary.between_windows > 0.1
    assert summary.belief is not None
    assert summary.belief.verdict == "faithful"
    changes = summary.head_profiles().table["changes"]
    assert changes.idxmax() == 2
    assert changes[2] > 20 * changes[:2].max()
    assert "head 3 most" in summary.text()
