"""What requests and answers look like; the OpenAPI page is made of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

_CELL = {"type": ["number", "string", "boolean", "null"]}
_ROWS = {
    "oneOf": [
        {
            "type": "array", "minItems": 1, "title": "Records, one a row",
            "items": {"type": "object", "minProperties": 1, "additionalProperties": _CELL},
        },
        {
            "type": "object", "minProperties": 1, "title": "Columns, all of one length",
            "additionalProperties": {"type": "array", "minItems": 1, "items": _CELL},
        },
    ]
}  # fmt: skip
Rows = Annotated[Any, WithJsonSchema(_ROWS)]
"""A table; ``foretide.serving.tables`` checks it, for it may be long."""
Number = float | None
Time = str | int


class Body(BaseModel):
    """A request for a forecast."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[str | None, Field(max_length=200)] = Field(None, description="Needed where there are several.")
    version: Annotated[str | int | None, Field()] = Field(None, description="The latest by default.")
    history: Rows = Field(None, description="The table up to now, with the columns of the one that was fitted on.")
    future: Rows = Field(None, description="Rows after it, of id, time and the columns known ahead.")
    h: Annotated[int | None, Field(ge=1, le=1_000_000)] = Field(None, description="The first so many steps; all.")
    levels: list[float] = Field([80.0, 95.0], description="Interval levels in percent.")
    quantiles: list[float] = Field([], description="Further quantiles, as fractions.")
    samples: Annotated[int, Field(ge=0, le=100_000)] = Field(0, description="Joint paths to draw; at least 2, or none.")
    seed: Annotated[int, Field(ge=0, le=2**53)] = Field(0, description="Of the samples.")
    notes: bool = Field(True, description="Whether to say what there is to know of single forecasts.")
    attention: bool = Field(False, description="Whether to return the weights of attention, of a model that has them.")


class Interval(BaseModel):
    """Bounds of a central interval, step by step."""

    lower: list[Number]
    upper: list[Number]


class Series(BaseModel):
    """The forecast of one series."""

    id: str = Field(description="Name of the series; entity/target where a model has several targets.")
    target: str
    cutoff: Time = Field(description="Last observed time.")
    times: list[Time]
    mean: list[Number]
    intervals: dict[str, Interval] = Field(description="Level in percent -> bounds.")
    quantiles: dict[str, list[Number]] = Field(description="Quantile as a fraction -> values.")
    samples: list[list[Number]] | None = Field(None, description="Paths x steps.")
    note: str | None = None


class Weights(BaseModel):
    """Attention of one origin: heads x steps ahead x lags, the oldest first."""

    id: str
    cutoff: Time
    weights: list[list[list[Number]]]


class Answer(BaseModel):
    """A forecast."""

    id: str = Field(description="Of this answer; the log names it.")
    model: str
    version: str
    forecaster: str = Field(description="Its name in columns of frames.")
    zone: str | None = Field(None, description="Of the times, where they have one.")
    columns: dict[str, str] = Field(description="Names of the columns `id` and `time` in frames.")
    forecasts: list[Series]
    attention: list[Weights] | None = None
    warnings: list[str]


class Details(BaseModel):
    """What went wrong, and what to do."""

    message: str
    type: str


class Failure(BaseModel):
    """An error."""

    error: Details


class About(BaseModel):
    """A model that is served."""

    name: str
    version: str
    latest: bool
    forecaster: str
    h: int
    freq: str | int
    targets: list[str]
    past: list[str]
    future: list[str]
    static: list[str]
    id: str
    time: str
    series: int = Field(description="Learned from.")
    until: str = Field(description="Last time that was learned from.")
    rows: int = Field(description="Rows of history that a forecast needs at least.")
    memory: int | None = Field(description="Rows of history that it depends on at most.")


class Models(BaseModel):
    """All models that are served."""

    models: list[About]


def first_problem(errors: list[Any]) -> str:
    """Return the first problem that pydantic found, as a sentence.

    Parameters
    ----------
    errors : list of dict
        As of ``ValidationError.errors``.

    Returns
    -------
    str
    """
    found = errors[0]
    place = ".".join(str(part)[:50] for part in found["loc"][:6]) or "the body"
    return f"{place}: {found['msg'][:1].lower()}{found['msg'][1:200]}."
