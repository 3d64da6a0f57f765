"""What a service takes and gives at most."""

from __future__ import annotations

from dataclasses import dataclass, fields

from foretide.errors import ConfigError, ForetideError


@dataclass(frozen=True)
class Limits:
    """Limits of a service, so that no request takes its memory or its time from the others.

    Attributes
    ----------
    bytes : int
        Of a request's body, and of a Parquet table once unpacked eight times as many.
    rows : int
        Of history and known future together.
    series : int
        In one request.
    columns : int
        Of a table.
    text : int
        Characters of a name or a cell.
    levels : int
        Interval levels and quantiles together.
    cells : int
        Numbers in an answer: series x targets x steps x (mean, bounds, quantiles, samples), and weights of attention.
    seconds : float
        From the first byte of a request to its answer.
    waiting : int
        Requests that wait for the model; one more is asked to come again.
    batch : int
        Requests forecast together.
    batch_rows : int
        Rows of requests forecast together; a longer request is forecast alone.
    """

    bytes: int = 8_000_000
    rows: int = 50_000
    series: int = 1_000
    columns: int = 200
    text: int = 200
    levels: int = 100
    cells: int = 500_000
    seconds: float = 30.0
    waiting: int = 256
    batch: int = 64
    batch_rows: int = 50_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ConfigError(f"A limit is above zero, got {field.name}={value!r}. The default is {field.default}.")


class RequestError(ForetideError):
    """A request that is answered with an error.

    Parameters
    ----------
    message : str
    status : int
        Of HTTP.
    kind : str
        Name of the error, such as that of one of foretide's classes.
    after : int, optional
        Seconds to wait before the next try.
    """

    def __init__(self, message: str, status: int = 422, kind: str = "RequestError", after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.after = status, kind, after

    def content(self) -> dict[str, object]:
        """Return the body of the answer.

        Returns
        -------
        dict
        """
        return {"error": {"message": str(self), "type": self.kind}}


def too_large(what: str, got: object, most: object, advice: str) -> RequestError:
    """Return the refusal of a request beyond a limit.

    Parameters
    ----------
    what : str
        What there is too much of.
    got, most : number
    advice : str
        What to do.

    Returns
    -------
    RequestError
    """
    return RequestError(f"{what}: {got} are more than the {most} that this service takes. {advice}", 413, "LimitError")
