"""Similar windows as LAVAR's distribution: taken where validation prefers them, and then as Analogues would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import make_panel

import foretide as ft
from foretide.data.panel import Panel
from foretide.errors import ConfigError

FAST = {"order": 2, "latent": 2, "epochs": 0, "head_epochs": 0, "effects": False}


def skewed(series: int = 12, rows: int = 200, seed: int = 0) -> Panel:
    """Series that are zero on most days, and large on the others: no negative binomial."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((series * rows, 1)) < 0.3, 20.0 + rng.integers(0, 3, (series * rows, 1)), 0.0)
    return make_panel((rows,) * series).with_values(values)


def verdict(model: ft.LAVAR) -> dict[str, object]:
    return model.gates().set_index("part").loc["similar windows"].to_dict()


def test_what_followed_similar_windows_answers_where_the_past_errors_have_another_shape(tmp_path: Path) -> None:
    panel = skewed()
    model = ft.LAVAR(h=7, **FAST).fit(panel)
    assert verdict(model)["kept"]
    assert float(str(verdict(model)["gain"])) > 0.05
    forecast = model.predict(panel, quantiles=(0.5, 0.9))
    np.testing.assert_array_equal(forecast.quantile(0.5), 0.0)
    assert (forecast.quantile(0.9) >= 18).mean() > 0.9
    model.save(tmp_path / "model")
    again = ft.load(tmp_path / "model").predict(panel, quantiles=(0.5, 0.9))
    np.testing.assert_array_equal(again.quantiles, forecast.quantiles)
    np.testing.assert_allclose(again.mean, forecast.mean, rtol=1e-6)


def test_it_is_better_on_a_later_part() -> None:
    panel = skewed(seed=5)
    loss = {}
    for kind in ("auto", "errors"):
        card = ft.backtest(
            ft.LAVAR(h=7, distribution=kind, **FAST), panel, h=7, n_windows=4, refit=False, baselines=False
        )
        loss[kind] = float(card.scores("wql")["LAVAR"].iloc[0])
    assert loss["auto"] < 0.97 * loss["errors"]


def test_small_series_do_not_decide_for_a_large_one() -> None:
    panel, rng = skewed(series=41, rows=150), np.random.default_rng(1)
    values = np.array(panel.values)
    values[-150:] = np.round(np.maximum(10_000 + rng.normal(0, 3_000, (150, 1)), 0))
    gate = verdict(ft.LAVAR(h=7, **FAST).fit(panel.with_values(values)))
    assert not gate["kept"]
    assert float(str(gate["gain"])) < 0


def test_a_new_series_is_answered_too() -> None:
    model = ft.LAVAR(h=7, **FAST).fit(skewed())
    new = make_panel((200,)).with_values(skewed(1, seed=9).values)
    forecast = model.predict(new, levels=80)
    assert np.isfinite(forecast.mean).all()
    assert forecast.quantile(0.9).max() > 10


def test_few_windows_are_not_looked_at_unless_asked_for() -> None:
    panel = make_panel((120,))
    assert not verdict(ft.LAVAR(h=7, **FAST).fit(panel))["kept"]
    assert "fewer than 1,000 windows" in str(verdict(ft.LAVAR(h=7, **FAST).fit(panel))["why"])
    asked = verdict(ft.LAVAR(h=7, distribution="analogues", **FAST).fit(panel))
    assert asked["kept"]
    assert asked["why"].startswith("asked for")
    assert verdict(ft.LAVAR(h=7, distribution="errors", **FAST).fit(skewed()))["why"] == "switched off"
    with pytest.raises(ConfigError, match="distribution"):
        ft.LAVAR(h=7, distribution="analogue")


def test_heads_that_were_asked_for_keep_their_own_distribution() -> None:
    panel = skewed()
    plain, pooled = (
        ft.LAVAR(h=7, heads=("nb", "nb", "nb"), distribution=kind, **FAST).fit(panel).predict(panel, levels=80)
        for kind in ("errors", "analogues")
    )
    np.testing.assert_array_equal(plain.quantiles, pooled.quantiles)
    np.testing.assert_array_equal(plain.mean, pooled.mean)
