"""Do sums have the distribution that paths say? 80 % intervals of 14-day sums, from paths and from what knows less.

`supplies` (daily, 1095 days, 48 targets, horizon 14; learning part 85 %, test cutoffs every second day) and bike
rentals by day (learning part 75 %, every test cutoff). Beside the paths of ``Forecast.sample`` stand sums of
independent draws and of draws that all lie at the same quantile (comonotone); all three have the same distribution at
every step. What is summed: the 14 days of every target; one day of all targets; 14 days of all targets.

``coverage`` counts a sum on a bound as inside. ``fair_coverage`` does not count more than its share of it (randomised
PIT), which is what a right distribution of whole numbers has 80 % of. ``dense`` targets are nonzero on 70 % of days.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
from common import arguments, real_data, save

import foretide as ft

H, DAYS, LEARNED, STRIDE, PATHS = 14, 1095, 0.85, 2, 300


def models(seed: int, networks: bool) -> list:
    """LAVAR and simpler ones."""
    simple = [ft.CalendarES(H), ft.SeasonalES(H), ft.Ridge(H)]
    return [*simple, ft.LAVAR(H, order=7, latent=8, seed=seed)] if networks else simple


def inside(sums: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Plain and fair coverage of the central 80 % of equally likely sums ``[n, ...]``."""
    low, high = np.quantile(sums, (0.1, 0.9), axis=0, method="inverted_cdf")
    below, up_to = (sums < truth).mean(axis=0), (sums <= truth).mean(axis=0)
    width = np.maximum(up_to - below, 1 / len(sums))
    fair = np.clip(np.minimum(below + width, 0.9) - np.maximum(below, 0.1), 0, None) / width
    known = ~np.isnan(truth)
    return float(((truth >= low) & (truth <= high))[known].mean()), float(fair[known].mean())


def sums(paths: np.ndarray, truth: np.ndarray, dense: np.ndarray) -> dict:
    """What is summed -> sums ``[n, ...]`` and what came ``[...]``; paths ``[N, n, H, D]``, truth ``[N, H, D]``."""
    days = {"14 days": (paths.sum(axis=2).swapaxes(0, 1), truth.sum(axis=1))}
    if truth.shape[2] == 1:
        return days
    return {
        **days,
        "14 days, dense": (paths[..., dense].sum(axis=2).swapaxes(0, 1), truth[..., dense].sum(axis=1)),
        "day, all targets": (paths.sum(axis=3).swapaxes(0, 1), truth.sum(axis=2)),
        "14 days, all targets": (paths.sum(axis=(2, 3)).swapaxes(0, 1), truth.sum(axis=(1, 2))),
    }


def ways(paths: np.ndarray) -> dict[str, np.ndarray]:
    """The paths, and the same values put together without what is known of how they go together."""
    rng = np.random.default_rng(0)
    apart = np.empty_like(paths)
    for h in range(paths.shape[2]):
        for d in range(paths.shape[3]):
            apart[:, :, h, d] = paths[:, rng.permutation(paths.shape[1]), h, d]
    return {"paths": paths, "independent": apart, "comonotone": np.sort(paths, axis=1)}


def judged(data: str, seed: int, panel: ft.Panel, last: int, stride: int, networks: bool) -> list[dict]:
    """All models on one panel, learned up to a step and tried on cutoffs from there on."""
    until = panel.grid.output_times([last])[0]
    cutoffs = panel.grid.output_times(np.arange(last, int(panel.last[0]) - H + 1, stride))
    d, rows = panel.n_targets, []
    dense = np.flatnonzero((panel.values[: last + 1, :d] > 0).mean(axis=0) >= 0.7)
    for model in models(seed, networks):
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(panel, until=until)
        fitted = time.perf_counter()
        forecast = model.predict(panel, cutoffs, levels=80)
        paths, truth = forecast.sample(PATHS, seed), forecast.truth()
        sample_s = time.perf_counter() - fitted
        steps = inside(paths[::5].swapaxes(0, 1), truth[::5])
        for way, made in ways(paths).items():
            for what, (drawn, came) in sums(made, truth, dense).items():
                plain, fair = inside(drawn, came)
                rows.append({"data": data, "seed": seed, "model": model.name, "way": way, "sum": what,
                             "coverage": plain, "fair_coverage": fair, "fair_coverage_of_days": steps[1],
                             "fit_s": fitted - started, "sample_s": sample_s})  # fmt: skip
        own = [r for r in rows if (r["data"], r["seed"], r["model"], r["way"]) == (data, seed, model.name, "paths")]
        print(data, seed, model.name, {r["sum"]: round(r["fair_coverage"], 3) for r in own}, flush=True)
    return rows


def bikes() -> ft.Panel:
    """Bike rentals by day."""
    hours = pd.read_csv(real_data() / "bike_sharing.csv", usecols=["date_time", "users"], parse_dates=["date_time"])
    days = hours.resample("D", on="date_time").users.sum().reset_index()
    return ft.Panel.from_wide(days, time="date_time", target=["users"])


def main() -> None:
    """Run all seeds of supplies and the bikes, and save a row for each model, way and sum, then the means."""
    chosen = arguments(
        __doc__, seeds={"type": int, "nargs": "+", "default": [0, 1, 2, 3, 4]}, out={"default": "paths"},
        until={"type": float, "default": 1.0}, networks={"type": int, "default": 1},
    )  # fmt: skip
    rows = []
    for seed in chosen.seeds:
        panel = ft.synthetic.supplies(T=DAYS, seed=seed).panel
        rows += judged("supplies", seed, panel, round(LEARNED * DAYS) - 1, STRIDE, bool(chosen.networks))
    panel = bikes()
    panel = panel.head(np.round(chosen.until * panel.length).astype(int))
    rows += judged("bikes", 0, panel, round(0.75 * int(panel.length[0])) - 1, 1, bool(chosen.networks))
    keys = ("data", "model", "way", "sum")
    for key in dict.fromkeys(tuple(row[k] for k in keys) for row in rows):
        own = [row for row in rows if tuple(row[k] for k in keys) == key and row["seed"] != "mean"]
        if len(own) > 1:
            figures = {k: float(np.mean([row[k] for row in own])) for k, v in own[0].items() if isinstance(v, float)}
            rows.append({**dict(zip(keys, key, strict=True)), "seed": "mean", **figures})
    save(chosen.out, rows, chosen.threads)


if __name__ == "__main__":
    main()
