"""Right in use: one forecast in any table, seasons by the wall clock, newcomers that change nothing, and the cases.

Rows of ``results/in_use.csv``, by ``what``:

- ``absolute time``: largest difference, in standard deviations of a series, between forecasts from the same cutoffs in
  the whole table and (a) after save and load, (b) without its first rows, (c) in one that begins earlier than the
  fitted one, (d) with fewer and with more entities, (e) with entities in another order;
- ``clock change``: mean absolute error over four weeks after a clock change, over that of the week before;
- ``new shop``: error of the three old shops' forecasts, fitted with the newcomer of five days, over that without;
- ``kind N``: a case of ``../shared/cases/README.md``, 1 where right; see :mod:`in_use_cases`.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import arguments, real_data, save
from in_use_cases import CASES

import foretide as ft
from foretide.forecasters.table import forecaster_class

H = 6
NETWORK = {"input_size": 21, "hidden": 16, "epochs": 2, "waves": 2}
RIDGE = {"Ridge": {"input_size": 21}}
SMALL_LAVAR = {"order": 3, "latent": 2, "epochs": 2, "head_epochs": 2}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in (
        "Persistence", "SeasonalNaive", "WindowMean", "SeasonalMean", "SeasonalES", "Drift", "ARIMA", "VAR", "Croston",
        "SBA", "TSB", "ADIDA", "IMAPA", "CalendarES", "CalendarMean",
    )},
    **{model: ("Stats", {"model": model}) for model in ("AutoETS", "AutoARIMA", "Theta")},
    "Ridge": ("Ridge", RIDGE["Ridge"]),
    "LSTM": ("LSTM", {**NETWORK, "calendar": "auto"}),
    "Attention": ("Attention", {**NETWORK, "head": "gaussian"}),
    "LAVAR": ("LAVAR", SMALL_LAVAR),
    "Ensemble": ("Ensemble", {"models": [RIDGE, {"SeasonalES": {}}, {"LSTM": NETWORK}], "weights": "validated"}),
    "PerEntity": ("PerEntity", {"model": RIDGE}),
    "WithIntervals": ("WithIntervals", {"model": RIDGE}),
    "Conformal": ("Conformal", {"model": {"SeasonalES": {}}}),
}  # fmt: skip
NEEDS_A_SEASON = ("SeasonalNaive", "SeasonalMean", "SeasonalES", "CalendarES", "CalendarMean")
SEASONAL: dict[str, dict[str, Any]] = {
    "SeasonalNaive": {"season": 168}, "SeasonalMean": {"season": 168}, "SeasonalES": {}, "CalendarES": {"season": 168},
    "CalendarMean": {"season": 168}, "Ridge": {"input_size": 168},
    "LSTM": {"input_size": 168, "hidden": 16, "epochs": 1}, "Attention": {"input_size": 168, "hidden": 16, "epochs": 1},
    "LAVAR": {"epochs": 2, "head_epochs": 2}, "WithIntervals": {"model": {"SeasonalES": {}}},
    "Conformal": {"model": {"Ridge": {"input_size": 168}}}, "PerEntity": {"model": {"SeasonalES": {}}},
    "Ensemble": {"models": [{"SeasonalES": {}}, {"Ridge": {"input_size": 168}}]},
    "AutoETS": {"model": "AutoETS", "season": 24},
}  # fmt: skip
CHANGES = {"spring": "2024-03-31", "autumn": "2024-10-27"}
ZONE = "Europe/Berlin"
TIMES = ("naive", "zone", "integer")
SHOPS = ("b", "a", "c", "d")


def made(name: str, h: int, **settings: Any) -> Any:
    """Return a forecaster of the list, with other settings where given."""
    kind, own = MODELS[name]
    return forecaster_class(kind)(h=h, **(settings or own))


# ---------------------------------------------------------------- absolute time
def table(kind: str) -> tuple[pd.DataFrame, pd.Index]:
    """Four shops with a season, trends and a promotion known ahead; hourly over a clock change in the zone."""
    rows = 24 * 16 if kind == "zone" else 240
    index = {
        "naive": pd.date_range("2023-01-02", periods=rows),
        "zone": pd.date_range("2024-03-20", periods=rows, freq="h", tz=ZONE),
        "integer": pd.RangeIndex(1000, 1000 + 3 * rows, 3),
    }[kind]
    rng, parts = np.random.default_rng(1), []
    season, step = (24, index.hour) if kind == "zone" else (7, np.arange(rows))
    for k, name in enumerate(SHOPS):
        promo = (rng.random(rows) < 0.1).astype(float)
        wave = 15 * np.sin(2 * np.pi * np.asarray(step) / season + k)
        y = np.rint(40 + 5 * k + wave + 8 * promo + 0.02 * np.arange(rows) + 2 * rng.normal(size=rows))
        y[-H:] = np.nan
        parts.append(pd.DataFrame({"unique_id": name, "ds": index, "y": y, "promo": promo})[7 * k :])
    return pd.concat(parts, ignore_index=True), index


def panel_of(frame: pd.DataFrame, kind: str, shops: tuple[str, ...] = SHOPS[:3]) -> ft.Panel:
    freq: Any = {"naive": "D", "zone": "h", "integer": 3}[kind]
    parts = [frame[frame.unique_id == name] for name in shops]
    return ft.Panel.from_frame(pd.concat(parts), freq=freq, future=["promo"])


def difference(name: str, kind: str) -> float:
    """Largest difference over all variants, in standard deviations of a series."""
    frame, index = table(kind)
    later = frame[frame.ds >= index[20]]
    until = index[24 * 9 if kind == "zone" else 150]
    cutoffs = [until, index[-H - 60], index[-H - 1]]
    model = made(name, H).fit(panel_of(later, kind), until=until)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        loaded = ft.load(Path(folder) / "model")
    shorter = [panel_of(frame[frame.ds >= index[20 + k]], kind) for k in (1, 5, 11)]
    orders = (SHOPS[1:2], SHOPS, SHOPS[2::-1], SHOPS[::-1])
    variants = [*shorter, panel_of(frame, kind), *(panel_of(later, kind, shops) for shops in orders)]
    spread, worst = frame.groupby("unique_id").y.std(), 0.0
    wanted = model.predict(panel_of(later, kind), cutoffs, (80,)).to_frame()
    for panel in (panel_of(later, kind), *variants):
        got = loaded.predict(panel, cutoffs, (80,)).to_frame()
        both = wanted.merge(got, on=["unique_id", "ds", "cutoff"], suffixes=("", "_too"))
        assert len(both) == len(cutoffs) * H * len(set(panel.ids) & set(SHOPS[:3]))
        for column in wanted.columns[3:]:
            gap = (both[column] - both[f"{column}_too"]).abs() / both.unique_id.map(spread)
            worst = max(worst, float(gap.max(skipna=False)))
    return worst


# ---------------------------------------------------------------- the wall clock, and newcomers
def after_over_before(name: str, change: str) -> float:
    """Error after a clock change over that before it: hourly rush hours on working days, forecast a day ahead."""
    day, rng = pd.Timestamp(CHANGES[change]), np.random.default_rng(0)
    weeks = 6 if name == "AutoETS" else 11
    start, end = day - pd.Timedelta(weeks=weeks), day + pd.Timedelta(days=29)
    ds = pd.date_range(start, end, freq="h", tz=ZONE)
    hour, working = np.asarray(ds.hour), np.asarray(ds.dayofweek) < 5
    rush = 30 * np.exp(-0.5 * ((hour - 8) / 1.2) ** 2) + 25 * np.exp(-0.5 * ((hour - 17) / 1.5) ** 2)
    y = 20 + rush * working + 5 * (hour > 6) + rng.normal(0, 2, len(ds))
    panel = ft.Panel.from_frame(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}), freq="h")
    first = day.tz_localize(ZONE) - pd.Timedelta(days=7, hours=1)
    model = made(name, 24, **SEASONAL[name]).fit(panel, until=first)
    cutoffs = pd.date_range(first, day.tz_localize(ZONE) + pd.Timedelta(days=28), freq="h")[::7]
    found = model.predict(panel, cutoffs=list(cutoffs), levels=())
    gap = np.abs(found.truth() - found.mean)[:, :, 0]
    steps = found.cutoff_steps[:, None] + np.arange(1, 25)
    border = panel.grid.step_of(day.tz_localize(ZONE))
    return float(np.nanmean(gap[steps >= border]) / np.nanmean(gap[steps < border]))


def with_over_without(name: str) -> float:
    """Error of the three old shops with the newcomer in the fit, over that without."""
    frame = pd.read_csv(real_data().parent / "cases" / "new_shop.csv", parse_dates=["day"])
    roles: dict[str, Any] = {"id": "shop", "time": "day", "target": "sales", "past": ["promo"], "freq": "D"}
    old = ft.Panel.from_frame(frame[frame.shop != "newcomer"], **roles)
    cutoffs = list(old.grid.output_times(np.arange(340, 393, 4)))
    errors = []
    for part in (frame, frame[frame.shop != "newcomer"]):
        model = made(name, 7).fit(ft.Panel.from_frame(part, **roles))
        found = model.predict(old, cutoffs, levels=())
        errors.append(float(np.abs(found.truth() - found.mean).mean()))
    return errors[0] / errors[1]


def rows() -> Iterator[dict[str, Any]]:
    for name in MODELS:
        for kind in TIMES:
            if kind == "integer" and name in NEEDS_A_SEASON:
                continue  # integer time suggests none
            yield {"what": "absolute time", "who": name, "where": kind, "value": difference(name, kind)}
        for change in CHANGES if name in SEASONAL else ():
            yield {"what": "clock change", "who": name, "where": change, "value": after_over_before(name, change)}
        yield {"what": "new shop", "who": name, "where": "", "value": with_over_without(name)}
    for (kind, case), check in CASES.items():
        try:
            right, said = bool(check()), ""
        except Exception as error:  # what went wrong is the result
            right, said = False, f"{type(error).__name__}: {error}"[:200]
        yield {"what": f"kind {kind}", "who": case, "where": "", "value": float(right), "said": said}


def main() -> None:
    chosen = arguments(__doc__, only={"nargs": "+", "help": "names of forecasters"})
    for name in set(MODELS) - set(chosen.only or MODELS):
        del MODELS[name]
    warnings.simplefilter("ignore")
    found: list[dict[str, Any]] = []
    for row in rows():
        found.append(row)
        print(row, flush=True)
    save("in_use", found, chosen.threads)


if __name__ == "__main__":
    main()
