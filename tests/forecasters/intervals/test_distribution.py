"""Which distribution suits errors, and whether its intervals hold."""

from __future__ import annotations

import numpy as np
import pytest

from foretide.forecasters.intervals.distribution import ErrorDistribution, Errors, suited


@pytest.mark.parametrize("scale", [0.4, 2.5])
def test_counts_that_vary_less_than_any_count_model_get_intervals_as_narrow_as_they_are(scale: float) -> None:
    # 20 pieces a day give or take two: the variance of a negative binomial distribution would be 20 at least.
    rng = np.random.default_rng(3)
    mean = np.full((400, 2, 1), 20.0)
    truth = np.maximum(np.round(mean + scale * np.sqrt(20) * rng.normal(size=mean.shape)), 0.0)
    past = Errors(mean, truth, np.arange(400) % 4, np.arange(400))
    kinds = suited(("negative_binomial",), past)
    assert kinds == (("normal_counts",) if scale < 1 else ("negative_binomial",))
    found = ErrorDistribution.fit(past, kinds, tuple("abcd"), 2, 7)
    bounds = found.quantiles(mean, list("abcd") * 100, past.step, (0.1, 0.9))
    held = np.mean((truth >= bounds[..., 0]) & (truth <= bounds[..., 1]))
    assert 0.75 < held < 0.92  # whole numbers: the bounds themselves belong to it


def test_series_of_zeros_and_other_distributions_stay_as_they_are() -> None:
    nothing = Errors(np.zeros((10, 1, 2)), np.zeros((10, 1, 2)), np.zeros(10, dtype=np.int64), np.arange(10))
    assert suited(("negative_binomial", "normal"), nothing) == ("negative_binomial", "normal")
