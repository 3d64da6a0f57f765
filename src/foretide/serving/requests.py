"""Bodies of requests, read within their limits, to what is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from foretide.forecasters.levels import DEFAULT_LEVELS
from foretide.serving.asked import Settings
from foretide.serving.limits import Limits, RequestError, too_large
from foretide.serving.schema import Body, first_problem
from foretide.serving.tables import PARQUET, columns_of, read_json, read_parquet

if TYPE_CHECKING:
    from foretide.serving.tables import Columns

LONG = 100_000
"""Bytes from which on a body is read beside the loop that answers others."""
JSON = "application/json"


async def body_of(chunks: AsyncIterator[bytes], headers: Mapping[str, str], limits: Limits) -> bytes:
    """Return the body of a request, or refuse it as soon as it is too long or too slow.

    Parameters
    ----------
    chunks : async iterator of bytes
    headers : mapping
    limits : Limits

    Returns
    -------
    bytes

    Raises
    ------
    RequestError
    """
    advice = "Send the latest rows of each series only."
    told = headers.get("content-length", "")
    if told.isdigit() and len(told) < 20 and int(told) > limits.bytes:
        raise too_large("bytes", int(told), limits.bytes, advice)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError("The body is compressed. Send it as it is.", 415, "MediaType")
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for chunk in chunks:
                size += len(chunk)
                if size > limits.bytes:
                    raise too_large("bytes", size, limits.bytes, advice)
                parts.append(chunk)
    except TimeoutError:
        raise RequestError(f"The body did not arrive within {limits.seconds:g} seconds.", 408, "TooSlow") from None
    return b"".join(parts)


def media_type(headers: Mapping[str, str], *known: str) -> str:
    """Return the type of a body, one of those that are known.

    Parameters
    ----------
    headers : mapping
    *known : str

    Returns
    -------
    str

    Raises
    ------
    RequestError
    """
    found = headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in known:
        raise RequestError(f"Expected the header Content-Type: {' or '.join(known)}.", 415, "MediaType")
    return found


async def checked_body(kind: type[BaseModel], body: bytes) -> Any:
    """Return a JSON body as what it is to be.

    Parameters
    ----------
    kind : type of BaseModel
    body : bytes

    Returns
    -------
    BaseModel

    Raises
    ------
    RequestError
    """

    def read() -> BaseModel:
        content = read_json(body)
        try:
            return kind.model_validate(content)
        except ValidationError as error:
            raise RequestError(first_problem(error.errors(include_input=False, include_url=False))) from None

    return await beside(read, len(body))


async def beside(work: Any, size: int) -> Any:
    """Do some work at once where it is short, and in a thread where the loop would stand still for it."""
    return work() if size < LONG else await asyncio.to_thread(work)


async def read_forecast(
    body: bytes, kind: str, query: Mapping[str, str], limits: Limits
) -> tuple[str | None, str | None, Settings, Columns]:
    """Return the model, the version, the settings and the rows of a request for a forecast.

    Parameters
    ----------
    body : bytes
    kind : str
        ``application/json``, or Parquet, whose settings stand in the query.
    query : mapping
    limits : Limits

    Returns
    -------
    name, version : str or None
    settings : Settings
    columns : dict

    Raises
    ------
    RequestError
    """
    if kind == PARQUET:
        asked = _in_query(query)
        columns = await beside(lambda: read_parquet(body, limits), len(body))
    else:
        asked = await checked_body(Body, body)
        columns = await beside(lambda: columns_of(asked.history, asked.future, limits), len(body))
    settings = Settings(
        asked.h, _tuple(asked.levels), tuple(asked.quantiles), asked.samples, asked.seed, asked.notes, asked.attention
    )
    return asked.model, None if asked.version is None else str(asked.version), settings, columns


def _tuple(levels: list[float]) -> tuple[float, ...]:
    """Return levels; those by default as the constant that stands for them, of which some may be left out."""
    return DEFAULT_LEVELS if tuple(levels) == DEFAULT_LEVELS else tuple(levels)


def _in_query(query: Mapping[str, str]) -> Body:
    """Return the settings that stand in the query, as a body would hold them."""
    lists = {"levels", "quantiles"}
    given: dict[str, object] = {}
    for name, text in query.items():
        if name in lists:
            given[name] = [part for part in text.split(",") if part.strip()]
        else:
            given[name] = text
    try:
        return Body.model_validate(given, strict=False)
    except ValidationError as error:
        raise RequestError(first_problem(error.errors(include_input=False, include_url=False))) from None
