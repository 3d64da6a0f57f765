from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from foretide.forecasters.gaussian import missing, naive_distribution, normal_quantiles, say_replaced


def test_normal_quantiles_are_scipys() -> None:
    mean, sd = np.array([[1.0, -3.0]]), np.array([[0.5, 2.0]])
    levels = (0.025, 0.1, 0.5, 0.9)
    expected = np.stack([stats.norm.ppf(q, mean, sd) for q in levels], axis=-1)
    np.testing.assert_allclose(normal_quantiles(mean, sd, levels), expected, rtol=1e-12)


@pytest.mark.parametrize("season", [1, 4])
def test_naive_law_is_statsforecasts_without_its_correction_of_degrees(season: int) -> None:
    from statsforecast.models import SeasonalNaive

    y = np.random.default_rng(1).normal(size=40).cumsum()
    mean, sd = naive_distribution(y[:, None], np.array([39]), 10, season)
    expected = SeasonalNaive(season_length=season).forecast(y=y, h=10, level=[80])
    np.testing.assert_allclose(mean[0, :, 0], expected["mean"])
    theirs = (expected["hi-80"] - expected["mean"]) / stats.norm.ppf(0.9)
    ratio = sd[0, :, 0] / theirs
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    assert ratio[0] == pytest.approx(1, abs=0.03)


def test_naive_law_with_little_history() -> None:
    history = np.array([[np.nan], [2.0], [4.0], [7.0]])
    mean, sd = naive_distribution(history, np.array([0, 1, 2, 3]), 2, 3)
    assert np.isnan(mean[0]).all()
    assert np.isnan(sd[0]).all()
    assert sd[1].tolist() == [[0.0], [0.0]]
    # One season is not complete before row 4: the one-step differences stand in.
    assert sd[3, 0, 0] == pytest.approx(np.sqrt((4 + 9) / 2))


def test_replacements_are_counted_aloud() -> None:
    names = ["a", "b", "c", "d"]
    with pytest.warns(UserWarning, match=r"X: 4 forecasts or series \('a', 'b', 'c', \.\.\.\) got the mean instead"):
        say_replaced("X", {"it failed": names}, "the mean")


def test_missing_package_says_what_to_type() -> None:
    assert "pip install 'foretide[baselines]'" in str(missing("statsmodels", "ARIMA"))
