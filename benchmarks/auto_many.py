"""Auto on more series than it is judged on: some of them against all, and what fits into a minute.

``--part choice``: 5,000 generated series of 120 days, each its own level, weekly wave, trend and noise, of which a
third are sparse counts; weighted quantile loss of the 14 days after, of Auto that judged the same candidates on 2,000
series ÷ of Auto that judged them on all, and seconds of computing; three draws. ``--part minute``: ``ft.forecast`` of
10,000 series with its time limit of a minute, judged on 2,000 and on all: the same loss, and how many candidates there
was time for.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from common import RESULTS, arguments, save

import foretide as ft
from foretide.forecasters.auto import auto, judge
from foretide.forecasters.auto.judge import MOST_SERIES, QUANTILES, wql

H, DAYS, DRAWS = 14, 120, (501, 502, 503)
QUICK = ("SeasonalNaive", "SeasonalES", "SeasonalMean", "WindowMean", "Drift", "CalendarES", "Linear")
WAYS = {"some": MOST_SERIES, "all": 10**9}


def draw(n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Known days, and the days after ``[n, H, 1]``."""
    rng, days = np.random.default_rng(seed), np.arange(DAYS + H)
    level = rng.lognormal(2.5, 1.0, (n, 1))
    wave = np.take_along_axis(rng.normal(0, 0.25, (n, 7)), np.tile(days % 7, (n, 1)), axis=1)
    walk = np.cumsum(rng.normal(0, 0.02, (n, len(days))), axis=1)
    mean = level * np.exp(wave + walk + rng.normal(0, 0.002, (n, 1)) * days)
    y = mean * np.exp(rng.normal(0, 0.15, mean.shape))
    sparse = rng.random(n) < 1 / 3
    y[sparse] = rng.poisson(mean[sparse] / level[sparse])
    frame = pd.DataFrame({
        "unique_id": np.repeat([f"s{k:05d}" for k in range(n)], DAYS), "y": y[:, :DAYS].reshape(-1),
        "ds": np.tile(pd.date_range("2024-01-01", periods=DAYS), n),
    })  # fmt: skip
    return frame, y[:, DAYS:, None]


def judged_on(series: int) -> None:
    """Let Auto judge on so many."""
    judge.MOST_SERIES = auto.MOST_SERIES = series


def choice(n: int = 5_000) -> list[dict]:
    """The same candidates, judged both ways."""
    rows = []
    for seed in DRAWS:
        frame, after = draw(n, seed)
        panel, found = ft.Panel.from_frame(frame), {}
        for way, series in WAYS.items():
            judged_on(series)
            began = time.process_time()
            model = ft.Auto(H, list(QUICK), season=7, n_jobs=1).fit(panel)
            seconds = time.process_time() - began
            got = model.predict(panel, quantiles=QUANTILES, levels=())
            assert got.quantiles is not None
            found[way] = wql(np.asarray(got.quantiles), after), seconds
        rows.append({
            "part": "choice", "series": n, "seed": seed, "wql_some": found["some"][0],
            "ratio": found["some"][0] / found["all"][0], "cpu_s_some": found["some"][1], "cpu_s_all": found["all"][1],
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def minute(n: int = 10_000) -> list[dict]:
    """One call with its limit."""
    rows, (frame, after) = [], draw(n, DRAWS[0])
    for way, series in WAYS.items():
        judged_on(series)
        began = time.perf_counter()
        result = ft.forecast(frame, h=H, levels=(), quantiles=QUANTILES)
        seconds = time.perf_counter() - began
        board = result.leaderboard()
        assert result.forecast.quantiles is not None
        own = np.asarray(result.forecast.quantiles)[..., [result.forecast.quantile_levels.index(q) for q in QUANTILES]]
        rows.append({
            "part": "minute", "series": n, "seed": DRAWS[0], "way": way, "wql": wql(own, after), "seconds": seconds,
            "judged": int(board["wql"].notna().sum()), "blended": int((board["weight"] > 0).sum()),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure a part; rows of the other stay."""
    chosen = arguments(__doc__, part={"choices": ("choice", "minute"), "default": "choice"})
    file = RESULTS / "auto_many.csv"
    before = pd.read_csv(file) if file.is_file() else pd.DataFrame({"part": []})
    kept = before[before["part"] != chosen.part].to_dict("records")
    rows = choice() if chosen.part == "choice" else minute()
    save("auto_many", kept + rows, chosen.threads)


if __name__ == "__main__":
    main()
