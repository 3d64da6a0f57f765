"""Random edits of configurations, as dictionaries and as YAML: a plan or one foretide error comes out.

    python tests/fuzz/configurations.py --seconds 600 --seed 0

Each goes through ``load_config`` and, where that accepts it, through the plan of a job: data read, models made, folds
laid out; nothing is fitted. One that takes longer than 20 seconds is stopped and counted too.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from fuzzing import NUMBERS, TIMES, Reading, bytes_damaged, edited, main

SMALL = {"synthetic": {"generator": "hourly", "args": {"T": 200, "n_series": 2, "seed": 1}}}
SHOPS = {"path": "table.csv", "id": "shop", "time": "day", "target": "sold"}
SOUND: tuple[dict[str, Any], ...] = (
    {"data": SMALL, "h": 4, "models": ["Drift"]},
    {"data": SMALL, "h": 4, "input_size": 24, "models": [{"LSTM": {"hidden": 4, "epochs": 1}}], "seeds": [0, 1]},
    {
        "name": "shop", "data": {**SHOPS, "past": "rest"}, "h": 7, "levels": [80, 95],
        "calendar": {"country": "DE", "features": ["weekday"]}, "models": {"SeasonalNaive": {"season": 7}},
    },
    {
        "data": {**SHOPS, "id": ["shop"], "target": ["sold"], "future": ["promo"], "freq": "D", "missing": "mask",
                 "fill_gaps": True, "first": "2024-01-05", "last": "2024-03-20"}, "h": 3,
        "split": {"train_until": "2024-02-20", "val_until": "2024-03-05"}, "quantiles": [0.1, 0.5],
        "models": ["Ridge", {"Attention": {"epochs": 1}}], "ablations": {"attention": ["Ridge", "Attention"]},
    },
    {
        "data": SMALL, "h": 2, "models": ["SeasonalES"], "season": 24, "stride": 5, "baselines": False,
        "split": {"fractions": [0.6, 0.2, 0.2]},
        "backtest": {"step": 5, "n_windows": 3, "gap": 1, "train_size": 50, "refit": 2},
    },
    {
        "data": SMALL, "h": 2, "models": ["SeasonalES"],
        "search": {"n_trials": 2, "timeout": "2m", "models": ["SeasonalES"], "sampler": "random", "pruner": None},
    },
    {
        "data": {**SMALL, "resample": "2h", "aggregate": "mean"}, "h": 1, "models": [
            {"Ensemble": {"models": ["Drift", {"SeasonalNaive": {"season": 7}}]}},
            {"Conformal": {"model": "SeasonalES"}},
            {"Auto": {"time_limit": 5}}],
    },
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 10**6, 10**12, 10**400, -0.0, 0.5, 1e308, float("nan"), float("inf"), "", " ", "x",
    "rest", "[]", "\0", "a/b", "..", "é", "\ud800", "x" * 70_000, [], {}, [[]], [None], [1, "a"], ["y", "y"], {"a": {}},
    {"": 1}, {"name": "Drift", "settings": {"h": 3}}, {1: 2}, {None: None}, ("a", 1), b"x", {1, 2}, object(), 1 + 2j,
    dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC), Path("x"), Ellipsis, range(3), "table.csv", "no.csv",
    ".", "Drift", "LSTM", "Ensemble", "Naive", "hourly", "2h", "80", "95%", "Europe/Berlin", "D", "MS", "median",
    *NUMBERS, *TIMES,
)  # fmt: skip
TEXTS = (
    "\t", "\n", ": ", "- ", "&a ", "*a", "<<: *a\n", "!!python/object:os.system ", "!!binary x", "!!int x", "!x ",
    "? ", "| ", ">-\n", "'", '"', "{", "}", "[", "]", "#", "%YAML 3.0\n", "---\n", "...\n", "@", "`", "\0", "\ufeff",
    "\u2028", "~", "0o9", "0x_", "1_000", "2024-99-99", "2024-01-01T99:99:99", ".nan", "-.inf", "1e999", "yes", "=",
    "a: &a [*a]\n", "&a [&a []]", "[" * 3000, "{a: " * 3000, "- " * 3000,
)  # fmt: skip


def words() -> list[str]:
    """List keys that configurations know."""
    from foretide.jobs.config import Config, keys_below

    sections = ("data", "split", "backtest", "search")
    return [*Config.model_fields, *(key for section in sections for key in keys_below(section))]


def bomb(rng: random.Random) -> str:
    """Return YAML whose aliases stand for very much."""
    depth, width = rng.choice([3, 8, 12]), rng.choice([3, 9])
    lines = ["a0: &a0 [x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * width)}]" for k in range(1, depth)]
    place = rng.choice(["h", "models", "data", "ablations", "levels", "name"])
    return "\n".join([*lines, "data: {synthetic: {}}", f"{place}: *a{depth - 1}"])


def text_of(raw: Any, rng: random.Random) -> bytes:
    """Write a configuration as YAML or JSON, and damage the text now and then."""
    from foretide.jobs.config import write_yaml

    try:
        text = json.dumps(raw) if rng.random() < 0.3 else write_yaml(raw)
    except Exception:  # what YAML has no form for is written as its repr
        text = repr(raw)
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice(TEXTS) + text[at:]
    if rng.random() < 0.05:
        text = bomb(rng)
    data = text.encode(rng.choice(["utf-8"] * 6 + ["utf-16", "utf-8-sig", "latin-1"]), "replace")
    return bytes_damaged(data, rng) if rng.random() < 0.15 else data


def table(folder: Path) -> None:
    """Write a table that configurations name."""
    days = [(k, dt.date(2024, 1, 1) + dt.timedelta(k)) for k in range(90)]
    rows = [f"{shop},{day},{(k * 7 + len(shop)) % 11},{k % 3},{k % 2}" for shop in ("a", "bb") for k, day in days]
    (folder / "table.csv").write_text("\n".join(["shop,day,sold,price,promo", *rows]))


def prepared(rng: random.Random, folder: Path) -> Reading:
    """Make one configuration; return a function that plans a job with it."""
    from foretide.jobs.config import load_config
    from foretide.jobs.planning import planned

    if not (folder / "table.csv").exists():
        table(folder)
    raw: Any = copy.deepcopy(rng.choice(SOUND))
    if "path" in raw["data"]:
        raw["data"]["path"] = str(folder / "table.csv")
    known, odd = words(), ODD
    for _ in range(rng.choice([0, 1, 1, 1, 2, 5])):
        raw = edited(raw, rng, odd, known) if isinstance(raw, dict) else raw
    keys = [*known, "Drift.x", "LSTM.hidden", "models.0", "models.²", ""]
    values = [*TEXTS, *NUMBERS, "3", "[1]", "{a: 1}"]
    changes = [f"{rng.choice(keys)}={rng.choice(values)}" for _ in range(rng.choice([0, 0, 0, 0, 1]))]
    source: Any = raw
    if rng.random() < 0.5:
        source = folder / "config.yaml"
        source.write_bytes(text_of(raw, rng))
    elif rng.random() < 0.02:
        source = rng.choice([5, [], folder, "missing.yaml", "\0", "", "x" * 5000])
    job, model = rng.choice(["run", "backtest", "tune", "fit"]), rng.choice([None, None, None, "Drift", "Nope", ""])

    def use() -> str:
        config = load_config(source, changes)
        planned(job, config.model_copy(update={"output": str(folder / "out")}), model=model)
        return "used"

    return use


if __name__ == "__main__":
    raise SystemExit(main(__file__, __doc__, prepared))
