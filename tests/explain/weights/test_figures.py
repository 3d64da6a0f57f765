"""Figures of attention weights, held against slow loops over the full array and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from attention_weights import figures_of
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy

from foretide.errors import ConfigError
from foretide.explain.weights.figures import AttentionFigures
from foretide.explain.weights.words import attention_sentences, leading_distances
from foretide.explain.wording import start_words

N, M, H, L = 5, 3, 4, 7


@pytest.fixture
def weights() -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.full(L, 0.3), size=(N, M, H))


def figures(weights: np.ndarray, seasons: tuple[int, ...] = (4,)) -> AttentionFigures:
    return figures_of(weights, freq="h", seasons=seasons)


def lag_of(index: int, lookback: int = L) -> int:
    return lookback - 1 - index


@pytest.mark.parametrize("per", [None, "h_step", "head"])
@pytest.mark.parametrize("by", ["lag", "distance"])
def test_lag_importance_against_a_slow_loop(weights: np.ndarray, by: str, per: str | None) -> None:
    table = figures(weights).lag_importance(by, per)
    seen = 0
    for group in range(1, {None: 1, "h_step": H, "head": M}[per] + 1):
        for value in range(L + H):
            cells: dict[int, list[float]] = {}
            for n in range(N):
                for m in range(M):
                    for step in range(1, H + 1):
                        if per is not None and {"h_step": step, "head": m + 1}[per] != group:
                            continue
                        for index in range(L):
                            if lag_of(index) + (step if by == "distance" else 0) == value:
                                cells.setdefault(step, []).append(weights[n, m, step - 1, index])
            row = table[table[by] == value] if per is None else table[(table[by] == value) & (table[per] == group)]
            assert len(row) == (1 if cells else 0)
            if cells:
                seen += 1
                assert float(row["weight"].iloc[0]) == pytest.approx(np.mean([np.mean(c) for c in cells.values()]))
    assert seen == len(table)


def test_top_lags_are_the_largest(weights: np.ndarray) -> None:
    profile = weights.mean(axis=(0, 1, 2))[::-1]
    top = figures(weights).top_lags(3)
    assert top["lag"].tolist() == sorted(range(L), key=lambda lag: -profile[lag])[:3]
    assert top["times_even"].to_numpy() == pytest.approx(profile[top["lag"]] * L)
    by_step = figures(weights).top_lags(2, per="h_step")
    for step in range(1, H + 1):
        own = weights[:, :, step - 1].mean(axis=(0, 1))[::-1]
        assert by_step[by_step["h_step"] == step]["lag"].tolist() == np.argsort(-own)[:2].tolist()
    assert by_step["rank"].tolist() == [1, 2] * H


def test_entropy_is_scipys_and_even_weights_reach_the_limit(weights: np.ndarray) -> None:
    table = figures(weights).entropy()
    for _, row in table.iterrows():
        own = [scipy_entropy(weights[n, int(row["head"]) - 1, int(row["h_step"]) - 1]) for n in range(N)]
        assert row["entropy"] == pytest.approx(np.mean(own))
    even = figures(np.full((2, 1, 3, L), 1 / L)).entropy()
    assert even["entropy"].to_numpy() == pytest.approx(np.log(L))
    assert even["limit"].to_numpy() == pytest.approx(np.log(L))
    assert even["lags"].to_numpy() == pytest.approx(L)


def test_top1_counts_against_a_slow_loop(weights: np.ndarray) -> None:
    table = figures(weights).top1_counts().set_index(["h_step", "lag"])
    expected: dict[tuple[int, int], int] = {}
    for n in range(N):
        for m in range(M):
            for step in range(H):
                at = (step + 1, lag_of(int(weights[n, m, step].argmax())))
                expected[at] = expected.get(at, 0) + 1
    assert {tuple(k): int(v) for k, v in table["count"].items()} == expected  # type: ignore[arg-type]
    assert table["share"].groupby("h_step").sum().to_numpy() == pytest.approx(1)


def test_head_profiles_against_slow_loops_and_scipy(weights: np.ndarray) -> None:
    found = figures(weights).head_profiles()
    mean = weights.mean(axis=0)
    for m in range(M):
        shares = {"recent": 0.0, "seasonal": 0.0, "other": 0.0}
        for step in range(1, H + 1):
            for index in range(L):
                lag = lag_of(index)
                kind = "seasonal" if (lag + step) % 4 == 0 else "recent" if lag < 1 else "other"
                shares[kind] += mean[m, step - 1, index] / H
        for kind, share in shares.items():
            assert found.table[kind].iloc[m] == pytest.approx(share)
        for other in range(M):
            js = [jensenshannon(mean[m, step], mean[other, step], base=2) ** 2 for step in range(H)]
            assert found.divergence[m, other] == pytest.approx(np.mean(js), abs=1e-9)
    assert found.table[["recent", "seasonal", "other"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert found.profile == pytest.approx(mean.mean(axis=1))


def test_two_heads_swapped_swap_their_rows_and_nothing_else(weights: np.ndarray) -> None:
    order = [1, 0, 2]
    a, b = figures(weights), figures(weights[:, order])
    assert b.head_profiles().table.iloc[order].drop(columns="head").to_numpy() == pytest.approx(
        a.head_profiles().table.drop(columns="head").to_numpy()
    )
    assert b.head_profiles().divergence == pytest.approx(a.head_profiles().divergence[np.ix_(order, order)])
    assert b.lag_importance("distance")["weight"].to_numpy() == pytest.approx(
        a.lag_importance("distance")["weight"].to_numpy()
    )
    assert b.top1_counts().equals(a.top1_counts())


def test_horizon_dependence_against_a_slow_loop(weights: np.ndarray) -> None:
    table = figures(weights).horizon_dependence()
    mean = weights.mean(axis=(0, 1))
    for step in range(1, H + 1):
        row = table.iloc[step - 1]
        assert row["mean_lag"] == pytest.approx(sum(mean[step - 1, i] * lag_of(i) for i in range(L)))
        assert row["mean_distance"] == pytest.approx(row["mean_lag"] + step)
        seasonal = sum(mean[step - 1, i] for i in range(L) if (lag_of(i) + step) % 4 == 0)
        assert row["seasonal"] == pytest.approx(seasonal)
        own = [scipy_entropy(weights[n, m, step - 1]) for n in range(N) for m in range(M)]
        assert row["entropy"] == pytest.approx(np.mean(own))


def test_divergence_between_windows_is_that_of_their_rows(weights: np.ndarray) -> None:
    apart = [
        (scipy_entropy(weights[:, m, s].mean(axis=0)) - np.mean([scipy_entropy(w) for w in weights[:, m, s]]))
        for m in range(M)
        for s in range(H)
    ]
    assert figures(weights).between_windows == pytest.approx(np.mean(apart) / np.log(2))
    assert figures(np.repeat(weights[:1], 4, axis=0)).between_windows == pytest.approx(0, abs=1e-12)


def copying(distance: int, *, heads: int = 1, h: int = 6, lookback: int = 48, share: float = 0.8) -> np.ndarray:
    """Weights that copy from one distance, the rest spread evenly."""
    weights = np.full((2, heads, h, lookback), (1 - share) / (lookback - 1))
    for step in range(1, h + 1):
        weights[:, :, step - 1, lookback - 1 - (distance - step)] = share
    return weights


def test_words_follow_the_weights() -> None:
    for distance in (12, 24):
        words = " ".join(attention_sentences(figures(copying(distance)), None))
        assert f"Most weight lies {distance} hours before the forecast step" in words
        assert "at least 5 times even attention" in words
        assert "No clear pattern" not in words
    even = " ".join(attention_sentences(figures(np.full((2, 2, 6, 48), 1 / 48)), None))
    assert "No clear pattern" in even
    assert "nearly even" in even
    assert "The 2 heads look alike" in even


def test_heads_that_differ_are_named_with_what_they_look_at() -> None:
    both = np.concatenate([copying(12), copying(24)], axis=1)
    words = " ".join(attention_sentences(figures(both), None))
    assert "most apart are heads 1 and 2, with 80% and 0% of their weight 12 hours back" in words


def test_a_distance_out_of_some_steps_reach_is_named_with_those_that_reach_it() -> None:
    weights = np.full((1, 1, 6, 48), 0.1 / 47)
    weights[..., :2, -1] = 0.9  # lag 0 at steps 1 and 2
    for step in range(3, 7):
        weights[..., step - 1, 48 - 1 - (12 - step)] = 0.9
    weights /= weights.sum(axis=-1, keepdims=True)
    words = " ".join(attention_sentences(figures(weights), None))
    assert "Most weight lies 1 (from step 1 only), 12 and 2 (from steps 1 to 2 only) hours before" in words


def test_a_focus_that_moves_with_the_horizon_is_said() -> None:
    weights = np.full((1, 1, 6, 48), 0.2 / 47)
    for step in range(6):
        weights[0, 0, step, 48 - 1 - (24 - step - 1)] += 0.15 * step
        weights[0, 0, step, -1] += 0.75 - 0.15 * step
    weights /= weights.sum(axis=-1, keepdims=True)
    words = " ".join(attention_sentences(figures(weights, (24,)), None))
    assert "the share of recent lags" in words
    assert "falls" in words
    assert "the share of seasonal lags (whole seasons (24 hours) back) grows" in words


def test_a_small_second_peak_is_not_named() -> None:
    weights = copying(24, share=0.6)
    weights[..., 3] += 0.15
    weights /= weights.sum(axis=-1, keepdims=True)
    assert leading_distances(figures(weights)).tolist() == [24]


def test_wrong_questions_say_what_to_type(weights: np.ndarray) -> None:
    found = figures(weights)
    with pytest.raises(ConfigError, match="by is 'lag' or 'distance', got 'lags'. Did you mean 'lag'"):
        found.lag_importance("lags")
    with pytest.raises(ConfigError, match="per is None, 'h_step' or 'head', got 'heads'. Did you mean 'head'"):
        found.lag_importance(per="heads")
    with pytest.raises(ConfigError, match="k is a number of lags, at least 1; got 0"):
        found.top_lags(0)


def test_starts() -> None:
    assert "3 seasonal waves" in start_words({"waves": 3, "known": False, "level": "last"})
