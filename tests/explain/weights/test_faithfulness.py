"""The test of faithfulness: masks by hand, the rule, and what it must and must not believe."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

import foretide as ft
from foretide.errors import ConfigError, DataError
from foretide.explain.weights.faithfulness import Faithfulness, faithfulness_of, forecast_by
from foretide.explain.weights.stream import lens_on
from foretide.training.store import Store

H, L, M = 4, 20, 2


def planted(seed: int = 0, **options: Any) -> tuple[ft.Attention, ft.Panel]:
    panel = ft.synthetic.planted_lags(T=500, lags=(6, 12), weights=(0.6, 0.3), seed=seed, n_noise=0).panel
    model = ft.Attention(H, input_size=L, hidden=8, heads=M, epochs=1, seed=seed, **options)
    return model.fit(panel, until=panel.grid.output_times([399])[0]), panel


@pytest.fixture(scope="module")
def fitted() -> tuple[ft.Attention, ft.Panel]:
    return planted()


def test_errors_of_masks_against_one_window_at_a_time(fitted: tuple[ft.Attention, ft.Panel]) -> None:
    model, panel = fitted
    lens = lens_on(model, panel, panel.grid.output_times(np.arange(420, 440)))
    found = faithfulness_of(lens, k=3, draws=19)
    network: Any = copy.deepcopy(model.network)
    bias = network.backbone.bias.detach().clone()
    weights = model.predict(panel, cutoffs=panel.grid.output_times(np.arange(420, 440)), attention=True).extras
    batches = model.window_batches(panel, lens.windows)
    plain, masked = [], []
    for n in range(20):
        inputs, labels = batches.batch(torch.tensor([n]))
        # Without ties, a bias of minus infinity on a window's own top lags is the same mask, made by the model itself.
        for k, out in ((0, plain), (3, masked)):
            edited = bias.clone()
            for m in range(M):
                for step in range(H):
                    row = weights["attention"][n, m, step]
                    for index in sorted(range(L), key=lambda i: -row[i])[:k]:
                        edited[m, step, index] = -torch.inf
            network.backbone.bias.data = edited
            with torch.no_grad():
                mean = network(inputs)[0].mean()
            out.append(float((mean - labels.y).square().mean()))
    assert found.error == pytest.approx(np.mean(plain), rel=1e-5)
    assert found.attended == pytest.approx(np.mean(masked), rel=1e-4)
    assert found.by_step.mean(axis=1) == pytest.approx([found.error, found.attended, found.random.mean()], rel=1e-6)


@pytest.mark.parametrize("head", ["point", "nb", "quantile"])
def test_forecasts_by_the_models_own_weights_are_its_forecasts(head: str) -> None:
    panel = ft.synthetic.supplies(T=120, n_targets=2, n_covariates=1, seed=0).panel
    model = ft.Attention(3, input_size=14, hidden=8, heads=2, epochs=1, head=head).fit(panel)
    lens = lens_on(model, panel, panel.grid.output_times(np.arange(60, 70)))
    assert model.preparation is not None
    store = Store(panel, model.preparation, input_size=14, h=3)
    with torch.inference_mode():
        for at, seen, entity, _ in lens.with_truth_of(lens.with_truth()):
            mean = forecast_by(model, seen, torch.softmax(seen.scores, dim=-1), entity).numpy()
            found = store.preparation.unscale(panel, lens.windows.entity[at], mean)
            # Demand has zeros and nothing below: what falls below is put to zero in the forecast.
            assert np.maximum(found, 0.0) == pytest.approx(
                model.predict(panel, panel.grid.output_times(np.arange(60, 70))).mean, rel=1e-4
            )


def made(attended: float, random: np.ndarray, interval: tuple[float, float], better: int = 0) -> Faithfulness:
    moved = np.r_[np.full(better, 0.9), np.full(39 - better, 2.0)]
    return Faithfulness(2, 20, 1.0, attended, random, moved, np.ones((3, 4)), interval, 100, 100)


@pytest.mark.parametrize(
    ("attended", "above", "interval", "verdict"),
    [
        (2.0, 0, (0.5, 1.5), "faithful"),
        (2.0, 1, (0.5, 1.5), "faithful"),  # p = 2 / 40
        (2.0, 2, (0.5, 1.5), "not faithful"),  # p = 3 / 40: random relabellings do as much
        (1.01, 0, (0.005, 0.015), "not faithful"),  # surely less than 2 % of the error
        (1.015, 0, (0.005, 0.025), "undecided"),
        (1.5, 0, (-0.2, 1.2), "undecided"),  # too few windows
        (1.5, 8, (-0.2, 1.2), "not faithful"),  # a fifth of the random lags does as much
        (1.0, 20, (-0.01, 0.01), "not faithful"),
        (0.8, 39, (-0.3, -0.1), "not faithful"),
        (1.5, 0, (float("nan"), float("nan")), "undecided"),
    ],
)
def test_the_rule(attended: float, above: int, interval: tuple[float, float], verdict: str) -> None:
    random = np.r_[np.full(above, attended), np.full(39 - above, 0.999 * min(attended, 1.0))]
    found = made(attended, random, interval)
    assert found.p_value == (1 + above) / 40
    assert found.verdict == verdict
    assert verdict in repr(found)
    assert {"faithful": "is faithful", "not faithful": "is not faithful", "undecided": "does not decide"}[
        verdict
    ] in found.text()


def test_weights_that_are_as_good_elsewhere_are_not_believed() -> None:
    random = np.full(39, 1.01)
    assert made(2.0, random, (0.5, 1.5), better=1).verdict == "faithful"
    found = made(2.0, random, (0.5, 1.5), better=2)
    assert (found.p_masking, found.p_moving, found.verdict) == (1 / 40, 3 / 40, "not faithful")
    assert "moved to random lags" in found.text()


def test_planted_lags_are_believed_even_attention_is_not(fitted: tuple[ft.Attention, ft.Panel]) -> None:
    lens = lens_on(*fitted, None)
    trained = faithfulness_of(lens)
    assert trained.verdict == "faithful"
    assert trained.difference > 0.2
    assert faithfulness_of(lens, scores=torch.zeros_like).verdict == "not faithful"


@pytest.mark.parametrize("explanation_only", [False, True])
def test_shuffled_attention_is_believed_no_more_often_than_chance(
    fitted: tuple[ft.Attention, ft.Panel], *, explanation_only: bool
) -> None:
    lens = lens_on(*fitted, None)
    found = []
    for seed in range(20):
        order = torch.rand((M, H, L), generator=torch.Generator().manual_seed(seed)).argsort(dim=-1)

        def shuffled(scores: torch.Tensor, order: torch.Tensor = order) -> torch.Tensor:
            return scores.gather(-1, order.expand(scores.shape))

        edits: Any = {"ranked_by" if explanation_only else "scores": shuffled}
        found.append(faithfulness_of(lens, draws=19, seed=seed, **edits))
    assert sum(f.verdict == "faithful" for f in found) <= 1
    if explanation_only:
        # Ranks of a relabelling among relabellings are even: their mean has standard deviation 0.29 / sqrt(20).
        assert np.mean([f.p_value for f in found]) == pytest.approx(0.525, abs=3 * 0.29 / np.sqrt(20))


def test_the_same_seed_gives_the_same_answer(fitted: tuple[ft.Attention, ft.Panel]) -> None:
    lens = lens_on(*fitted, None)
    a, b, c = (faithfulness_of(lens, draws=19, seed=seed) for seed in (1, 1, 2))
    assert (a.random == b.random).all()
    assert (a.random != c.random).any()


def test_many_windows_are_thinned_over_cutoffs(fitted: tuple[ft.Attention, ft.Panel]) -> None:
    model, panel = fitted
    lens = lens_on(model, panel, panel.grid.output_times(np.arange(50, 499)))
    assert len(lens.windows) == 449
    assert faithfulness_of(lens, draws=19).n_windows == 446  # the last three have no whole truth
    few = faithfulness_of(lens, draws=19, most_windows=100)
    assert 60 <= few.n_windows <= 100


def test_targets_that_are_missing_do_not_count(fitted: tuple[ft.Attention, ft.Panel]) -> None:
    model, panel = fitted
    values = panel.values.copy()
    values[441:443] = np.nan
    holed = panel.with_values(values)
    cutoffs = panel.grid.output_times(np.arange(436, 441))
    lens = lens_on(model, holed, cutoffs)
    forecast = model.predict(holed, cutoffs)
    assert model.preparation is not None
    error = (forecast.truth(holed) - forecast.mean) / model.preparation.scale[0, 0]
    by_cutoff = [np.nanmean(e**2) for e in error if not np.isnan(e).all()]
    assert faithfulness_of(lens, draws=19).error == pytest.approx(np.mean(by_cutoff), rel=1e-4)


def test_wrong_questions_say_what_to_type(fitted: tuple[ft.Attention, ft.Panel]) -> None:
    model, panel = fitted
    summary = ft.explain.attention(model, panel)
    with pytest.raises(ConfigError, match="k is a number of lags between 1 and 19, got 20"):
        summary.faithfulness(k=20)
    with pytest.raises(ConfigError, match="draws is at least 19"):
        summary.faithfulness(draws=5)
    ends = ft.explain.attention(model, panel, panel.grid.output_times([499]))
    with pytest.raises(DataError, match="No window has a truth"):
        ends.faithfulness()
    few = ft.explain.attention(model, panel, panel.grid.output_times([400, 401]))
    assert few.faithfulness(draws=19).verdict == "undecided"
