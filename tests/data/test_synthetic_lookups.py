from __future__ import annotations

import numpy as np
import pytest

from foretide.data.synthetic import planted_lookup
from foretide.errors import ConfigError

KINDS: list[dict[str, float]] = [{}, {"spike": 5.0}, {"recall": 1.0}, {"recall": 1.0, "spike": 4.0}]


@pytest.mark.parametrize("kind", KINDS)
def test_recalls_repeat_the_value_at_the_place(kind: dict[str, float]) -> None:
    truth = planted_lookup(T=3000, weight=1.0, seed=1, **kind).truth
    cutoffs = np.arange(200, 2990)
    place = truth.places(cutoffs, h=1)[:, 0]
    looks = place >= 0
    assert 0.2 < looks.mean() < 1
    np.testing.assert_array_equal(looks, truth.recalled[cutoffs + 1])
    np.testing.assert_allclose(truth.y[cutoffs + 1][looks], truth.y[place[looks]])
    after = 1 if truth.spike else 0
    for cutoff, p in list(zip(cutoffs, place, strict=True))[:300]:  # the last marker, by a slow loop
        if p >= 0:
            assert p == max(t for t in range(cutoff + 1) if t >= after and truth.marked[t - after])
    assert len(np.unique((cutoffs - place)[looks])) > 15  # it moves


@pytest.mark.parametrize("kind", KINDS)
def test_the_oracle_is_the_conditional_mean(kind: dict[str, float]) -> None:
    truth = planted_lookup(T=60_000, seed=2, **kind).truth
    cutoffs = np.arange(1000, 59_900)
    mean = truth.oracle(cutoffs, h=6)[..., 0]
    y = truth.y[cutoffs[:, None] + np.arange(1, 7)]
    error = y - mean
    for k in (0, 1, 5):  # no function of the forecast is left in its error
        assert (error[:, k] * mean[:, k]).sum() / (mean[:, k] ** 2).sum() == pytest.approx(0, abs=0.05)
        assert error[:, k].mean() == pytest.approx(0, abs=0.02)
    sure = (truth.places(cutoffs, h=1)[:, 0] >= 0) & (truth.recall < 1)
    if sure.any():
        assert error[sure, 0].std() == pytest.approx(np.sqrt(1 - 0.9**2), rel=0.03)


def test_no_linear_map_comes_near() -> None:
    truth = planted_lookup(T=20_000, seed=3).truth
    size = 40
    rows = np.flatnonzero(truth.recalled[size:]) + size
    lags = np.stack([truth.y[rows - k] for k in range(1, size + 1)], axis=1)
    y = truth.y[rows]
    left = y - lags @ np.linalg.lstsq(lags, y, rcond=None)[0]
    assert truth.linear_rmse(size) == pytest.approx(left.std(), rel=0.03)
    assert truth.linear_rmse(size) > 1.5 * np.sqrt(1 - 0.9**2)


def test_columns_and_seeds() -> None:
    panel = planted_lookup(T=100, seed=4).panel
    assert (panel.targets, panel.past, panel.future) == (("y",), ("marker",), ("recall",))
    np.testing.assert_array_equal(panel.values, planted_lookup(T=100, seed=4).panel.values)
    assert not np.array_equal(panel.values, planted_lookup(T=100, seed=5).panel.values)
    assert planted_lookup(T=50, spike=3.0).panel.past == ()
    assert planted_lookup(T=50, recall=1.0).panel.future == ()
    assert list(planted_lookup(T=50).to_frame()) == ["ds", "y", "marker", "recall"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"marker": 0.0}, "marker is a probability above 0"),
        ({"recall": 0.95}, "recall is a probability above 0 and at most 1 - marker"),
        ({"weight": 1.5}, "weight is above 0 and at most 1; got 1.5"),
        ({"spike": float("nan")}, "spike is a finite number"),
        ({"T": 0}, "T is a whole number of at least 1"),
    ],
)
def test_bad_arguments(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        planted_lookup(**arguments)  # type: ignore[arg-type]
