"""What stands before all routes: tokens, names of the host, and one line in the log for each request."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from foretide.data.files import read_text
from foretide.errors import ConfigError
from foretide.serving.limits import RequestError

if TYPE_CHECKING:
    from foretide.serving.watching import Log, Metrics

Message: TypeAlias = "MutableMapping[str, Any]"
Scope: TypeAlias = "MutableMapping[str, Any]"
Receive: TypeAlias = "Callable[[], Awaitable[Message]]"
Send: TypeAlias = "Callable[[Message], Awaitable[None]]"
App: TypeAlias = "Callable[[Scope, Receive, Send], Awaitable[None]]"

OPEN = frozenset({"/v2/health/live", "/v2/health/ready", "/ready"})
"""Routes that need no token: those of a scheduler that asks whether the service lives."""
SHORTEST = 16
"""Characters of a token at least."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
NOTED = "foretide"
"""Where routes leave facts for the log, in the scope of a request."""


class Tokens:
    """Tokens that open a service.

    Parameters
    ----------
    tokens : iterable of str
        Any of them does, so that one can follow another.

    Raises
    ------
    ConfigError
        For none, and for one that is short or has other than visible ASCII characters.

    Examples
    --------
    >>> from foretide.serving.guard import Tokens
    >>> Tokens(["a-long-enough-token"]).opens("Bearer a-long-enough-token")
    True
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        given = list(tokens)
        fine = [len(t) >= SHORTEST and t.isascii() and t.isprintable() and " " not in t for t in given]
        if not given or not all(fine):
            raise ConfigError(
                f"A token has at least {SHORTEST} visible ASCII characters. Make one: "
                'python -c "import secrets; print(secrets.token_urlsafe(32))"'
            )
        self._digests = [hashlib.sha256(token.encode()).digest() for token in given]

    @classmethod
    def read(cls, path: Path) -> Tokens:
        """Read a file of one token a line.

        Parameters
        ----------
        path : Path

        Returns
        -------
        Tokens
        """
        return cls(line.strip() for line in read_text(path).splitlines() if line.strip())

    def opens(self, header: str) -> bool:
        """Whether the header ``Authorization`` of a request holds one of the tokens; takes as long for any.

        Parameters
        ----------
        header : str

        Returns
        -------
        bool
        """
        kind, _, token = header.partition(" ")
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogatepass")).digest()
        found = [hmac.compare_digest(digest, own) for own in self._digests]
        return kind.lower() == "bearer" and any(found)


class Guard:
    """ASGI middleware.

    Parameters
    ----------
    app : ASGI application
    metrics : Metrics
    log : Log
    tokens : Tokens, optional
        None: everybody is served.
    hosts : iterable of str, optional
        Names that requests may call the service by. A page in a browser may call a service on its own machine by a name
        that it controls; without a token only these are answered. None: any.
    """

    def __init__(
        self, app: App, metrics: Metrics, log: Log, tokens: Tokens | None = None, hosts: Iterable[str] | None = None
    ) -> None:
        self.app, self._metrics, self._log, self._tokens = app, metrics, log, tokens
        self._hosts = None if hosts is None else frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        scope[NOTED] = {"request": uuid.uuid4().hex}

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is None:
                await self.app(scope, receive, noting)
            else:
                await _refuse(refusal, noting)
        except Exception as error:
            scope[NOTED]["error"] = type(error).__name__
            scope[NOTED]["at"] = _place_of(error)
            if not status:
                await _refuse(own_fault(scope), noting)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> RequestError | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if self._hosts is not None and _host(headers.get(b"host", "")) not in self._hosts:
            text = f"This service answers to {', '.join(sorted(self._hosts))} only. Start it with a token for others."
            return RequestError(text, 421, "UnknownHost")
        if self._tokens is None or scope["path"] in OPEN:
            return None
        if self._tokens.opens(headers.get(b"authorization", "")):
            return None
        return RequestError(
            "Expected the header Authorization: Bearer TOKEN, with a token of this service.", 401, "Token"
        )

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or ("-" if status != 401 else "refused")
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        self._log.say(
            "request",
            method=scope["method"][:10],
            route=route,
            status=status,
            ms=round(1000 * seconds, 2),
            **scope[NOTED],
        )


def own_fault(scope: Scope) -> RequestError:
    """Return what is answered where the service itself went wrong: no word of how.

    Parameters
    ----------
    scope : dict
        Of the request.

    Returns
    -------
    RequestError
    """
    text = f"Something went wrong that is not your fault; the log has request {scope[NOTED]['request']}."
    return RequestError(text, 500, "InternalError")


def _host(header: str) -> str:
    """Return the name of a host without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _place_of(error: Exception) -> str:
    """Return the innermost file and line of an error; its text may hold data, and stays out of the log."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


async def _refuse(refusal: RequestError, send: Send) -> None:
    body = json.dumps(refusal.content()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
