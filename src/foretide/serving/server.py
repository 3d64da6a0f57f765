"""A service as a process: its address, its signals, and who may ask."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn

from foretide.errors import ConfigError, ServiceError
from foretide.serving.app import application
from foretide.serving.connections import bounded
from foretide.serving.guard import LOOPBACK, Tokens
from foretide.serving.limits import Limits
from foretide.serving.models import Shelf
from foretide.serving.service import Service
from foretide.serving.watching import Log

TOKEN = "FORETIDE_TOKEN"
"""Variable of the environment that holds a token."""
TURN = 0.0005
"""Seconds after which the thread that computes lets the one that reads and answers have its turn; 0.005 in Python."""
IDLE = 15
"""Seconds that a connection may be idle."""
HEAD = 10
"""Seconds that the head of a request may take, from the start of a connection."""


@dataclass(frozen=True)
class Address:
    """Where a service listens, and for whom.

    Attributes
    ----------
    host : str
    port : int
        0: any that is free.
    token_file : Path or None
    anyone : bool
        Whether to go without a token beyond this machine.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token_file: Path | None = None
    anyone: bool = False

    def tokens(self) -> Tokens | None:
        """Return the tokens that open the service, None where everybody is served.

        Returns
        -------
        Tokens or None

        Raises
        ------
        ConfigError
            Where others than this machine could ask and there is no token.
        """
        if self.token_file is not None:
            return Tokens.read(self.token_file)
        if os.environ.get(TOKEN):
            return Tokens([os.environ[TOKEN].strip()])
        if not self.anyone and not self.loopback:
            raise ConfigError(
                f"{self.host} can be reached from other machines, and there is no token. Type --token-file FILE, or "
                f"set {TOKEN}; --no-token serves anyone, behind a proxy that checks who asks."
            )
        return None

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def listen(self) -> socket.socket:
        """Return a socket that listens there.

        Returns
        -------
        socket

        Raises
        ------
        ServiceError
            Where the address is taken, or is none of this machine.
        """
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
            # asyncio sends at once (TCP_NODELAY) only where the protocol is named; each answer waits 40 ms otherwise.
            listening = socket.socket(family, kind, protocol)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
            listening.listen(512)
        except (OSError, OverflowError) as error:
            why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "no such address"
            raise ServiceError(
                f"Could not listen on {self.host}, port {self.port}: {why}. Type another one, such as --port 8081"
            ) from None
        return listening


class _Server(uvicorn.Server):
    """uvicorn, with signals of our own: SIGTERM and Ctrl-C end it well, SIGHUP reads the models again."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._tasks: set[asyncio.Task[object]] = set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        wanted = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: self._reload}
        for number, deed in wanted.items():
            loop.add_signal_handler(number, deed)
        try:
            yield
        finally:
            for number in wanted:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self._service.ready = False
        self._service.log.say("stopping")
        self.should_exit = True

    def _reload(self) -> None:
        async def reload() -> None:
            try:
                await self._service.reload()
            except Exception as error:  # the log has it; the service goes on
                self._service.log.say("reload refused", error=type(error).__name__)

        task = asyncio.get_running_loop().create_task(reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def serve(words: Sequence[str], address: Address, limits: Limits | None = None) -> None:
    """Serve models until SIGTERM or Ctrl-C: requests under way are answered first.

    Parameters
    ----------
    words : sequence of str
        The models, as of :func:`foretide.serving.models.places_of`.
    address : Address
    limits : Limits, optional

    Raises
    ------
    ConfigError, ArtifactError
        Before anything listens.
    """
    tokens, limits, log = address.tokens(), limits or Limits(), Log()
    service = Service(Shelf(words), limits, log)
    # Without a token only this machine asks, and no page in its browser may under a name of its own.
    hosts = LOOPBACK if tokens is None and not address.anyone else None
    app = application(service, tokens, hosts)
    config = uvicorn.Config(
        app, http=bounded(HEAD, IDLE, 3 * limits.seconds + IDLE),
        log_config=None, access_log=False, server_header=False, proxy_headers=False, lifespan="on", ws="none",
        timeout_keep_alive=IDLE, timeout_graceful_shutdown=int(limits.seconds) + 1,
        h11_max_incomplete_event_size=32_768,
    )  # fmt: skip
    listening = address.listen()
    sys.setswitchinterval(TURN)
    gc.collect()
    gc.freeze()  # libraries and models stay: a look through all of them stops every request
    host, port = listening.getsockname()[:2]
    models = [f"{served.name}@{served.version}" for served in service.shelf.all()]
    log.say("serving", host=host, port=port, models=models, token=tokens is not None)
    _Server(config, service).run(sockets=[listening])
    log.say("stopped")
