"""Blends: shares, means, quantiles and the spread between members, each by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from cases import make_panel, times
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.windows import Windows
from foretide.errors import ConfigError, DataError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.classical.arima import ARIMA
from foretide.forecasters.simple.baselines import Drift, Persistence, SeasonalMean, SeasonalNaive
from foretide.forecasters.wrappers.ensemble import Ensemble, blend_quantiles, simplex_weights

H = 5


def members() -> list[Forecaster]:
    return [SeasonalNaive(H, 7), Persistence(H), SeasonalMean(H, 7, 4)]


class Whole(Persistence):
    """Quantiles of a count, or of another distribution, around the last value."""

    has_distribution = True

    def __init__(self, h: int, add: float = 0.0, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.add = add

    def _predict(self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: Any) -> Prediction:
        mean = np.floor(super()._predict(panel, windows, quantiles, traces).mean)
        steps = np.arange(len(quantiles)) + self.add
        return Prediction(mean, mean[..., None] + steps)


def test_the_mean_and_the_spread_by_hand() -> None:
    panel = make_panel((100, 90), targets=2)
    cutoffs = times(panel, [70, 75, 80])
    shares = (0.5, 0.2, 0.3)
    model = Ensemble(members(), shares).fit(panel, until=cutoffs[0])
    made = [m.fit(panel, until=cutoffs[0]).predict(panel, cutoffs).mean for m in members()]
    found = model.predict(panel, cutoffs)
    np.testing.assert_allclose(found.mean, sum(w * m for w, m in zip(shares, made, strict=True)), rtol=1e-12)
    np.testing.assert_allclose(found.extras["spread"], np.std(made, axis=0, ddof=1), rtol=1e-12)
    assert found.quantiles is not None  # of the blend's own past errors
    equal = Ensemble(members()).fit(panel, until=cutoffs[0]).predict(panel, cutoffs)
    np.testing.assert_allclose(equal.mean, np.mean(made, axis=0), rtol=1e-12)
    one = Ensemble([Persistence(H)]).fit(panel).predict(panel, cutoffs)
    np.testing.assert_array_equal(one.extras["spread"], 0)


def test_quantiles_are_averaged_level_by_level() -> None:
    panel = make_panel((90,))
    a, b = ARIMA(H, order=(1, 0, 0)), ARIMA(H, order=(2, 0, 0), alias="b")
    model = Ensemble([a, b], (0.25, 0.75)).fit(panel)
    assert model.has_distribution
    found = model.predict(panel, levels=(80,), quantiles=(0.5,))
    one, two = (m.fit(panel).predict(panel, levels=(80,), quantiles=(0.5,)) for m in (a, b))
    assert one.quantiles is not None
    assert two.quantiles is not None
    assert found.quantiles is not None
    np.testing.assert_allclose(found.quantiles, 0.25 * one.quantiles + 0.75 * two.quantiles, rtol=1e-10)
    assert not Ensemble([a, Persistence(H)]).has_distribution


def test_quantiles_of_counts_stay_whole_numbers() -> None:
    panel = make_panel((60,))
    levels = (0.1, 0.25, 0.5, 0.9)
    found = Ensemble([Whole(H), Whole(H, add=1.0)], (0.3, 0.7)).fit(panel).predict(panel, levels=(), quantiles=levels)
    assert found.quantiles is not None
    last = np.floor(panel.values[-1, 0])
    np.testing.assert_array_equal(found.quantiles[0, 0, 0], last + np.arange(4) + 1)
    other = Ensemble([Whole(H), Whole(H, add=0.5)], (0.3, 0.7)).fit(panel).predict(panel, levels=(), quantiles=levels)
    assert other.quantiles is not None
    np.testing.assert_allclose(other.quantiles[0, 0, 0], last + np.arange(4) + 0.35)


@settings(max_examples=50)
@given(st.integers(1, 5), st.integers(0, 10_000))
def test_simplex_weights_are_the_least_of_all_shares(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(n, 30)) * rng.uniform(0.5, 3, size=(n, 1)) + rng.normal(size=30)
    gram = errors @ errors.T
    found = simplex_weights(gram)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1)
    twin = minimize(
        lambda w: w @ gram @ w / np.trace(gram), np.full(n, 1 / n), bounds=[(0, 1)] * n, method="SLSQP",
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    assert found @ gram @ found <= twin.x @ gram @ twin.x * (1 + 1e-6)


def test_validated_shares_are_the_best_of_a_grid_on_the_validation_part() -> None:
    panel = make_panel((140, 140), seed=5)
    values = panel.values.copy()
    values[140:] *= 1000  # One loud series must not choose for the quiet one.
    panel = panel.with_values(values)
    until, train_until = times(panel, [129, 99])
    pair = [SeasonalNaive(H, 7), Persistence(H)]
    model = Ensemble(pair, "validated").fit(panel, until=until, train_until=train_until)
    assert model.uses_validation
    cutoffs = times(panel, list(range(99, 129 - H + 1)))
    seen = panel.until(until)
    made = [m.fit(panel, until=train_until).predict(panel, cutoffs) for m in pair]
    truth = made[0].truth(seen)
    scale = np.array([panel.rows(i)[:100, 0].std() for i in range(2)])[made[0].windows.entity][:, None, None]
    losses = {}
    for share in np.linspace(0, 1, 201):
        error = (share * made[0].mean + (1 - share) * made[1].mean - truth) / scale
        losses[share] = float(np.nanmean(error**2))
    assert model.shares is not None
    assert model.shares[0] == pytest.approx(min(losses, key=losses.__getitem__), abs=0.006)


def test_members_learn_from_everything_once_the_shares_are_known() -> None:
    panel = make_panel((140,))
    until, train_until = times(panel, [129, 99])
    model = Ensemble([Drift(H), ft.ARIMA(H, order=(1, 0, 0))], "validated")
    model.fit(panel, until=until, train_until=train_until)
    alone = ft.ARIMA(H, order=(1, 0, 0)).fit(panel, until=until)
    np.testing.assert_array_equal(model.members[1].predict(panel, [until]).mean, alone.predict(panel, [until]).mean)


class Spy(Persistence):
    """Notes the last step it was given to learn from."""

    seen: ClassVar[list[int]] = []

    def _fit(self, part: FitPart) -> None:
        self.seen.append(int((part.panel.first + part.panel.observed - 1).max()))


def test_shares_come_from_members_that_know_the_training_part_alone() -> None:
    panel = make_panel((140,))
    until, train_until = times(panel, [129, 99])
    Spy.seen.clear()
    Ensemble([Spy(H), Drift(H)], "validated").fit(panel, until=until, train_until=train_until, intervals=False)
    assert Spy.seen == [99, 129]


def test_seeds(tmp_path: Path) -> None:
    panel = make_panel((80,))
    small = {"h": 3, "input_size": 14, "hidden": 8, "epochs": 1, "device": "cpu"}
    model = Ensemble.of_seeds(ft.LSTM, range(2), alias="two", **small)
    assert [member.settings()["seed"] for member in model.members] == [0, 1]
    assert model.name == "two"
    found = model.fit(panel).predict(panel)
    singles = [ft.LSTM(seed=seed, **small).fit(panel).predict(panel).mean for seed in range(2)]
    np.testing.assert_allclose(found.mean, np.mean(singles, axis=0), rtol=1e-6)
    assert (found.extras["spread"] > 0).all()
    model.save(tmp_path / "m")
    loaded = ft.load(tmp_path / "m")
    assert isinstance(loaded, Ensemble)
    np.testing.assert_array_equal(loaded.predict(panel).extras["spread"], found.extras["spread"])
    np.testing.assert_array_equal(loaded.members[1].predict(panel).mean, model.members[1].predict(panel).mean)


def test_seeds_of_a_model_that_is_given_and_a_number_of_them() -> None:
    small = {"h": 3, "input_size": 14, "hidden": 8, "epochs": 1, "device": "cpu"}
    given = ft.LSTM(seed=7, **small)
    model = Ensemble.of_seeds(given, 3, combine="median")
    assert [member.settings()["seed"] for member in model.members] == [0, 1, 2]
    assert all({**member.settings(), "seed": 7} == given.settings() for member in model.members)
    assert model.combine == "median"
    other = Ensemble.of_seeds(given, [4], hidden=16)
    assert other.members[0].settings() == ft.LSTM(seed=4, **{**small, "hidden": 16}).settings()
    assert given.settings()["seed"] == 7
    for without in (Persistence(H), Persistence):
        with pytest.raises(ConfigError, match="Persistence has no seed: its members would all be equal"):
            Ensemble.of_seeds(without, 2)
    for wrong in (0, True):
        with pytest.raises(ConfigError, match="seeds is how many seeds, at least 1, or a list of them"):
            Ensemble.of_seeds(given, wrong)


def test_the_median_by_hand(tmp_path: Path) -> None:
    panel = make_panel((100, 90), targets=2)
    cutoffs = times(panel, [70, 75, 80])
    model = Ensemble(members(), combine="median").fit(panel, until=cutoffs[0])
    assert model.shares is None
    made = [m.fit(panel, until=cutoffs[0]).predict(panel, cutoffs).mean for m in members()]
    found = model.predict(panel, cutoffs)
    np.testing.assert_array_equal(found.mean, np.sort(made, axis=0)[1])
    np.testing.assert_allclose(found.extras["spread"], np.std(made, axis=0, ddof=1), rtol=1e-12)
    model.save(tmp_path / "m")
    loaded = ft.load(tmp_path / "m")
    assert loaded.settings() == model.settings()
    np.testing.assert_array_equal(loaded.predict(panel, cutoffs).mean, found.mean)


def test_the_median_of_quantiles_level_by_level() -> None:
    panel = make_panel((60,))
    three = [Whole(H), Whole(H, add=4.0), Whole(H, add=1.0)]
    levels = (0.1, 0.5, 0.9)
    found = Ensemble(three, combine="median").fit(panel).predict(panel, levels=(), quantiles=levels).quantiles
    assert found is not None
    np.testing.assert_array_equal(found[0, 0, 0], np.floor(panel.values[-1, 0]) + np.arange(3) + 1)
    # Between two counts a median is a half, which is rounded to a whole number.
    two = Ensemble(three[::2], combine="median").fit(panel).predict(panel, levels=(), quantiles=levels).quantiles
    assert two is not None
    np.testing.assert_array_equal(two[0, 0, 0], np.round(np.floor(panel.values[-1, 0]) + np.arange(3) + 0.5))


def test_settings_saved_before_there_was_a_median_or_a_number_of_jobs_are_read() -> None:
    model = Ensemble(members(), (0.5, 0.2, 0.3))
    old = {name: value for name, value in model.settings().items() if name not in ("combine", "n_jobs")}
    assert Ensemble(**old).settings() == model.settings()


def test_members_side_by_side_have_the_same_bits(tmp_path: Path) -> None:
    panel = make_panel((100, 90), targets=2)
    cutoffs = times(panel, [70, 75, 80])
    given = [ft.Ridge(H, input_size=14), *members()]
    found = {n: Ensemble(given, "validated", n_jobs=n).fit(panel, until=cutoffs[0]) for n in (1, 2)}
    for name, array in found[1].state().items():
        np.testing.assert_array_equal(found[2].state()[name], array)
    assert found[2].facts() == found[1].facts()
    np.testing.assert_array_equal(found[2].predict(panel, cutoffs).mean, found[1].predict(panel, cutoffs).mean)
    found[2].save(tmp_path / "m")
    assert ft.load(tmp_path / "m").settings() == found[2].settings()
    assert found[2].settings()["n_jobs"] == 2


def test_networks_side_by_side_have_the_same_bits() -> None:
    panel = make_panel((100,))
    small = {"input_size": 14, "hidden": 4, "epochs": 1, "device": "cpu"}
    one, two = (Ensemble.of_seeds(ft.PlainLSTM, [3, 5], h=H, n_jobs=n, **small).fit(panel) for n in (1, 2))
    assert one.state().keys() == two.state().keys()
    for name, array in one.state().items():
        assert two.state()[name].dtype == array.dtype
        np.testing.assert_array_equal(two.state()[name], array)
    np.testing.assert_array_equal(one.predict(panel).mean, two.predict(panel).mean)
    assert two.predict(panel).extras["spread"].max() > 0


def test_a_failing_member_ends_the_fit_with_its_own_error() -> None:
    panel = make_panel((H,))
    for n_jobs in (1, 2):
        with pytest.raises(DataError, match="No training window fits: input_size=50"):
            Ensemble([Persistence(H), ft.Ridge(H, input_size=50)], n_jobs=n_jobs).fit(panel)


def test_given_models_are_copied() -> None:
    panel = make_panel((60,))
    given = members()
    model = Ensemble(given).fit(panel)
    assert not any(member.is_fitted for member in given)
    assert all(member.is_fitted for member in model.members)


def test_constant_series_are_left_out_of_the_choice() -> None:
    panel = make_panel((100, 100))
    values = panel.values.copy()
    values[100:] = 0.0
    flat = panel.with_values(values)
    both = Ensemble(members(), "validated").fit(flat)
    alone = Ensemble(members(), "validated").fit(flat.take([0]))
    assert both.shares is not None
    np.testing.assert_allclose(both.shares, alone.shares)
    still = Ensemble(members(), "validated").fit(panel.with_values(0 * values))
    np.testing.assert_allclose(still.shares, 1 / 3)


def test_no_validation_window() -> None:
    panel = make_panel((40,))
    with pytest.raises(DataError, match=r"No validation window to choose weights on: it needs 5 steps"):
        Ensemble(members(), "validated").fit(panel, train_until=times(panel, [37])[0])


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        ([], {}, "at least one forecaster"),
        ("LSTM", {}, "at least one forecaster"),
        ([Persistence(3), Persistence(4)], {}, r"same number of steps; got h=\[3, 4\]"),
        ([Persistence(3)], {"h": 5}, r"same number of steps; got h=\[3, 5\]"),
        (["Persistence"], {}, r"Persistence has no horizon\. Type: Ensemble"),
        (["Persistance"], {"h": 3}, "Did you mean 'Persistence'"),
        ([{"a": {}, "b": {}}], {"h": 3}, "a name or {name: settings}"),
        ([Persistence(3)], {"weights": (0.5, 0.5)}, "or 1 shares that are not negative and sum to one"),
        ([Persistence(3), Drift(3)], {"weights": (1.5, -0.5)}, "not negative and sum to one"),
        ([Persistence(3), Drift(3)], {"weights": (0.5, 0.4)}, "not negative and sum to one"),
        ([Persistence(3)], {"n_jobs": 0}, "n_jobs is how many tasks run side by side, at least 1"),
        ([Persistence(3)], {"combine": "medium"}, "no way 'medium' to combine.*Did you mean 'median'"),
        ([Persistence(3)], {"combine": "median", "weights": (1.0,)}, r"A median has no weights, got \(1\.0,\)"),
        ([Persistence(3)], {"combine": "median", "weights": "validated"}, "A median has no weights"),
        ([Persistence(3)], {"weights": "best"}, "None, 'validated', or 1 shares"),
    ],
)
def test_wrong_settings(models: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Ensemble(models, **options)


def test_whole_numbers_are_kept_forecast_by_forecast() -> None:
    # A forecast from a later cutoff that is not whole (it knows more) must not change those before it.
    whole = np.array([[1.0, 4.0], [2.0, 8.0]])[:, None, None, None, :]  # [M, N, H, D, Q]
    both = np.concatenate([whole, whole + 0.5], axis=1)
    alone, found = (blend_quantiles(values, np.array([0.7, 0.3])) for values in (whole, both))
    np.testing.assert_array_equal(found[:1], alone)
    np.testing.assert_array_equal(alone.ravel(), [1.0, 5.0])
    np.testing.assert_allclose(found[1].ravel(), [1.8, 5.7])
