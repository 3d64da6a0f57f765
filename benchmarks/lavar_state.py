"""Where covariates move the targets: default LAVAR against its own base, on real tables, by rolling origins.

Bike rentals and Victoria's electricity demand, hourly and daily, with the weather; one department of a shop with prices
and events. Weather ``known`` ahead is the one that came: that says what an effect is worth, not what a forecast of it
is. Weather that is ``past`` has to be foreseen by the latent state. The base is LAVAR's own (``start()``): recipes and
event factors, no effects, no heads. Every model is fitted once, before the first origin. ``gain`` is the share of the
base's mean squared error that goes with the effects and heads; ``p_mse`` and ``p_mae`` are
those of the Diebold–Mariano test over origins.

Basis, knots and gates were chosen on the rows before the first origins (``--before``), never on these.
"""

from __future__ import annotations

import time
import warnings
from typing import Any, NamedTuple

import pandas as pd
from common import arguments, real_data, save

import foretide as ft

METRICS = ("mse", "mae", "wql")
TESTED = 0.25
"""Share of the rows, at their end, that is forecast."""


class Case(NamedTuple):
    """A table, ``h`` and the steps between origins; those are no multiple of a season."""

    data: str
    weather: str
    h: int
    step: int


CASES = [
    Case("bikes daily", "known", 7, 2), Case("bikes daily", "past", 7, 2),
    Case("bikes hourly", "known", 24, 25), Case("bikes hourly", "past", 24, 25),
    Case("victoria daily", "known", 7, 2), Case("victoria daily", "past", 7, 2),
    Case("victoria hourly", "known", 24, 25), Case("victoria hourly", "past", 24, 25),
    Case("m5_hobbies", "known", 28, 13),
]  # fmt: skip
M5_DAYS = 182


def bikes(freq: str) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Rentals, weather columns, other columns."""
    frame = pd.read_csv(real_data() / "bike_sharing.csv", parse_dates=["date_time"])
    how = {"users": "sum", "temp": "mean", "hum": "mean", "windspeed": "mean", "holiday": "max", "workingday": "max"}
    frame = frame.set_index("date_time").resample(freq).agg(how).rename_axis("ds").reset_index()
    return frame.rename(columns={"users": "y"}), ["temp", "hum", "windspeed"], ["holiday", "workingday"]


def victoria(freq: str) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Demand on the local clock, temperature, holiday."""
    frame = pd.read_csv(real_data() / "vic_electricity.csv")
    frame["ds"] = pd.to_datetime(frame["Time"]).dt.tz_convert("Australia/Melbourne").dt.tz_localize(None)
    frame["Holiday"] = frame["Holiday"].astype(float)
    how = {"Demand": "sum", "Temperature": "mean" if freq == "h" else "max", "Holiday": "max"}
    frame = frame.set_index("ds").resample(freq).agg(how).interpolate().reset_index()
    return frame.rename(columns={"Demand": "y"}), ["Temperature"], ["Holiday"]


def panel_of(case: Case, *, before: bool) -> tuple[ft.Panel, int]:
    """The table, without the tested rows where ``before``, and how many rows are tested."""
    if case.data == "m5_hobbies":
        frame = pd.read_parquet(real_data() / "league" / "m5_hobbies.parquet").sort_values(["unique_id", "ds"])
        if before:
            frame = frame[frame.groupby("unique_id").cumcount(ascending=False) >= M5_DAYS]
        future = ["event", "event_type", "snap", "price"]
        return ft.Panel.from_frame(frame, freq="D", future=future, missing="mask"), M5_DAYS
    data, freq = case.data.split()
    frame, weather, others = (bikes if data == "bikes" else victoria)("D" if freq == "daily" else "h")
    frame = frame.iloc[: round((1 - TESTED) * len(frame))] if before else frame
    roles = {"future": [*weather, *others]} if case.weather == "known" else {"past": weather, "future": others}
    panel = ft.Panel.from_frame(frame.assign(unique_id=data), freq="D" if freq == "daily" else "h", **roles)
    return panel, round(TESTED * len(frame))


def run(case: Case, *, before: bool) -> list[dict[str, Any]]:
    """One table: LAVAR, its base and CalendarES."""
    panel, tested = panel_of(case, before=before)
    lavar = ft.LAVAR(case.h)
    base = lavar.start()
    assert base is not None
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        card = ft.backtest(
            [lavar, base, ft.CalendarES(case.h)], panel, h=case.h, step=case.step,
            n_windows=1 + (tested - case.h) // case.step, refit=False, baselines=False, starts=False,
        )  # fmt: skip
        pairs = {name: card.compare(lavar.name, base.name, name) for name in ("mse", "mae")}
    scores = {name: card.scores(name).iloc[0] for name in METRICS}
    return [
        {
            "table": case.data, "weather": case.weather, "model": model, "origins": pairs["mse"].n_cutoffs,
            **{name: float(scores[name][model]) for name in METRICS},
            "gain": 1 - float(scores["mse"][model]) / float(scores["mse"][base.name]),
            **{f"p_{name}": pair.p_value if model == lavar.name else "" for name, pair in pairs.items()},
            "cpu_s": time.process_time() - started,
        }
        for model in card.models
    ]  # fmt: skip


def main() -> None:
    """Run all tables, or those named, and save one row per table and model."""
    chosen = arguments(__doc__, before={"action": "store_true"}, tables={"nargs": "+"})
    rows: list[dict[str, Any]] = []
    for case in CASES:
        if not chosen.tables or case.data in chosen.tables:
            rows += run(case, before=chosen.before)
            print(pd.DataFrame(rows[-3:]).to_string(index=False, header=len(rows) == 3), flush=True)
    save("lavar_state_before" if chosen.before else "lavar_state", rows, chosen.threads)


if __name__ == "__main__":
    main()
