"""What came of a job, as plain values for other programs: verdict, leaderboard, and where things lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretide.data.files import understood
from foretide.jobs import store
from foretide.jobs.saved import saved_models
from foretide.jobs.status import read_status

if TYPE_CHECKING:
    from foretide.jobs.folder import RunFolder
    from foretide.typing import Json


def result_of(folder: RunFolder) -> Json:
    """Return what a run, a backtest, a search, a forecast or a fit left in its folder.

    Parameters
    ----------
    folder : RunFolder

    Returns
    -------
    dict
        ``job``, ``status``, ``folder``; ``verdict`` and ``leaderboard`` (a table) of what was judged, of a search
        ``test_verdict`` and ``test_leaderboard`` too, of a forecast ``notes`` and ``forecast`` (a table); ``paths`` of
        the files that are there, and of the models by name.

    Examples
    --------
    >>> import tempfile
    >>> import foretide as ft
    >>> from foretide.jobs.results import result_of
    >>> config = {"data": {"synthetic": {"args": {"T": 200}}}, "h": 4, "models": ["Drift"], "baselines": False}
    >>> found = result_of(ft.run(config, output=tempfile.mkdtemp() + "/one"))
    >>> found["job"], list(found["leaderboard"]["model"]), found["paths"]["page"].name
    ('run', ['oracle', 'Drift'], 'report.html')
    """
    with understood(folder.path):
        return _result_of(folder)


def _result_of(folder: RunFolder) -> Json:
    status = read_status(folder.path) or {}
    found: Json = {"job": status.get("job"), "status": folder.status, "folder": folder.path}
    facts, card, board = folder.read(store.FACTS), folder.read(store.CARD), folder.read(store.LEADERBOARD)
    scored = None if card is None else card.pandas(card.leaderboard())
    if facts is not None and facts["kind"] == "forecast":
        found.update(verdict=facts["verdict"], leaderboard=board, notes=facts["notes"])
        found["forecast"] = folder.need(store.FORECAST)
    elif board is not None and facts is not None:
        found.update(verdict=facts["verdict"], leaderboard=board, metric=facts["metric"], best=facts["best"])
        found.update(test_verdict=facts["test_verdict"], test_leaderboard=scored)
    elif card is not None:
        found.update(verdict=card.verdict(), leaderboard=scored, metric=card.main)
    named = {
        "page": store.REPORT.file, "summary": store.SUMMARY.file, "settings": store.SETTINGS.file,
        "tuned": store.TUNED.file, "metrics": store.METRICS.file, "forecasts": store.FORECASTS.file,
        "forecast": store.FORECAST.beside, "log": store.LOG.file,
    }  # fmt: skip
    paths: Json = {name: folder.path / file for name, file in named.items() if (folder.path / file).is_file()}
    found["paths"] = {**paths, "models": saved_models(folder.path)}
    return found
