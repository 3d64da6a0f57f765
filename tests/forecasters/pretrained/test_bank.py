"""The filters: the textbook's recursions, run over all windows at once."""

from __future__ import annotations

import numpy as np
import pytest

from foretide.forecasters.pretrained.bank import _TABLE, LOGS, SIZE, filtered


def season_and_trend(length: int, season: int, n: int = 3) -> np.ndarray:
    rng, t = np.random.default_rng(0), np.arange(length)[:, None]
    return 1 + 0.01 * t + 0.2 * np.sin(2 * np.pi * t / season + np.arange(n)) + rng.normal(0, 0.05, (length, n))


def test_each_filter_is_the_recursion_of_the_textbook_from_its_first_states() -> None:
    y, season, k = season_and_trend(30, 4), 4, 6
    bank = filtered(y, season)
    for member in range(SIZE):
        alpha, beta, phi, gamma, line = _TABLE[member]
        z = np.log(y) if LOGS[member] else y
        level, slope = bank.level[0, :, member], bank.trend[0, :, member]
        terms = [*bank.seasonal[: season + 1, :, member]]
        for t in range(1, len(y)):
            error = z[t] - level - phi * slope - terms[t]
            level, slope = level + phi * slope + alpha * error, phi * slope + alpha * beta * error
            terms.append(terms[t] + (1 - alpha) * gamma * error)
        wanted = level + slope * sum(phi**i for i in range(1, k + 1)) + terms[-season + (k - 1) % season]
        wanted = wanted + line * k * np.polyfit(np.arange(len(y)), z, 1)[0]
        found = bank.ahead(k, slice(len(y) - 1, len(y)))[0, :, member]
        np.testing.assert_allclose(found, np.exp(wanted) if LOGS[member] else wanted, rtol=1e-6)


@pytest.mark.parametrize("season", [1, 4])
def test_a_series_that_does_not_move_is_forecast_as_it_is(season: int) -> None:
    bank = filtered(np.ones((12, 1)), season)
    for k in (1, 5, 40):
        np.testing.assert_allclose(bank.ahead(k, slice(11, 12)), 1.0, atol=1e-9)


def test_a_season_without_noise_is_found_by_the_filters_that_have_one() -> None:
    t = np.arange(40)[:, None]
    y = 1 + 0.3 * np.cos(2 * np.pi * t / 4)
    found = filtered(y[:32], 4).ahead(6, slice(31, 32))[0, 0]
    seasonal = (_TABLE[:, 3] > 0) & ~LOGS
    np.testing.assert_allclose(found[seasonal], y[37, 0], atol=0.02)  # trends need a while to see that there is none


@pytest.mark.parametrize("lead", [1, 3, 8])
def test_empty_rows_before_a_window_change_nothing(lead: int) -> None:
    y = season_and_trend(23, 4)
    y[10, 0] = np.nan
    alone, behind = filtered(y, 4), filtered(np.concatenate([np.full((lead, 3), np.nan), y]), 4)
    np.testing.assert_array_equal(alone.level, behind.level[lead:])
    np.testing.assert_array_equal(alone.trend, behind.trend[lead:])
    np.testing.assert_array_equal(alone.ahead(3, slice(22, 23)), behind.ahead(3, slice(22 + lead, 23 + lead)))


def test_factors_do_not_run_away() -> None:
    y = np.exp(np.linspace(0, 4, 12))[:, None]
    found = filtered(y / y.mean(), 1).ahead(60, slice(11, 12))[0]
    assert found[:, LOGS].max() < np.exp(3.01) * (y / y.mean()).max()
