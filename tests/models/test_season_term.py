from __future__ import annotations

import numpy as np
import pytest

from foretide.models.season_term import (
    SeasonTerm,
    basis,
    candidate_frequencies,
    candidate_periods,
    fit_season_term,
    rank_frequencies,
    trend,
)
from foretide.models.series import Series, TrainingParts


def waves(steps: np.ndarray, parts: dict[float, tuple[float, float]]) -> np.ndarray:
    """Sum of ``a sin + b cos`` of periods, one number after another."""
    out = np.zeros(len(steps))
    for k, t in enumerate(steps):
        for period, (a, b) in parts.items():
            out[k] += a * np.sin(2 * np.pi * t / period) + b * np.cos(2 * np.pi * t / period)
    return out


def test_candidate_periods() -> None:
    assert candidate_periods((24, 168), 2000) == (24, 168, 336)
    assert candidate_periods((24, 168), 3 * 336 - 1) == (24, 168)
    assert candidate_periods((24, 168), 3 * 168) == (24, 168)
    assert candidate_periods((24, 168), 3 * 168 - 1) == (24,)
    assert candidate_periods((24,), 71) == ()
    assert candidate_periods((1,), 100) == ()
    assert candidate_periods((), 100) == ()


def test_candidate_frequencies() -> None:
    got = candidate_frequencies((4, 6))
    np.testing.assert_allclose(got, [1 / 6, 1 / 4, 1 / 3, 1 / 2])
    assert len(candidate_frequencies((24, 168, 336))) == 168  # every harmonic of 24 and 168 is one of 336
    assert candidate_frequencies(()).shape == (0,)
    assert candidate_frequencies((365.25,)).max() <= 0.5


@pytest.mark.parametrize("first", [0, 5, 10**9])
def test_many_neighbouring_steps_are_turned_to_their_place(first: int) -> None:
    frequencies = np.array([1 / 24, 3 / 168, 0.5])
    steps = first + np.arange(1000)
    slow = np.concatenate([basis(steps[k : k + 1], frequencies) for k in range(1000)])
    np.testing.assert_allclose(basis(steps, frequencies), slow, atol=1e-6 if first > 100 else 1e-12)
    holes = steps[steps % 3 > 0]
    np.testing.assert_array_equal(
        basis(holes, frequencies), np.concatenate([basis(s[None], frequencies) for s in holes])
    )


def test_basis_keeps_its_phase_at_large_steps() -> None:
    frequencies = np.array([1 / 24, 1 / 168])
    near = basis(np.arange(168), frequencies)
    np.testing.assert_allclose(basis(np.arange(168) + 168 * 10**7, frequencies), near, atol=1e-6)
    slow = 2 * np.pi * 6 / 168
    np.testing.assert_allclose(near[6], [1.0, np.sin(slow), 0.0, np.cos(slow)], atol=1e-12)


def test_trend_bends_every_two_longest_periods() -> None:
    steps = np.arange(500, 901)
    design = trend(steps, 50.0)
    assert design.shape == (401, 2 + 4)
    np.testing.assert_array_equal(design[:, 0], 1)
    np.testing.assert_allclose(design[:, 1], np.linspace(0, 1, 401))
    np.testing.assert_allclose(design[:, 2], np.maximum(np.linspace(0, 1, 401) - 0.2, 0))
    assert trend(np.array([7]), 50.0).shape == (1, 2)
    assert trend(np.arange(100_000), 1.0).shape == (100_000, 22)


@pytest.mark.parametrize("seed", range(3))
def test_planted_waves_are_ranked_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = np.arange(2000)
    y = waves(steps, {24: (1.0, 1.0), 168: (0.6, 0.0)}) + 0.02 * steps + rng.normal(size=2000)
    candidates = candidate_frequencies((24, 168, 336))
    ranked = rank_frequencies([(steps, y[:, None])], candidates, 336)
    np.testing.assert_allclose(ranked[:2], [1 / 24, 1 / 168])
    assert sorted(ranked) == sorted(candidates)


@pytest.mark.parametrize(
    ("slope", "daily"), [(0.0, 10.0), (5.0, 0.5)], ids=["a strong wave beside weak ones", "a steep trend"]
)
def test_neither_a_strong_wave_nor_a_trend_leaks(slope: float, daily: float) -> None:
    # 1100 steps are no whole number of cycles, so that without a taper the strong wave shows at its neighbours too.
    steps = np.arange(1100)
    y = 1000.0 + slope * steps + waves(steps, {24: (daily, 0.0), 168: (0.3, 0.0)})
    ranked = rank_frequencies([(steps, y[:, None])], candidate_frequencies((24, 168, 336)), 336)
    np.testing.assert_allclose(ranked[0], 1 / 24)
    neighbours = np.abs(ranked - 1 / 24) < 1.5 / 336  # within the width of the taper's main lobe
    np.testing.assert_allclose(ranked[~neighbours][0], 1 / 168)


def test_energy_is_summed_over_series_and_targets() -> None:
    rng = np.random.default_rng(0)
    steps = np.arange(500)
    noise = 0.1 * rng.normal(size=(4, 500))
    many = [(steps, (noise[i] + waves(steps, {12: (1.0, 0.0)}))[:, None]) for i in range(3)]
    one = (steps, (noise[3] + waves(steps, {10: (1.3, 0.0)}))[:, None])
    short = (np.arange(3), np.full((3, 1), 1e6))  # too short to say anything
    ranked = rank_frequencies([*many, one, short], np.array([1 / 10, 1 / 12]), 12)
    np.testing.assert_allclose(ranked, [1 / 12, 1 / 10])
    stacked = np.column_stack([one[1], many[0][1], many[1][1]])
    np.testing.assert_allclose(rank_frequencies([(steps, stacked)], np.array([1 / 10, 1 / 12]), 12), [1 / 12, 1 / 10])


def test_coefficients_are_recovered_for_entities_of_different_spans() -> None:
    frequencies = np.array([1 / 7, 2 / 7])
    rng = np.random.default_rng(1)
    true = rng.normal(size=(4, 4, 2))
    series = []
    for i, (first, n) in enumerate([(0, 210), (5, 210), (0, 140), (1000, 300)]):
        steps = first + np.arange(n)
        drift = 3.0 + 0.01 * steps[:, None] * np.array([1.0, -2.0])
        series.append((steps, basis(steps, frequencies) @ true[i] + drift, None))
    term = fit_season_term(series, frequencies, 7, use_known=True, penalty=1e-9)
    np.testing.assert_allclose(term.waves, true, atol=1e-6)
    assert term.known.shape == (0, 2)
    steps = np.arange(10**6, 10**6 + 20)
    for i in range(4):
        np.testing.assert_allclose(term.at(i, steps), basis(steps, frequencies) @ true[i], atol=1e-5)
        by_hand = sum(
            true[i, k] * np.sin(2 * np.pi * f * steps[3]) + true[i, 2 + k] * np.cos(2 * np.pi * f * steps[3])
            for k, f in enumerate(frequencies)
        )
        np.testing.assert_allclose(term.at(i, steps)[3], by_hand, atol=1e-5)


def known_series(seed: int = 0) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    series = []
    for i, n in enumerate((210, 140, 180)):
        steps = 3 * i + np.arange(n)
        known = rng.normal(size=(n, 2)) + 0.5 * np.sin(2 * np.pi * steps / 7)[:, None]
        y = known @ np.array([[1.5, 0.0], [0.0, -2.0]]) + (i + 1) * waves(steps, {7: (1.0, -1.0)})[:, None]
        series.append((steps, y + 0.3 * rng.normal(size=(n, 2)), known))
    return series


def test_known_columns_equal_one_joint_regression() -> None:
    # Frisch, Waugh, Lovell: the same as one regression with waves and trend per entity and shared known columns.
    series, frequencies = known_series(), np.array([1 / 7])
    term = fit_season_term(series, frequencies, 7, use_known=True, penalty=1e-10)
    rows = sum(len(s) for s, _, _ in series)
    blocks = [np.concatenate([trend(s, 7), basis(s, frequencies)], axis=1) for s, _, _ in series]
    design = np.zeros((rows, 2 + sum(b.shape[1] for b in blocks)))
    row, column, ends = 0, 2, []
    for block, (_, _, known) in zip(blocks, series, strict=True):
        design[row : row + len(block), column : column + block.shape[1]] = block
        design[row : row + len(block), :2] = known
        row, column = row + len(block), column + block.shape[1]
        ends.append(column)
    joint = np.linalg.lstsq(design, np.concatenate([y for _, y, _ in series]), rcond=None)[0]
    np.testing.assert_allclose(term.known, joint[:2], atol=1e-5)
    for i, end in enumerate(ends):
        np.testing.assert_allclose(term.waves[i], joint[end - 2 : end], atol=1e-5)
    np.testing.assert_allclose(term.known, [[1.5, 0.0], [0.0, -2.0]], atol=0.1)


def test_the_term_adds_known_columns() -> None:
    series = known_series()
    term = fit_season_term(series, np.array([1 / 7]), 7, use_known=True)
    steps, known = np.arange(400, 405), np.random.default_rng(5).normal(size=(5, 2))
    np.testing.assert_allclose(term.at(1, steps, known) - term.at(1, steps), known @ term.known, atol=1e-12)


def test_known_columns_can_be_left_out() -> None:
    series = known_series()
    term = fit_season_term(series, np.array([1 / 7]), 7, use_known=False)
    assert term.known.shape == (0, 2)
    bare = fit_season_term([(s, y, None) for s, y, _ in series], np.array([1 / 7]), 7, use_known=False)
    np.testing.assert_array_equal(term.waves, bare.waves)
    np.testing.assert_array_equal(term.at(0, np.arange(3), np.ones((3, 2))), bare.at(0, np.arange(3)))


def test_no_waves_and_short_series() -> None:
    two, empty = np.ones((2, 2)), np.zeros((0, 2))
    series = [*known_series(), (np.arange(2), two, two), (np.arange(0), empty, empty)]
    term = fit_season_term(series, np.array([1 / 7]), 7, use_known=True)
    np.testing.assert_array_equal(term.waves[3:], 0)
    assert np.isfinite(term.known).all()
    none = fit_season_term(series, np.zeros(0), 7, use_known=True)
    assert none.waves.shape == (5, 0, 2)
    nothing = SeasonTerm(np.zeros(0), none.waves, none.known[:0])
    np.testing.assert_array_equal(nothing.at(0, np.arange(4)), np.zeros((4, 2)))


# ---------------------------------------------------------------- many entities on the same steps
@pytest.mark.parametrize("shared", [True, False, None])
def test_entities_together_give_the_bits_of_each_alone(shared: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared columns are one array for all entities of a stretch, as of a calendar; None: there are none."""
    length = np.array([90, 90, 90, 60, 90, 90, 0, 90])
    first = np.array([0, 0, 0, 0, 4, 4, 4, 4])
    row0 = np.concatenate([[0], np.cumsum(length)[:-1]])
    rng = np.random.default_rng(0)
    values = rng.normal(size=(length.sum(), 3)).astype(np.float32)
    own, days = rng.normal(size=(length.sum(), 2)), rng.normal(size=(200, 2))
    stretches: dict[tuple[int, int], np.ndarray] = {}

    def known(entity: int, low: int, high: int) -> np.ndarray:
        if not shared:
            return own[row0[entity] + low : row0[entity] + high]
        stretch = (first[entity] + low, first[entity] + high)
        return stretches.setdefault(stretch, days[slice(*stretch)])

    series = Series(values, None if shared is None else known, first, row0, length, length * 3 // 4, 2)
    frequencies, settings = np.array([1 / 7, 2 / 7]), {"use_known": True, "beside": np.array([3 / 7])}
    together = fit_season_term(TrainingParts(series), frequencies, 7, **settings)
    taken = {(low, high): together.taken_off(series, low, high) for low, high in ((0, 600), (20, 300), (95, 181))}
    monkeypatch.setattr("foretide.models.season_term.AT_ONCE", 1)
    alone = fit_season_term(TrainingParts(series), frequencies, 7, **settings)
    np.testing.assert_array_equal(together.waves, alone.waves)
    np.testing.assert_array_equal(together.known, alone.known)
    for (low, high), left in taken.items():
        for row in range(low, high):
            entity = int(np.flatnonzero((row0 <= row) & (row < row0 + length))[0])
            steps, value, columns = series.part(entity, row - row0[entity], row - row0[entity] + 1)
            np.testing.assert_allclose(left[row - low], (value - together.at(entity, steps, columns))[0], atol=1e-12)
