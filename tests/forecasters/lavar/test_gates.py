"""What validation windows say of a part: twins in slow loops, and how often chance passes."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import foretide as ft
from foretide.forecasters.lavar.gates import CONFIDENCE, LARGEST_ERROR, Evidence, Judge, Verdict, cut, first_look


def judge(truth: np.ndarray, cutoff: np.ndarray, entity: np.ndarray, unit: np.ndarray, first: np.ndarray) -> Judge:
    look: Any = SimpleNamespace(
        truth=lambda: truth,
        windows=SimpleNamespace(entity=entity, cutoff=cutoff),
        panel=SimpleNamespace(n_entities=len(unit), first=first),
    )
    return Judge.of(look, unit)


def made(n: int = 3, d: int = 2, h: int = 4, windows: int = 14, seed: int = 0) -> tuple[Judge, np.ndarray]:
    rng = np.random.default_rng(seed)
    entity, cutoff = np.repeat(np.arange(n), windows), np.tile(np.arange(windows), n)
    truth = rng.normal(size=(n * windows, h, d))
    truth[5, 2, 1] = np.nan
    return judge(truth, cutoff, entity, rng.uniform(1, 2, (n, d)), np.arange(n)), truth


def test_time_is_cut_into_as_many_stretches_as_horizons_fit_in() -> None:
    assert cut(np.array([3, 4]), 3)[1] == 1
    block, stretches = cut(np.arange(100, 117), 4)
    assert stretches == 4
    assert np.bincount(block).tolist() == [5, 4, 4, 4]
    assert cut(np.zeros(0, dtype=np.int64), 3)[1] == 1


def test_errors_of_series_and_stretches_are_those_of_a_slow_loop() -> None:
    given, truth = made()
    rng = np.random.default_rng(1)
    forecast = truth + rng.normal(size=truth.shape)
    forecast[20, 0, 0] = 1e3
    found = given.errors(forecast)
    n, stretches = given.shape
    steps = (np.arange(3)[:, None, None] + np.arange(14)[None, :, None] + np.arange(1, 5)).reshape(-1, 4)
    block, expected_stretches = cut(steps, 4)
    assert stretches == expected_stretches == 4
    for i in range(n):
        for b in range(stretches):
            for j in range(2):
                squares = [
                    ((forecast[w, k, j] - truth[w, k, j]) / given.unit[w, j]) ** 2
                    for w in range(14 * i, 14 * i + 14)
                    for k in range(4)
                    if block[w, k] == b and not np.isnan(truth[w, k, j])
                ]
                assert found[i, b, j] == pytest.approx(min(np.mean(squares), LARGEST_ERROR))
    assert found.max() == LARGEST_ERROR


def test_evidence_is_that_of_a_slow_loop() -> None:
    rng = np.random.default_rng(2)
    before = rng.uniform(1, 2, (3, 4, 2))
    after = before - rng.normal(0.1, 0.2, before.shape)
    before[1, 2, 0] = after[1, 2, 0] = np.nan
    chosen = np.array([[True, True], [True, False], [True, True]])
    found = Judge(np.zeros((1, 1, 2)), np.ones((1, 2)), None, (3, 4)).evidence(before, after, chosen)  # type: ignore
    total = sum(before[i, b, j] for i, b, j in np.ndindex(before.shape) if chosen[i, j] and before[i, b, j] > 0)
    gains = {
        (i, b, j): (before[i, b, j] - after[i, b, j]) / total if chosen[i, j] and before[i, b, j] > 0 else 0.0
        for i, b, j in np.ndindex(before.shape)
    }
    by_time = [sum(g for (_, b, _), g in gains.items() if b == t) for t in range(4)]
    by_series = [sum(gains[i, b, j] for b in range(4)) for i in range(3) for j in range(2)]
    assert found.gain == pytest.approx(sum(by_time))
    time, series = 4 * np.var(by_time, ddof=1), 6 * np.var(by_series, ddof=1)
    both = 24 * np.var(list(gains.values()))
    assert found.noise == pytest.approx(math.sqrt(max(time, series, time + series - both)))
    share = [np.nansum(np.where(chosen, before[:, t], np.nan)) / total for t in range(4)]
    assert found.stretches == pytest.approx(1 / sum(s**2 for s in share))
    quantile = stats.t.ppf(CONFIDENCE, found.stretches - 1)
    assert found.bound == pytest.approx(found.gain - quantile * found.noise)


def test_one_stretch_of_time_says_nothing() -> None:
    """A step down that all series share: every series gains, and yet nothing was seen twice."""
    rng = np.random.default_rng(0)
    truth, entity = rng.normal(size=(80, 4, 2)), np.repeat(np.arange(40), 2)
    given = judge(truth, np.tile([5, 6], 40), entity, np.ones((40, 2)), np.zeros(40, dtype=np.int64))
    assert given.shape[1] == 1
    found = given.evidence(given.errors(truth + 1.0), given.errors(truth + 0.5))
    assert found.gain == pytest.approx(0.75)
    assert not found.told
    assert found.bound == -math.inf
    assert not found.speaks_for(True)
    assert not found.hopeful(0.1, 0.0)


def test_two_stretches_may_speak_against_a_part_but_prove_none() -> None:
    found = Evidence(0.5, 0.01, 2.0)
    assert found.told
    assert not found.provable
    assert found.speaks_for(True)
    assert not found.speaks_for(False)
    assert Evidence(0.5, 0.01, 3.0).speaks_for(False)


def test_nothing_to_gain_is_no_gain() -> None:
    given, truth = made()
    exact = given.errors(truth)
    assert given.evidence(exact, exact) == Evidence(0.0, 0.0, 0.0)


def test_who_bears_the_burden_of_proof() -> None:
    for gain, given, own in ((-0.02, False, False), (-0.005, True, False), (0.01, True, False), (0.03, True, True)):
        found = Evidence(gain, 0.01, 8.0)
        assert found.speaks_for(True) is given
        assert found.speaks_for(False) is own
    # A gain so far promises at most so much more: twice as many epochs, twice the gain.
    assert Evidence(0.011, 0.001, 8.0).hopeful(0.5, 0.02)
    assert not Evidence(0.009, 0.001, 8.0).hopeful(0.5, 0.02)
    assert not Evidence(0.011, 0.01, 8.0).hopeful(0.5, 0.02)


def test_chance_seldom_passes() -> None:
    """Parts that change nothing in expectation, in panels whose series share their days: one in twenty may pass."""
    passed, trials = 0, 400
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        day = rng.normal(size=(1, 8, 1))
        before = 1.0 + 0.1 * rng.normal(size=(20, 8, 1))
        after = before - 0.05 * day - 0.05 * rng.normal(size=before.shape)
        judged = Judge(np.zeros((1, 1, 1)), np.ones((1, 1)), None, (20, 8))  # type: ignore[arg-type]
        passed += judged.evidence(before, after).bound > 0
    assert passed <= stats.binom.ppf(0.999, trials, 1 - CONFIDENCE)


@pytest.mark.parametrize(
    ("n", "size", "most", "epochs"), [(64, 64, None, 5), (64 * 80, 64, None, 3), (10**6, 64, 100, 2)]
)
def test_the_first_look_comes_after_some_steps(n: int, size: int, most: int | None, epochs: int) -> None:
    assert first_look(n, size, most) == epochs


def test_a_verdict_is_a_row() -> None:
    row = Verdict("effects", False, "switched off").row()
    assert row["part"] == "effects"
    assert math.isnan(float(str(row["gain"])))


# ------------------------------------------------------------------ in a whole fit
def promoted(effect: float, seed: int = 0, days: int = 400) -> pd.DataFrame:
    """Daily sales that a discount known ahead multiplies, the deeper the more."""
    rng = np.random.default_rng(seed)
    ds, frames = pd.date_range("2023-01-01", periods=days, freq="D"), []
    for k in range(4):
        discount = rng.uniform(0, 1, days) * (rng.random(days) < 0.5)
        sales = rng.poisson(20 * np.exp(effect * discount))
        frames.append(pd.DataFrame({"unique_id": f"s{k}", "ds": ds, "y": sales.astype(float), "discount": discount}))
    return pd.concat(frames)


def fitted(effect: float, **options: Any) -> ft.LAVAR:
    panel = ft.Panel.from_frame(promoted(effect), future=["discount"])
    return ft.LAVAR(h=7, order=3, latent=2, head_lr=3e-3, **options).fit(panel)


def test_a_head_that_sees_what_moves_demand_stays() -> None:
    model = fitted(1.0, head_epochs=20, effects=False)  # effects of what is known ahead would leave it nothing
    (head,) = (row for row in model.verdicts_ if str(row["part"]).startswith("head"))
    assert head["kept"]
    assert float(str(head["gain"])) > 0.3
    assert len(model.history["stage2"]) - 1 > 5


def test_a_head_without_anything_to_see_is_dropped_after_a_look() -> None:
    model = fitted(0.0, head_epochs=60)
    (head,) = (row for row in model.verdicts_ if str(row["part"]).startswith("head"))
    assert not head["kept"]
    assert len(model.history["stage2"]) - 1 <= 5
    assert head["epochs"] == len(model.history["stage2"]) - 1
    panel = ft.Panel.from_frame(promoted(0.0), future=["discount"])
    cutoff = [panel.grid.output_times([350])[0]]
    found = model.predict(panel, cutoff, base=True)
    np.testing.assert_allclose(found.mean, found.extras["base"], rtol=1e-5)


def test_what_was_said_is_saved(tmp_path: Any) -> None:
    model = fitted(0.0, head_epochs=2)
    model.save(tmp_path / "model")
    read = ft.load(tmp_path / "model")
    assert isinstance(read, ft.LAVAR)
    assert read.gates()["seconds"].isna().all()  # equal fits write equal files
    pd.testing.assert_frame_equal(read.gates(), model.gates().assign(seconds=np.nan))
