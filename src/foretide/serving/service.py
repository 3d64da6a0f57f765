"""What all routes share: the models, the line of requests, limits, metrics and the log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from foretide.errors import ForetideError
from foretide.serving.asked import Asked, Settings, as_refusal
from foretide.serving.batching import Batcher
from foretide.serving.limits import Limits, RequestError
from foretide.serving.watching import Log, Metrics

if TYPE_CHECKING:
    from foretide.serving.models import Served, Shelf
    from foretide.serving.tables import Columns
    from foretide.typing import Json

    Notes = dict[str, Any]


class Service:
    """Forecasts of some models.

    Parameters
    ----------
    shelf : Shelf
        The models.
    limits : Limits, optional
    log : Log, optional
        Silent by default.
    """

    def __init__(self, shelf: Shelf, limits: Limits | None = None, log: Log | None = None) -> None:
        self.shelf, self.limits, self.log = shelf, limits or Limits(), log or Log(None)
        self.batcher = Batcher(self.limits)
        self.metrics = Metrics(lambda: self.batcher.waiting)
        self.metrics.show_models(shelf.all())
        self.ready = True
        self._reloading = asyncio.Lock()

    async def forecast(self, served: Served, settings: Settings, columns: Columns, notes: Notes) -> Json:
        """Return the answer to a request.

        Parameters
        ----------
        served : Served
        settings : Settings
        columns : dict
        notes : dict
            Gets facts for the log.

        Returns
        -------
        dict

        Raises
        ------
        RequestError
        """
        notes |= {"model": served.name, "version": served.version}
        try:
            asked = Asked.of(served, settings, columns, self.limits)
        except ForetideError as error:
            raise as_refusal(error) or error from None
        notes["rows"] = asked.rows
        outcome = await self.batcher.submit(asked)
        if outcome.answer is None:
            assert outcome.error is not None
            raise as_refusal(outcome.error) or outcome.error
        notes |= {"series": len(outcome.answer["forecasts"]), "batch": outcome.shared}
        self.metrics.rows.labels(served.name).inc(asked.rows)
        self.metrics.series.labels(served.name).inc(len(outcome.answer["forecasts"]))
        self.metrics.batch.observe(outcome.shared)
        return {"id": notes["request"], **outcome.answer}

    async def reload(self) -> list[Served]:
        """Read the models again beside those in use, and swap them; requests under way end with the former ones.

        Returns
        -------
        list of Served
            Those that are new or have changed.

        Raises
        ------
        RequestError
            Where one cannot be read; the former ones are still served.
        """
        async with self._reloading:
            try:
                changed = await asyncio.to_thread(self.shelf.reload)
            except (ForetideError, OSError) as error:
                self.metrics.reloads.labels("error").inc()
                self.log.say("reload failed", error=type(error).__name__, message=str(error))
                text = "The models could not be read again, and the former ones are still served. The log says why."
                raise RequestError(text, 409, "ArtifactError") from None
        self.metrics.reloads.labels("done").inc()
        self.metrics.show_models(self.shelf.all())
        self.log.say("reloaded", models=[f"{served.name}@{served.version}" for served in changed])
        return changed

    def close(self) -> None:
        """Answer what waits, and take no more."""
        self.ready = False
        self.batcher.close()
