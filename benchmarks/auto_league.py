"""What ``ft.Auto``'s blend is worth on the league *before* the test part, beside every one of its own candidates.

Choices of Auto are made here; what came of them on the test part says ``league.py``. Each candidate is fitted twice: on
what lies before the held-back origins, as :class:`foretide.Auto` does to judge it, and on everything before the window,
as it does with those that it takes. Both answers are kept in ``--cache``, so that a long run can be cut and taken up
again. The row ``Auto`` is the blend that Auto makes of them, by its own functions and without a time limit; ``seconds``
are those of the processor for judging every candidate and fitting the chosen again, which says what limit it needs.
Tables with text columns (``m5_hobbies``) are left out: only a fitted model makes indicators of them.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, arguments, real_data, save
from league import LEVELS, coverage, scores
from league import QUANTILES as DECILES

import foretide as ft
from foretide.data.time.seasons import main_season
from foretide.errors import ForetideError
from foretide.forecasters.auto.blend import asked_for, blended, stretched
from foretide.forecasters.auto.candidates import kind_of, usual_candidates
from foretide.forecasters.auto.contest import Entry, is_pretrained, is_simple, settled
from foretide.forecasters.auto.judge import Judge, Trial, tried, wql
from foretide.forecasters.base import Forecaster

NAME = "auto_league"
SEED = 0


def panels(task: pd.Series, window: int, series: int) -> tuple[ft.Panel, ft.Panel, np.ndarray]:
    """Return the part to fit on, the part to predict from, and the truth; ``window`` 1 ends ``h`` rows earlier."""
    known = [] if pd.isna(task.known) else task.known.split()
    frame = pd.read_parquet(real_data() / "league" / f"{task.task}.parquet").sort_values(["unique_id", "ds"])
    ids = frame.unique_id.unique()
    if series and series < len(ids):
        some = np.sort(np.random.default_rng(1).choice(len(ids), series, replace=False))
        frame = frame[frame.unique_id.isin(ids[some])]
    frame = frame[frame.groupby("unique_id", sort=False).cumcount(ascending=False) >= window * task.h]
    frame = frame[frame.groupby("unique_id", sort=False).unique_id.transform("size") >= task.h + 5]
    test = frame.groupby("unique_id", sort=False).cumcount(ascending=False) < task.h
    truth = frame[test].groupby("unique_id", sort=False).y.apply(np.asarray)
    blank = frame.copy()
    blank.loc[test, "y"] = np.nan
    options = {"freq": task.freq, "future": known, "missing": "mask"}
    seen, ahead = (ft.Panel.from_frame(part, **options) for part in (frame[~test], blank))
    return seen, ahead, np.stack(truth.to_list()).astype(np.float64)


def answers(model: Forecaster, judge: Judge, seen: ft.Panel, ahead: ft.Panel, path: Path) -> dict[str, Any] | None:
    """Return a candidate's forecasts from the held-back origins and of the test part, kept in a file; None if none."""
    if path.exists():
        return dict(np.load(path))
    began = time.process_time()
    try:
        trial = tried(judge, model, None)
    except ForetideError as error:
        print(f"{model.name} fails: {error}", flush=True)
        return None
    judged = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.fresh().fit(seen).predict(ahead, quantiles=LEVELS, levels=())
    got = np.full((ahead.n_entities, model.h, len(LEVELS)), np.nan)
    got[found.windows.entity] = found.quantiles[:, :, 0]
    kept = {"jq": trial.quantiles, "q": got, "tj": judged - began, "tf": time.process_time() - judged}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **kept)
    return kept


def at(quantiles: np.ndarray, wanted: tuple[float, ...]) -> np.ndarray:
    """Quantiles between those kept; whole ones for counts."""
    place = np.interp(wanted, LEVELS, np.arange(len(LEVELS)))
    down = np.minimum(place.astype(int), len(LEVELS) - 2)
    mixed = quantiles[..., down] * (1 - (place - down)) + quantiles[..., down + 1] * (place - down)
    return np.round(mixed) if (quantiles == np.round(quantiles)).all() else mixed


def row(task: pd.Series, model: str, quantiles: np.ndarray, truth: np.ndarray, seen: ft.Panel, **more: Any) -> dict:
    """Score quantiles at :data:`LEVELS`."""
    deciles = quantiles[..., [LEVELS.index(q) for q in DECILES]]
    loss, mase = scores(deciles, truth, seen, int(task.season))
    return {
        "task": task.task,
        "model": model,
        "wql": loss,
        "mase": mase,
        "cover_80": coverage(quantiles, truth),
        **more,
    }


def compared(task: pd.Series, cache: Path, window: int, series: int, skipped: list[str]) -> list[dict]:
    """Rows of one task: the blend, and every candidate."""
    seen, ahead, truth = panels(task, window, series)
    judge = Judge.of(seen, int(task.h), int(main_season(seen)))
    assert judge is not None
    tried_on, starts = usual_candidates(seen, int(task.h), {"season": None, "seed": SEED}).with_starts()
    models = [model for model in tried_on.models if model.name not in skipped]
    found = [answers(m, judge, seen, ahead, cache / f"{task.task}-{window}-{series}-{m.name}.npz") for m in models]
    models, found = zip(*[(m, one) for m, one in zip(models, found, strict=True) if one is not None], strict=True)
    entries = [
        Entry(
            m.name,
            wql(one["jq"], judge.truth),
            simple=is_simple(m),
            pretrained=is_pretrained(m),
            start_of=starts.get(m.name, ""),
        )
        for m, one in zip(models, found, strict=True)
    ]
    smooth = kind_of(seen) == "continuous"
    result = settled(judge, entries, [Trial(judge.truth, one["jq"]) for one in found], smooth=smooth).result
    shares = np.array([entry.weight for entry in result.entries])
    members = np.stack([one["q"] for one, share in zip(found, shares, strict=True) if share])[:, :, :, None]
    blend = blended(members[..., LEVELS.index(0.5)], members, shares[shares > 0], LEVELS)[1][:, :, 0]
    blend = stretched(at(blend, asked_for(LEVELS, result.levels)), LEVELS, result.factors)
    if np.nanmin(seen.values[:, 0]) >= 0:
        blend = np.maximum(blend, 0.0)
    needed = sum(float(one["tj"]) + float(one["tf"]) * (share > 0) for one, share in zip(found, shares, strict=True))
    rows = [row(task, "Auto", blend, truth, seen, seconds=needed, judged=result.wql)]
    for entry, one in zip(result.entries, found, strict=True):
        more = {"seconds": float(one["tj"] + one["tf"]), "weight": entry.weight, "judged": entry.wql}
        rows.append(row(task, entry.candidate, one["q"], truth, seen, **more))
    return [{**one, "window": window} for one in rows]


def summary(rows: list[dict]) -> None:
    """Print what the blend is worth beside its candidates."""
    table = pd.DataFrame(rows).pivot_table(index="task", columns="model", values="wql")
    single = table.drop(columns=[name for name in table if name.startswith("Auto (") or name == "Auto"])
    everywhere = single.dropna(axis=1)
    gain = np.exp(np.log(everywhere.div(table["Auto"], axis=0)).mean()).sort_values()
    print(gain.rename("WQL / Auto's, geometric mean").to_string())
    behind = (table["Auto"] / single.min(axis=1)).rename("Auto / best candidate of the task")
    print(pd.concat([behind, single.idxmin(axis=1).rename("which")], axis=1).to_string())
    ratio = np.exp(np.log(table["Auto"] / table["SeasonalNaive"]).mean())
    print(f"WQL / the seasonal naive's, geometric mean of {len(table)} tasks: {ratio:.4f}")


def main() -> None:
    """Run what is asked for and add it to the results."""
    chosen = arguments(
        __doc__, tasks={"nargs": "+"}, cache={"type": Path, "default": Path(gettempdir()) / NAME},
        window={"type": int, "default": 1, "help": "how many horizons it lies before the test part"},
        series={"type": int, "default": 0, "help": "a sample of so many; 0: all"},
        skip={"nargs": "+", "default": [], "help": "candidates left out, such as slow ones"},
    )  # fmt: skip
    table = pd.read_csv(real_data() / "league" / "tasks.csv")
    if chosen.window < 1:
        raise SystemExit("--window 0 is the test part, which nothing is chosen by; see league.py")
    name = f"{NAME}_window_{chosen.window}"
    path = RESULTS / f"{name}.csv"
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    for _, task in table.iterrows():
        if (chosen.tasks and task.task not in chosen.tasks) or task.task == "m5_hobbies":
            continue
        new = compared(task, chosen.cache, chosen.window, chosen.series, chosen.skip)
        made = {(one["task"], one["model"]) for one in new}
        rows = [one for one in rows if (one["task"], one["model"]) not in made] + new
        save(name, rows, chosen.threads)
    summary(rows)


if __name__ == "__main__":
    main()
