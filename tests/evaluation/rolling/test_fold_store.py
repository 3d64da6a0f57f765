"""Results of folds on the disk: what is read back is all that was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.cases import make_panel

import foretide as ft
from foretide.errors import ConfigError
from foretide.evaluation.rolling import backtest as backtests


def test_a_resumed_fold_has_its_quantiles_levels_and_notes(tmp_path: Path) -> None:
    panel = make_panel((80, 30))
    options = {"n_windows": 3, "step": 3, "levels": (50, 90), "quantiles": (0.2, 0.7), "folder": tmp_path / "b"}
    models = [ft.SeasonalES(4), ft.Drift(4)]
    first = ft.backtest(models, panel, baselines=False, **options)  # type: ignore[arg-type]
    again = ft.backtest(models, panel, baselines=False, **options)  # type: ignore[arg-type]
    assert any(note.startswith("resumed: 2 of 2") for note in again.notes)
    assert first.distributions.levels == again.distributions.levels
    for name in ("SeasonalES", "Drift"):
        one, two = (card.distributions.quantiles[name] for card in (first, again))
        assert one.levels == two.levels
        assert np.isfinite(one.values).all()
        np.testing.assert_array_equal(one.values, two.values)
        np.testing.assert_array_equal(again.forecasts[name], first.forecasts[name])
    np.testing.assert_array_equal(again.leaderboard()["winkler_90"], first.leaderboard()["winkler_90"])
    assert [note for note in again.notes if not note.startswith("resumed")] == list(first.notes)


def test_results_of_other_versions_are_not_mixed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel, options = make_panel((80,)), {"n_windows": 2, "baselines": False, "folder": tmp_path / "b"}
    ft.backtest(ft.Drift(4), panel, **options)  # type: ignore[arg-type]
    monkeypatch.setattr(backtests, "installed_versions", lambda: {"foretide": "0.0.1"})
    with pytest.raises(ConfigError, match="differs in versions"):
        ft.backtest(ft.Drift(4), panel, **options)  # type: ignore[arg-type]
