"""What a job would do, without doing it: data, parts, folds, models with their settings, the folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.evaluation.rolling.members import Member
from foretide.evaluation.rolling.starts import with_starts
from foretide.forecasters.base import Forecaster
from foretide.jobs.checking import checked_data
from foretide.jobs.deploy import FIT, chosen_entry
from foretide.jobs.folder import RunFolder
from foretide.jobs.forecast_folder import FORECAST
from foretide.jobs.job import Deed, Place, place_of
from foretide.jobs.judging import BACKTEST, RUN, backtest_members, run_members
from foretide.jobs.prepare import tell, with_form
from foretide.jobs.searching import TUNE, candidates_in
from foretide.text import phrase

if TYPE_CHECKING:
    from foretide.evaluation.rolling.plan import Plan
    from foretide.jobs.config import Config
    from foretide.jobs.forecasting import Call
    from foretide.jobs.prepare import Prepared
    from foretide.typing import Json

DEEDS: dict[str, Deed] = {deed.name: deed for deed in (RUN, BACKTEST, TUNE, FIT)}


def planned(
    job: str, config: Config, *, output: Place | None = None, overwrite: bool = False, model: str | None = None
) -> Json:  # fmt: skip
    """Return what a job would do with a configuration; the data are read, and nothing is written or fitted.

    Parameters
    ----------
    job : {"run", "backtest", "tune", "fit"}
    config : Config
    output : path, optional
    overwrite : bool
    model : str, optional
        Which one ``fit`` would fit.

    Returns
    -------
    dict
        ``job``, ``folder``, ``goes_on``, ``data`` (sentences), ``rows`` by part, ``folds``, ``models`` (name, class,
        settings, whether it is a baseline, whether it was asked for, whose start it is), and ``search``, if any.

    Raises
    ------
    ConfigError, DataError
        As the job itself would.

    Examples
    --------
    >>> from foretide.jobs import load_config
    >>> from foretide.jobs.planning import planned
    >>> config = load_config({"data": {"synthetic": {"args": {"T": 200}}}, "h": 4, "models": ["Drift"]})
    >>> found = planned("run", config)
    >>> found["rows"], found["folds"]["cutoffs"], found["models"][-1]["model"]
    ({'train': 140, 'validation': 30, 'test': 30}, 27, 'Drift')
    """
    deed, target = DEEDS[job], output or config.output
    if target is not None:
        RunFolder.refuse(target, overwrite=overwrite or deed.goes_on)
    data, plan = checked_data(config, deed.check)
    about: list[str] = []
    tell(data.panel, about.append)
    place, goes_on, _ = place_of(deed, with_form(config, data.panel), None if target is None else Path(target))
    found: Json = {"job": job, "folder": place, "goes_on": goes_on, "data": about}
    if deed.parts:
        sizes = data.split.sizes
        found["rows"] = dict(zip(("train", "validation", "test"), sizes, strict=True))
    else:
        found["rows"] = {"all": int(data.panel.observed.max())}
    if plan is not None:
        found["folds"] = _folds(plan, data)
    notes: list[str] = []
    found["models"] = [_about(member) for member in _members(job, config, data, plan, model, notes)]
    if config.search is not None and job in ("run", "tune"):
        found["search"] = _search(config, data)
    found["notes"] = notes
    return found


def planned_forecast(call: Call, output: Place | None = None, *, overwrite: bool = False) -> Json:
    """Return what a forecast would do with a table that was read; nothing is written or fitted.

    Parameters
    ----------
    call : Call
    output : path, optional
    overwrite : bool

    Returns
    -------
    dict
        As :func:`planned`.

    Raises
    ------
    ConfigError
        Where the folder is taken.
    """
    if output is not None:
        RunFolder.refuse(output, overwrite=overwrite)
    panel = call.source.panel
    place, goes_on, _ = place_of(FORECAST, call.config, None if output is None else Path(output))
    members = [Member(model, model.baseline, asked=True) for model in call.tried()]
    return {
        "job": FORECAST.name, "folder": place, "goes_on": goes_on, "data": [*call.source.notes, repr(panel)],
        "rows": {"all": int(panel.observed.max())}, "h": call.config.h, "notes": [],
        "models": [_about(member) for member in members],
    }  # fmt: skip


def _members(
    job: str, config: Config, data: Prepared, plan: Plan | None, model: str | None, notes: list[str]
) -> Sequence[Member]:  # fmt: skip
    if job == "fit":
        return [chosen_entry(config, data, model)]
    if job == "tune":
        return []
    assert plan is not None
    if job == "backtest":
        members, more = backtest_members(config, data, plan)
        notes += more
    else:
        members = run_members(config, data, say=notes.append)
    return with_starts(members, plan, config.starts)


def _folds(plan: Plan, data: Prepared) -> Json:
    if plan.split is None:
        times = [str(fold.time) for fold in plan.folds]
        cutoffs, fits = len(times), len(plan.blocks)
    else:
        windows = plan.test_windows(data.panel)
        steps = sorted(set(windows.steps(data.panel).tolist()))
        times, cutoffs, fits = [str(t) for t in data.panel.grid.output_times(steps)], len(steps), 1
    return {"cutoffs": cutoffs, "first": times[0], "last": times[-1], "step": plan.step, "fits": fits, "h": plan.h}


def _about(member: Member) -> Json:
    forecaster = member.forecaster
    settings = forecaster.settings() if isinstance(forecaster, Forecaster) else {}
    return {
        "model": member.name, "class": type(forecaster).__name__, "settings": settings, "text": repr(forecaster),
        "baseline": member.baseline, "asked": member.asked, "start_of": list(member.start_of),
    }  # fmt: skip


def _search(config: Config, data: Prepared) -> Json:
    assert config.search is not None
    plan, candidates = candidates_in(config, data)
    return {
        **config.search.model_dump(exclude={"models"}),
        "folds": len(plan.folds),
        "models": {candidate.label: candidate.to_dict() for candidate in candidates},
    }


def told(found: Json) -> str:
    """Return what a job would do in words.

    Parameters
    ----------
    found : dict
        Of :func:`planned`.

    Returns
    -------
    str
    """
    rows = ", ".join(f"{name} {n:,}" for name, n in found["rows"].items())
    lines = [*(f"data: {line}" for line in found["data"]), f"steps: {rows}"]
    if folds := found.get("folds"):
        lines.append(
            f"forecasts: {folds['h']} steps from {phrase('cutoff', folds['cutoffs'])}, {folds['first']} to "
            f"{folds['last']}, {folds['step']} apart, by {phrase('fit', folds['fits'])} of each model"
        )
    if search := found.get("search"):
        trials = search["n_trials"]
        budget = [f"{n} trials of {name}" for name, n in trials.items()] if isinstance(trials, dict) else []
        budget += [f"{trials} trials"] if isinstance(trials, int) else []
        budget += [f"at most {search['timeout']}"] if search["timeout"] is not None else []
        judged = phrase("inner fold", search["folds"])
        lines.append(f"search: {', '.join(budget)}, {search['sampler']} sampler, judged on {judged}")
        for name, candidate in search["models"].items():
            lines.append(f"  {name}: {', '.join(candidate['space']) or 'nothing to choose, one trial'}")
    if found["models"]:
        lines.append("models:")
        for about in found["models"]:
            kind = f"  (start of {', '.join(about['start_of'])})" if about["start_of"] else ""
            kind = kind or ("" if about["asked"] else "  (baseline, unasked)")
            named = "" if about["model"] == about["class"] else f"{about['model']} = "
            lines.append(f"  {named}{about['text']}{kind}")
    lines += [f"note: {note}" for note in found["notes"]]
    lines.append(f"folder: {found['folder']}{', where it goes on' if found['goes_on'] else ''}")
    return "\n".join([*lines, "Nothing was made; leave --dry-run out to begin."])
