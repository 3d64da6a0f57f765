"""Whether a Ray cluster answers at an address and takes this process in.

Ray itself asks twenty times: for 20 seconds where a token is refused, for a quarter of an hour where nobody answers.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from foretide.errors import ConfigError
from foretide.text import is_whole

if TYPE_CHECKING:
    from types import ModuleType

MODE, TOKEN, TOKEN_PATH, ADDRESS = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"
LOCAL, AUTO = "local", "auto"
PATIENCE = 10.0
"""Seconds that a cluster may take to answer."""
EMPTY_SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + EMPTY_SETTINGS
"""What a client of HTTP/2 says first (RFC 9113, 3.4); the server begins with settings too."""


def is_loopback(address: str) -> bool:
    """Whether an address is one of this machine that others cannot reach.

    Parameters
    ----------
    address : str
        ``host`` or ``host:port``; ``"local"`` and ``"auto"`` are looked at once connected.

    Returns
    -------
    bool

    Examples
    --------
    >>> [is_loopback(a) for a in ("127.0.0.1:6379", "[::1]:6379", "localhost", "10.0.0.5:6379")]
    [True, True, True, False]
    """
    host = address.strip()
    if host in (LOCAL, AUTO, "localhost") or host.startswith("localhost:"):
        return True
    host = host[1 : host.index("]")] if host.startswith("[") and "]" in host else host
    host = host.rsplit(":", 1)[0] if host.count(":") == 1 else host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def asks_for_token() -> bool:
    """Whether this process takes part in a cluster with a token only, which is settled when Ray is imported.

    Returns
    -------
    bool
    """
    if "ray" not in sys.modules:
        return os.environ.get(MODE, "").lower() == "token"
    from ray._private.authentication.authentication_utils import is_token_auth_enabled

    return bool(is_token_auth_enabled())


def knock(address: str) -> None:
    """Refuse an address where nobody answers as a Ray cluster does, before Ray is imported.

    Parameters
    ----------
    address : str
        ``host:port``.

    Raises
    ------
    ConfigError
    """
    host, _, port = address.rpartition(":")
    if not host or not is_whole(port):
        raise ConfigError(f"The address of a Ray cluster is host:port, such as 10.0.0.5:6379; got {address!r}.")
    typed = "Type the address that `ray start --head` said, and see whether its port is open to this machine."
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE) as line:
            understood = os.environ.get("RAY_USE_TLS", "0") not in ("", "0") or _speaks_http2(line)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"No Ray cluster answers at {address}: {error}. {typed}") from error
    if not understood:
        raise ConfigError(f"What listens at {address} does not answer as a Ray cluster does. {typed}")


def _speaks_http2(line: socket.socket) -> bool:
    """Whether the other end begins with the settings of HTTP/2, as all of Ray does."""
    line.sendall(HELLO)
    heard, end = b"", time.monotonic() + PATIENCE
    while len(heard) < len(EMPTY_SETTINGS) and time.monotonic() < end:
        try:
            more = line.recv(len(EMPTY_SETTINGS) - len(heard))
        except TimeoutError:
            break
        if not more:
            break
        heard += more
    return len(heard) == len(EMPTY_SETTINGS) and heard[3] == EMPTY_SETTINGS[3]


def ask_to_join(ray: ModuleType, address: str) -> None:
    """Refuse a cluster that does not take this process in: not its token, or no node of it on this machine.

    Parameters
    ----------
    ray : module
    address : str
        ``host:port`` or ``"auto"``.

    Raises
    ------
    ConfigError
    """
    from ray._private import services
    from ray._private.authentication import authentication_token_setup as tokens

    found = services.canonicalize_bootstrap_address(address)
    if found is None:
        return  # of "auto", where no cluster runs: Ray says so at once
    if found != address:
        knock(found)  # Ray takes the address of the network for the loopback one
    if address == AUTO and hasattr(tokens, "maybe_enable_token_auth_if_token_available"):
        tokens.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    try:
        tokens.ensure_token_if_auth_enabled(create_token_if_missing=False)  # without one the client ends the process
        nodes = _raylet().GcsClient(address=found).get_all_node_info(timeout=PATIENCE)
    except (ray.exceptions.RayError, RuntimeError) as error:
        if isinstance(error, ray.exceptions.AuthenticationError):
            raise ConfigError(_about_token(found)) from error
        raise ConfigError(f"The Ray cluster at {found} does not answer: {error} See `ray status` there.") from error
    alive = {one.hex() for one, info in nodes.items() if info.state == 0}
    find_here = getattr(services, "find_node_ids", None)  # not in all versions
    if find_here is not None and alive.isdisjoint(find_here()):
        raise ConfigError(
            f"No node of the Ray cluster at {found} runs on this machine, so nothing can be sent from here. Type `ray "
            f"start --address={found}` here first, with --num-cpus=0 where it shall do no work; or call from a machine "
            "of the cluster."
        )


def _raylet() -> Any:
    """Return the compiled part of Ray, which has no types."""
    return sys.modules["ray._raylet"]


def _about_token(address: str) -> str:
    where = f"The Ray cluster at {address} wants its token, and this process has"
    if not asks_for_token() or not _raylet().AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True):
        return (
            f"{where} none. Type `export {MODE}=token {TOKEN}=...` with the token of the cluster (`ray "
            f"get-auth-token` on its head), or {TOKEN_PATH}=file, before Python starts."
        )
    return (
        f"{where} another one. Compare {TOKEN}, {TOKEN_PATH} or ~/.ray/auth_token here with those of the cluster's "
        "head (`ray get-auth-token`), set them alike, and start Python anew."
    )
