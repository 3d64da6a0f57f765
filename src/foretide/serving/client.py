"""A client of the service, with the standard library's means."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

import numpy as np
import pandas as pd

from foretide import errors
from foretide.data.panel import Panel
from foretide.data.reading.frames import as_backend, open_frame
from foretide.errors import ConfigError, DataError, ForetideError, ServiceError
from foretide.forecasters.levels import (
    DEFAULT_LEVELS,
    interval_columns,
    interval_levels,
    quantile_column,
    quantile_levels,
)

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from foretide.typing import Frame, Json

MOST = 512 * 2**20
"""Bytes of an answer at most."""
LONGEST_WAIT = 30.0
"""Seconds to wait, when a service asks to come again later, at most."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A service does not move; a token does not follow."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Client:
    """Asks a service that ``foretide serve`` started.

    Parameters
    ----------
    url : str
        Such as ``"http://localhost:8080"``.
    token : str, optional
        The service's token.
    timeout : float
        Seconds to wait for an answer.
    retries : int
        How often to try again where the service is busy.

    Examples
    --------
    >>> import foretide as ft
    >>> ft.Client("http://localhost:8080")
    Client('http://localhost:8080')
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 60.0, retries: int = 3) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.username or parts.query:
            raise ConfigError(f"Expected the address of a service, such as 'http://localhost:8080', got {url!r}.")
        self.url, self.timeout, self.retries = url.rstrip("/"), timeout, retries
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._opener = urllib.request.build_opener(_NoRedirect)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def forecast(
        self, table: Panel | Frame | None = None, *, model: str | None = None, version: str | None = None,
        future: Frame | None = None, h: int | None = None, levels: float | Iterable[float] = DEFAULT_LEVELS,
        quantiles: float | Iterable[float] = (), notes: bool = False,
    ) -> Frame:  # fmt: skip
        """Forecast what comes after the rows of a table.

        Parameters
        ----------
        table : Panel, pandas or polars data frame
            With the columns of the one that the model was fitted on.
        model, version : str, optional
            Needed where the service has several models; the latest version by default.
        future : data frame, optional
            Rows after it, of id, time and the columns known ahead; they may also stand in ``table``.
        h : int, optional
            The first so many steps; all by default.
        levels, quantiles
            As for ``Forecaster.predict``.
        notes : bool
            Whether a column ``note`` says of each row what there is to know of it.

        Returns
        -------
        pandas or polars frame
            As of ``Forecast.to_frame``: id, time, ``cutoff``, the forecaster's columns.

        Raises
        ------
        DataError, ConfigError
            What the service said of the table or the settings.
        ServiceError
            Where it did not answer, or not as a service of foretide does.

        Examples
        --------
        >>> import foretide as ft
        >>> client = ft.Client("http://localhost:8080", token="the-token-of-the-service")
        >>> client.forecast(sales, model="sales", h=7)  # doctest: +SKIP
        """
        kept, further = interval_levels(levels), quantile_levels(quantiles)
        answer = self.answer(
            table, model=model, version=version, future=future, h=h, levels=kept, quantiles=further, notes=notes
        )
        try:
            found = _frame(answer, notes=notes)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._strange(f"it lacks {error}" if isinstance(error, KeyError) else str(error)) from error
        return as_backend(found, _backend(table))

    def answer(
        self, table: Panel | Frame | None = None, *, future: Frame | None = None, samples: int = 0, seed: int = 0,
        attention: bool = False, **asked: object,
    ) -> Json:  # fmt: skip
        """Return the whole answer of the service, with samples and weights of attention where they are asked for.

        Parameters
        ----------
        table, future
            As for :meth:`forecast`.
        samples, seed : int
            Joint paths to draw, as ``Forecast.sample`` does.
        attention : bool
            Whether to return the weights of attention.
        **asked
            ``model``, ``version``, ``h``, ``levels``, ``quantiles``, ``notes``, as for :meth:`forecast`.

        Returns
        -------
        dict
            As the page ``/openapi.json`` of the service describes it.

        Raises
        ------
        DataError, ConfigError, ServiceError

        Examples
        --------
        >>> import foretide as ft
        >>> client = ft.Client("http://localhost:8080")
        >>> client.answer(sales, h=7, samples=100)["forecasts"][0]["samples"]  # doctest: +SKIP
        """
        body: Json = {name: value for name, value in asked.items() if value is not None}
        for name in ("levels", "quantiles"):
            if name in body:
                body[name] = list(np.atleast_1d(cast("Any", body[name])).tolist())
        body |= {"samples": samples, "seed": seed, "attention": attention}
        for name, rows in (("history", table), ("future", future)):
            if rows is not None:
                body[name] = _columns(rows)
        return cast("Json", self._ask("/v1/forecast", body))

    def models(self) -> pd.DataFrame:
        """List the models of the service.

        Returns
        -------
        pandas.DataFrame
            A row for each version of each model: name, version, horizon, frequency, columns by role.

        Raises
        ------
        ServiceError

        Examples
        --------
        >>> import foretide as ft
        >>> ft.Client("http://localhost:8080").models()  # doctest: +SKIP
        """
        return pd.DataFrame(self._ask("/v1/models")["models"])

    def ready(self, model: str | None = None) -> bool:
        """Whether the service answers requests.

        Parameters
        ----------
        model : str, optional
            One that it is to have.

        Returns
        -------
        bool
            False where nobody is there, too.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.Client("http://localhost:1").ready()
        False
        """
        try:
            self._ask("/v2/health/ready" if model is None else f"/v2/models/{quote(model, safe='')}/ready", tries=1)
        except ForetideError:
            return False
        return True

    def reload(self) -> pd.DataFrame:
        """Let the service read the folders of its models again.

        Returns
        -------
        pandas.DataFrame
            As :meth:`models`.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.Client("http://localhost:8080").reload()  # doctest: +SKIP
        """
        return pd.DataFrame(self._ask("/v1/models/reload", {})["models"])

    # ---------------------------------------------------------------- below
    def _ask(self, path: str, body: Json | None = None, tries: int | None = None) -> Any:
        """Send a request, again where the service is busy, and return what it says."""
        try:
            data = None if body is None else json.dumps(body, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise DataError(f"The table cannot be written as JSON: {error}. Give numbers, texts and times.") from None
        headers = {**self._headers, **({} if data is None else {"Content-Type": "application/json"})}
        left = self.retries if tries is None else tries - 1
        while True:
            asked = urllib.request.Request(self.url + path, data, headers)
            try:
                with self._opener.open(asked, timeout=self.timeout) as response:
                    return self._content(response)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 503 or left <= 0:
                        raise self._error(error.code, error.read(1_000_000)) from None
                    wait = error.headers.get("Retry-After", "1")
                time.sleep(min(float(wait) if wait.isdigit() else 1.0, LONGEST_WAIT))
                left -= 1
            except (urllib.error.URLError, OSError, HTTPException) as error:
                if isinstance(error, ForetideError):
                    raise
                reason = getattr(error, "reason", None) or error
                raise ServiceError(f"No answer from {self.url}: {reason}. Is `foretide serve` running there?") from None

    def _content(self, response: HTTPResponse) -> Any:
        content = response.read(MOST + 1)
        try:
            if len(content) > MOST:
                raise ValueError("it is too long")
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._strange(str(error)) from None

    def _error(self, status: int, content: bytes) -> ForetideError:
        """Return what a service said as the error that a call from Python would raise."""
        try:
            said: Mapping[str, Any] = json.loads(content)["error"]
            message, kind = str(said["message"]), str(said["type"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return self._strange(f"its status is {status}")
        own = getattr(errors, kind, None)
        plain = isinstance(own, type) and issubclass(own, (DataError, ConfigError))
        if plain or status in (404, 413, 422):
            return cast("type[ForetideError]", own if plain else DataError)(message)
        return ServiceError(f"{self.url} refused the request: {message}")

    def _strange(self, why: str) -> ServiceError:
        return ServiceError(f"{self.url} did not answer as a service of foretide does: {why[:200]}.")


def _backend(table: Panel | Frame | None) -> str:
    if isinstance(table, Panel):
        return table.names.backend
    return "pandas" if table is None or isinstance(table, pd.DataFrame) else "polars"


def _columns(table: Panel | Frame) -> Json:
    """Return a table as columns of JSON's own types."""
    if isinstance(table, Panel):
        return _columns(table.to_frame())
    frame = table if isinstance(table, pd.DataFrame) else open_frame(table).to_pandas()
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    return {str(name): _cells(frame[name]) for name in frame.columns}


def _cells(column: pd.Series) -> list[object]:
    if isinstance(column.dtype, pd.PeriodDtype):
        return [None if cell is pd.NaT else str(cell) for cell in column]
    if column.dtype.kind == "M":
        texts = column.map(lambda time: None if pd.isna(time) else time.isoformat())
        return list(texts)
    if column.dtype.kind == "f":
        if np.isinf(column.to_numpy()).any():
            raise DataError(f"Column {column.name!r} holds an infinite number. Put a number, or leave the cell empty.")
        return [None if missing else cell for missing, cell in zip(column.isna(), column.tolist(), strict=True)]
    cells = column.astype(object).tolist()
    return [None if missing else _cell(cell) for missing, cell in zip(column.isna(), cells, strict=True)]


def _cell(cell: Any) -> object:
    if isinstance(cell, np.generic):
        return cell.item()
    return cell.isoformat() if hasattr(cell, "isoformat") else cell


def _frame(answer: Json, *, notes: bool) -> pd.DataFrame:
    """Return an answer as ``Forecast.pandas`` has it."""
    name, rows = answer["forecaster"], answer["forecasts"]
    sizes = [len(row["times"]) for row in rows]

    def cells(values: Iterable[list[Any]]) -> Any:
        return np.array([x for own in values for x in own], dtype=np.float64)

    columns: dict[str, object] = {
        answer["columns"]["id"]: np.repeat(np.array([row["id"] for row in rows], dtype=object), sizes),
        answer["columns"]["time"]: _times([time for row in rows for time in row["times"]], answer.get("zone")),
        "cutoff": _times([row["cutoff"] for row in rows for _ in row["times"]], answer.get("zone")),
        name: cells(row["mean"] for row in rows),
    }
    for level in rows[0]["intervals"] if rows else ():
        for column, end in zip(interval_columns(name, float(level)), ("lower", "upper"), strict=True):
            columns[column] = cells(row["intervals"][level][end] for row in rows)
    for quantile in rows[0]["quantiles"] if rows else ():
        columns[quantile_column(name, float(quantile))] = cells(row["quantiles"][quantile] for row in rows)
    if notes:
        columns["note"] = np.repeat(np.array([row.get("note", "") for row in rows], dtype=object), sizes)
    return pd.DataFrame(columns)


def _times(texts: list[Any], zone: str | None) -> Any:
    if texts and isinstance(texts[0], int):
        return np.array(texts, dtype=np.int64)
    times = pd.DatetimeIndex(pd.to_datetime(pd.Series(texts), format="ISO8601", utc=zone is not None)).as_unit("ns")
    return times if zone is None else times.tz_convert(zone)
