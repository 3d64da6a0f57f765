"""A forecaster that tries others on the end of every series and blends the good ones."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from foretide.data.time.seasons import main_season
from foretide.errors import ConfigError, NotFittedError
from foretide.forecasters.answer import Note, Prediction
from foretide.forecasters.auto.blend import ENDS, asked_for, blended, stretched
from foretide.forecasters.auto.budget import Budget
from foretide.forecasters.auto.candidates import Candidates, kind_of, usual_candidates
from foretide.forecasters.auto.contest import Entry, Held, Result, contest, time_left
from foretide.forecasters.auto.crew import AFTER, MOST_JOBS, Crew, can_travel, refit
from foretide.forecasters.auto.hindsight import held_back, quick_part
from foretide.forecasters.auto.judge import MOST_SERIES, Judge
from foretide.forecasters.auto.turns import FAILED
from foretide.forecasters.choices import joined_choices, of_each
from foretide.forecasters.gaussian import installed
from foretide.forecasters.intervals.past import PastForecasts, predict_within
from foretide.forecasters.simple.baselines import SeasonalNaive, check_count
from foretide.forecasters.simple.default_set import with_intervals
from foretide.forecasters.wrappers.wrapper import Member, Wrapper, notes_of_members, unfitted
from foretide.parallel import around, check_jobs, jobs_here
from foretide.text import joined, number, percent, phrase
from foretide.training.saved import arrays_of, facts_of, prefixed, restored, under

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.forecasters.base import FitPart, Forecaster
    from foretide.forecasters.forecast import Forecast
    from foretide.typing import Array, Bools, Floats, Json

LEAST, MOST, FREE, PER_SERIES, PER_VALUE = 45.0, 300.0, 100, 0.2, 1e-3
"""Seconds for a fit: the least and the most, and by how much they grow with each series above a number of them and
with each value."""
LONGEST = 1e9
"""Seconds, thirty years: as good as no limit."""
LEARN, LONG = 180.0, 2_000
"""Seconds at least where columns are known ahead, or a typical series has so many rows: there the models that learn,
which take the longest, are those that pay (Victoria's demand with its temperature, before the test part, RMSE: the
trained network 232, trees 250, linear maps 345)."""


class Auto(Wrapper):
    """The forecaster for those who do not want to choose one.

    At ``fit`` candidates are tried, the quick ones first: each learns from all but the last part of every series and
    forecasts it from up to three origins, from up to twelve where series are long. They are judged by the weighted
    quantile loss at the deciles, over all series together and as the mean over series, which count the same. Those near
    the best are blended, quantile by quantile, by what they are worth, the less evidence the more alike; where that is
    worse than the best one, it stands alone. Then they are fitted again on everything. The intervals are stretched
    by one factor per level, so that they would have covered what they say; those of counts and of values that are often
    zero are taken at other levels instead.

    The usual candidates depend on the data: see :data:`foretide.forecasters.auto.candidates.USUAL`.

    Parameters
    ----------
    h : int
        Steps forecast.
    candidates : sequence, optional
        What to try instead of the usual ones: forecasters, which are copied, or names, or ``{name: settings}``. Those
        without a distribution get the intervals of their past errors.
    time_limit : float, optional
        Seconds that may pass in ``fit``. By default seconds of computing, which other work on the machine does not
        use up: 45, a fifth of a second more for each series above 100 and one for a thousand values, 180 at least with
        columns known ahead or long series, at most 300. A candidate that would take longer, as measured on a few
        series, is left out; the first one is always tried. While the limit leaves none out, the same seed gives the
        same forecast.
    season : int, optional
        Steps of one season; found from the frequency and the data by default.
    seed : int
        Of the networks among the usual candidates.
    n_jobs : int, optional
        Candidates judged, and chosen ones fitted, side by side, each on one thread; -1: one per core. It changes no
        forecast while the time limit leaves none out. By default one per core, four at most, where there are 5,000
        values or more; small tables are done before other processes have started.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, n_series=1, seed=1).panel
    >>> model = ft.Auto(h=24, candidates=["SeasonalNaive", "SeasonalES", "Drift"]).fit(panel)
    >>> model.predict(panel)
    Forecast(Auto: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    >>> model.leaderboard().candidate.to_list()[-1]
    'Drift'
    """

    nests, forgets = "candidates", "always"
    adds_intervals = True
    quick: ClassVar[Mapping[str, object]] = {"candidates": [{"SeasonalNaive": {}}, {"SeasonalES": {}}, {"Drift": {}}]}

    def __init__(
        self,
        h: int,
        candidates: Sequence[Member] | None = None,
        *,
        time_limit: float | None = None,
        season: int | None = None,
        seed: int = 0,
        n_jobs: int | None = None,
        alias: str | None = None,
    ) -> None:
        if candidates is not None and (isinstance(candidates, (str, Mapping)) or not len(candidates)):
            raise ConfigError(
                f"candidates is a list of forecasters, got {candidates!r}. Try candidates=['SeasonalES', 'Ridge'], "
                "or leave it out."
            )
        self._given = None if candidates is None else [unfitted(model, h) for model in candidates]
        if self._given is not None and {model.h for model in self._given} != {h}:
            raise ConfigError(f"All candidates forecast h={h!r} steps; got {sorted({m.h for m in self._given})}.")
        if time_limit is not None and not time_limit > 0:
            raise ConfigError(f"time_limit is a number of seconds above 0, or None; got {time_limit!r}.")
        self.season, self.seed = check_count("season", season), seed
        self.n_jobs = None if n_jobs is None else check_jobs(n_jobs)
        self.time_limit = None if time_limit is None else float(min(time_limit, LONGEST))
        super().__init__(self._given or [SeasonalNaive(h, self.season)], alias=alias)
        self.uses_validation = False  # it keeps its own part back
        self.uses_future = self._given is None or self.uses_future
        self.neural = self.neural if self._given is not None else installed("torch")
        self.progress: Callable[[str], object] | None = None
        """Gets a line before each step of ``fit``, such as "trying LAVAR (4 of 11), 42 s left". Not a setting."""
        self.spent = 0.0
        """Seconds of the limit that whoever fits it has used already. Not a setting."""
        self.result_: Result | None = None
        """What came of the contest; None before fit."""
        self.trials_: dict[str, Forecast] = {}
        """After fit: what each candidate that was judged forecast from the held-back origins, and the blend under the
        name of this forecaster. Not saved."""
        self.notes_: list[str] = []
        """What there is to know of the choice and of the fits."""
        self.shares_: Floats = np.ones(1)
        """What each member counts, ``[M]``."""
        self.floor_: Bools = np.zeros(0, dtype=bool)
        """Whether a target was never below zero, ``[D]``."""

    @property
    def candidates(self) -> list[dict[str, dict[str, object]]] | None:
        """The candidates given as ``{name: settings}``; None for the usual ones."""
        return None if self._given is None else _described(self._given)

    def fresh(self, **changes: object) -> Self:
        """Return an unfitted forecaster with the same settings, but for those given, with copies of the candidates."""
        return super(Wrapper, self).fresh(**{"candidates": self._given, **changes})

    # ---------------------------------------------------------------- what it chose
    def leaderboard(self) -> pd.DataFrame:
        """Return the candidates, the best first.

        Returns
        -------
        DataFrame
            ``candidate``, ``wql`` (weighted quantile loss on the held-back origins), ``weight`` in the blend,
            ``seconds``, and ``left_out``, why it is not in the blend.

        Raises
        ------
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, n_series=1, seed=1).panel
        >>> model = ft.Auto(h=24, candidates=["SeasonalNaive", "Drift"]).fit(panel)
        >>> model.leaderboard()[["candidate", "weight"]].to_dict("list")
        {'candidate': ['SeasonalNaive', 'Drift'], 'weight': [1.0, 0.0]}
        """
        import pandas as pd

        columns = ("candidate", "wql", "weight", "seconds", "left_out")
        rows = [{name: getattr(entry, name) for name in columns} for entry in self._result().entries]
        return pd.DataFrame(rows, columns=list(columns)).sort_values("wql", kind="stable", ignore_index=True)

    def verdict(self) -> str:
        """Say in two sentences what was chosen, and how it did against the best simple baseline.

        Returns
        -------
        str

        Raises
        ------
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, n_series=1, seed=1).panel
        >>> print(ft.Auto(h=24, candidates=["SeasonalNaive", "Drift"]).fit(panel).verdict())  # doctest: +ELLIPSIS
        Auto is SeasonalNaive. ...
        """
        result = self._result()
        chosen = [e.candidate for e in sorted(result.entries, key=lambda e: -e.weight) if e.weight]
        first = f"{self.name} is {chosen[0]}." if len(chosen) == 1 else f"{self.name} is a blend of {joined(chosen)}."
        simple = [entry for entry in result.entries if entry.simple and np.isfinite(entry.wql)]
        if not np.isfinite(result.wql):
            return f"{first} The series are too short to say how good it is."
        about = f"On {phrase('held-back origin', result.origins)} its weighted quantile loss is {number(result.wql)}"
        if not simple:
            return f"{first} {about}; no simple baseline was tried."
        best = min(simple, key=lambda entry: entry.wql)
        gain = 1 - result.wql / best.wql if best.wql > 0 else 0.0
        if chosen == [best.candidate]:
            return f"{first} {about}; that is the best simple baseline, and nothing else that was tried is better."
        words = f"{percent(abs(gain))} {'less' if gain >= 0 else 'more'} than"
        return f"{first} {about}, {words} that of {best.candidate}, the best simple baseline ({number(best.wql)})."

    def _result(self) -> Result:
        if self.result_ is None:
            raise NotFittedError(f"{self.name} is not fitted. Type: model.fit(panel)")
        return self.result_

    @property
    def starts(self) -> dict[str, str]:
        """Network -> its closed-form start, of the candidates that were judged."""
        entries = () if self.result_ is None else self.result_.entries
        return {entry.start_of: entry.candidate for entry in entries if entry.start_of and np.isfinite(entry.wql)}

    # ---------------------------------------------------------------- learning
    def _fit(self, part: FitPart) -> None:
        panel = part.panel
        values = int(panel.observed.sum()) * panel.n_targets
        learn = bool(panel.future) or float(np.median(panel.observed)) >= LONG
        budget = Budget(
            self.time_limit or usual_limit(panel.n_entities, values, learn=learn), wall=self.time_limit is not None,
            spent=self.spent,
        )  # fmt: skip
        if self._given is None:
            tried = usual_candidates(panel, self.h, {"season": self.season, "seed": self.seed})
        else:
            tried = Candidates([with_intervals(model) for model in self._given], {}, {})
        tried, starts = tried.with_starts()
        judge = Judge.of(panel, self.h, int(main_season(panel, self.season)))
        jobs = jobs_here(-1 if self.n_jobs is None else self.n_jobs)
        most = MOST_JOBS if self.n_jobs is None and around() is None else jobs
        with Crew(judge, panel, min(jobs, most)) as crew:
            smooth = kind_of(panel) == "continuous"
            held = contest(crew, tried.models, budget, smooth=smooth, starts=starts, say=self._say)
            result = held.result
            self.trials_ = {} if judge is None else self._trials(judge, held, tried.models)
            self.floor_ = np.fmin.reduce(panel.values[:, : panel.n_targets], axis=0) >= 0
            chosen = joined([entry.candidate for entry in result.entries if entry.weight])
            self._say(f"fitting {chosen} on everything, {time_left(budget.left())}")
            entries = self._refitted(tried.models, result.entries, part, crew)
        self.shares_ = np.array([entry.weight for entry in entries if entry.weight])
        if judge is not None and panel.n_entities > MOST_SERIES:
            self.notes_.append(f"candidates were judged on {MOST_SERIES} of {panel.n_entities} series, spread evenly")
        lost = {
            entry.candidate: entry.left_out for entry in entries if entry.lost and not entry.start_of
        } | tried.missing
        self.notes_ += [f"{name} is left out: {why}" for name, why in lost.items()]
        entries += [Entry(name, left_out=why) for name, why in {**tried.missing, **tried.unfit}.items()]
        self.result_ = replace(result, entries=tuple(entries))

    def _say(self, line: str) -> None:
        if self.progress is not None:
            self.progress(line)

    def _trials(self, judge: Judge, held: Held, models: Sequence[Forecaster]) -> dict[str, Forecast]:
        """Return what was forecast from the held-back origins, by names that differ."""
        found: dict[str, Forecast] = {}
        for model, trial in zip(models, held.trials, strict=True):
            if trial is not None:
                name = model.name if model.name not in {*found, self.name} else f"{model.name} {len(found) + 1}"
                found[name] = judge.forecast(name, trial, baseline=model.baseline)
        return found if held.blend is None else {**found, self.name: judge.forecast(self.name, held.blend)}

    def _refitted(
        self, models: Sequence[Forecaster], entries: Sequence[Entry], part: FitPart, crew: Crew
    ) -> list[Entry]:
        """Fit the chosen ones on everything; what they warn of becomes notes, and one that fails leaves the blend."""
        chosen = [k for k, entry in enumerate(entries) if entry.weight]
        items = [(m.fresh(), part.train_until if m.uses_validation else None) for m in (models[k] for k in chosen)]
        dear = sum(entries[k].seconds for k in chosen) >= AFTER and all(can_travel(m) for m, _ in items)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            stream = crew.stream(refit, items, beside=dear and crew.workers is not None)
            with closing(stream):
                outcomes = sorted(stream, key=lambda outcome: outcome.index)
        self.notes_ = list(dict.fromkeys(str(one.message) for one in said if issubclass(one.category, UserWarning)))
        if not any(outcome.ok for outcome in outcomes):
            outcomes[0].get()
        self._hold([outcome.get() for outcome in outcomes if outcome.ok])
        failed = {k: f"{FAILED}: {o.error}" for k, o in zip(chosen, outcomes, strict=True) if not o.ok}
        kept = sum(entry.weight for k, entry in enumerate(entries) if k not in failed)
        return [
            replace(entry, weight=0.0, left_out=failed[k])
            if k in failed
            else replace(entry, weight=entry.weight / kept)
            for k, entry in enumerate(entries)
        ]

    def _hold(self, members: list[Forecaster]) -> None:
        self.members = members
        self.uses_future = any(member.uses_future for member in members)
        self.neural = any(member.neural for member in members)

    def _hindsight(self, part: FitPart) -> Forecaster | PastForecasts:
        """Return the blend of the quick members, or what was forecast from the held-back origins."""
        trial, swift = self.trials_.get(self.name), quick_part(self)
        if swift is None and trial is not None:
            return held_back(trial, part.panel)
        return swift or self

    # ---------------------------------------------------------------- forecasting
    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        result = self._result()
        wanted = tuple(sorted({*quantiles, 0.5, *ENDS}))
        asked = asked_for(wanted, result.levels)
        made = [predict_within(member, panel, windows, asked) for member in self.members]
        notes = notes_of_members(self.members, made, panel, len(windows))
        notes += [Note("choice", text, np.arange(len(windows))) for text in self.notes_]
        means = np.stack([one.mean for one in made]).astype(np.float64)
        own = [one.quantiles for one in made if one.quantiles is not None]
        if len(own) < len(made):
            mean, found = np.einsum("m,mnhd->nhd", self.shares_, means), None
        else:
            mean, found = blended(means, np.stack(own), self.shares_, wanted)
        mean = np.where(self.floor_, np.maximum(mean, 0.0), mean)
        if not quantiles or found is None:
            return Prediction(mean, None, notes=tuple(notes))
        found = stretched(found, wanted, result.factors)
        found = np.where(self.floor_[:, None], np.maximum(found, 0.0), found)
        return Prediction(mean, found[..., [wanted.index(q) for q in quantiles]], notes=tuple(notes))

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """The members, what each counts, and what they chose themselves."""
        series, m = layout.series, len(self.members)
        names = [member.name for member in self.members] * len(series)
        rows = [name for name in series for _ in range(m)]
        shares = of_each(rows, "model", names, np.tile(self.shares_, len(series)), own=False)
        return joined_choices([shares, super()._choices(layout)])

    # ---------------------------------------------------------------- keeping
    def state(self) -> dict[str, Array]:
        """What the contest left, and every member's arrays under its number."""
        own = {
            "shares": self.shares_,
            "floor": self.floor_.astype(np.int64),
            **prefixed("result/", arrays_of(self._result())),
        }
        return {**own, **super().state()}

    def facts(self) -> dict[str, object]:
        """The members, the contest and the notes."""
        result = self._result()
        about = {**facts_of(result), "entries": [facts_of(entry) for entry in result.entries]}
        return {**super().facts(), "chosen": _described(self.members), "result": about, "notes": self.notes_}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Rebuild the members and the contest from :meth:`state` and :meth:`facts`."""
        self._hold([unfitted(model, self.h) for model in facts["chosen"]])
        super().restore(state, facts)
        entries = [restored(Entry, entry) for entry in facts["result"]["entries"]]
        self.result_ = restored(Result, under("result/", state), {**facts["result"], "entries": entries})
        self.notes_, self.shares_ = list(facts["notes"]), np.asarray(state["shares"], dtype=np.float64)
        self.floor_ = np.asarray(state["floor"], dtype=bool)


def usual_limit(series: int, values: int, *, learn: bool = False) -> float:
    """Return the seconds that a fit may take by default.

    Parameters
    ----------
    series : int
        How many there are.
    values : int
        Of all series together.
    learn : bool
        Whether models that learn are likely to pay.

    Returns
    -------
    float

    Examples
    --------
    >>> usual_limit(1, 1000), usual_limit(600, 24_000), usual_limit(1, 20_000, learn=True)
    (46.0, 169.0, 180.0)
    """
    usual = LEAST + PER_SERIES * max(series - FREE, 0) + PER_VALUE * values
    return min(max(usual, LEARN) if learn else usual, MOST)


def _described(models: Sequence[Forecaster]) -> list[dict[str, dict[str, object]]]:
    return [{type(model).__name__: model.settings()} for model in models]
