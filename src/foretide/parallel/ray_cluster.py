"""The Ray that maps run on: one started here for as long as it is needed, or a cluster that is there already.

One that is started here listens on this machine alone, asks for a token that nobody else knows, and says nothing. A
cluster elsewhere is not connected to without a token, unless that was said to be wanted: whoever reaches a Ray without
one can run anything on it.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from foretide.errors import ConfigError, MissingExtraError, WorkerDiedError
from foretide.parallel.ray_address import (
    ADDRESS,
    AUTO,
    LOCAL,
    MODE,
    TOKEN,
    TOKEN_PATH,
    ask_to_join,
    asks_for_token,
    is_loopback,
    knock,
)

if TYPE_CHECKING:
    from types import ModuleType

AS_LOCAL = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # what makes Ray listen on the loopback address alone
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Set while a Ray is started here, for it and its workers."""
LONGEST_TEMP = 40
"""Characters of a temporary folder that leave room for the names of Ray's sockets below it."""


@dataclass(frozen=True)
class Cluster:
    """Which Ray is meant.

    Attributes
    ----------
    address : str or None
        ``host:port`` of a cluster, ``"auto"`` for one that runs on this machine, ``"local"`` for one that is started
        here; None: that of ``RAY_ADDRESS``, what this process is connected to already, or else one that is started.
    insecure : bool
        Whether a cluster on another machine may be used without token authentication.
    cpus : int
        Tasks side by side of one that is started here.
    """

    address: str | None
    insecure: bool
    cpus: int

    @property
    def named(self) -> str | None:
        """The address that was given, here or by the environment; None where Ray is started here."""
        found = self.address or os.environ.get(ADDRESS)
        return None if found == LOCAL else found

    def starts_here(self) -> bool:
        """Whether it is one that is started here.

        Returns
        -------
        bool
        """
        known = sys.modules.get("ray")
        theirs = known is not None and known.is_initialized() and not _HELD.users
        return self.named is None and not theirs

    def check(self) -> None:
        """Refuse an address that no token protects, before Ray is imported.

        Raises
        ------
        MissingExtraError
            Without Ray.
        ConfigError
        """
        if "ray" not in sys.modules and importlib.util.find_spec("ray") is None:
            raise MissingExtraError("ray", "ray", "The executor 'ray'")
        if self.named is None:
            return
        if "://" in self.named:
            raise ConfigError(
                f"The address of a Ray cluster is host:port, such as 10.0.0.5:6379; got {self.named!r}. Ray's client "
                "(ray://) is not supported: type `ray start --address=host:6379 --num-cpus=0`, which makes this "
                "machine one of the cluster, or send the command there with `ray job submit`."
            )
        if not is_loopback(self.named):
            self.refuse(self.named)

    def refuse(self, address: str) -> None:
        """Refuse a cluster on another machine without token authentication.

        Parameters
        ----------
        address : str

        Raises
        ------
        ConfigError
        """
        if self.insecure or asks_for_token():
            return
        late = "ray" in sys.modules and os.environ.get(MODE) == "token"
        typed = "before `import ray`, so start Python anew" if late else "before Python starts"
        raise ConfigError(
            f"The Ray cluster at {address} can be reached from other machines, and this process knows no token for "
            f"it; a cluster without one runs what anybody sends. Set {MODE}=token, and {TOKEN} or {TOKEN_PATH} as on "
            f"the cluster, {typed}. Where the network is closed to others, the option "
            "insecure says so: executor: {ray: {address: ..., insecure: true}}."
        )


@dataclass
class _Held:
    """What this process is connected to."""

    users: int = 0
    cluster: Cluster | None = None
    stack: ExitStack | None = None
    handler: Any = None
    """Of SIGTERM, before Ray set its own."""


_HELD = _Held()


@contextmanager
def held(cluster: Cluster) -> Iterator[ModuleType]:
    """Be connected to a cluster; the first block connects or starts one, the last one leaves or ends it.

    Parameters
    ----------
    cluster : Cluster

    Yields
    ------
    module
        ``ray``.

    Raises
    ------
    ConfigError
        Where it cannot be reached, is not protected, or another one is connected to.
    """
    now = _HELD.cluster
    if now is not None and cluster.address not in (None, now.address):
        used = f"the Ray at {now.address}" if now.address else "a Ray that it has started"
        raise ConfigError(f"This process uses {used}. End that before it uses the one at {cluster.address}.")
    if not _HELD.users:
        with ExitStack() as stack:
            stack.enter_context(_connected(cluster))
            _HELD.cluster, _HELD.stack = cluster, stack.pop_all()
    _HELD.users += 1
    try:
        yield sys.modules["ray"]
    finally:
        _HELD.users -= 1
        if not _HELD.users and _HELD.stack is not None:
            stack, _HELD.cluster, _HELD.stack = _HELD.stack, None, None
            stack.close()


@contextmanager
def _connected(cluster: Cluster) -> Iterator[None]:
    """Connect or start, unless this process is connected already."""
    cluster.check()
    known = sys.modules.get("ray")
    if known is not None and known.is_initialized():  # by whoever called: theirs to end
        _look(cluster)
        yield
        return
    address = cluster.named
    with _own_sigterm(), _started_here(cluster.cpus) if address is None else _joined(address), _silent():
        _look(cluster)
        yield


def _look(cluster: Cluster) -> None:
    """Refuse what turns out to be open to other machines."""
    import ray

    address = str(ray.get_runtime_context().gcs_address)
    if not is_loopback(address):
        cluster.refuse(address)


@contextmanager
def _started_here(cpus: int) -> Iterator[None]:
    """Start a Ray on this machine, which goes with its processes and files."""
    token = {} if {MODE, TOKEN, TOKEN_PATH} & os.environ.keys() else {MODE: "token", TOKEN: secrets.token_hex(32)}
    short = os.name != "posix" or len(tempfile.gettempdir()) <= LONGEST_TEMP
    folder = tempfile.mkdtemp(prefix="ft-ray-", dir=None if short else "/tmp")
    try:
        with _as_it_was({**AS_LOCAL, **token}):
            ray = _imported()
            if token and not asks_for_token():
                _read_mode_anew()
            with _few_processes():
                _init(ray, address=LOCAL, num_cpus=cpus, num_gpus=None, _temp_dir=folder, include_dashboard=False)
        try:
            yield
        finally:
            ray.shutdown()
            _forget_token()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _few_processes() -> Iterator[None]:
    """Let a Ray that is started listen here alone, without the processes for clusters that grow and for logs shown.

    Those two are a quarter of the CPU time of its start.
    """
    from ray._private import parameter, ray_constants

    cluster, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    params, known = parameter.RayParams, inspect.signature(parameter.RayParams).parameters
    fewer = {name: value for name, value in {"no_monitor": True, "include_log_monitor": False}.items() if name in known}
    parameter.RayParams = partial(params, **fewer)
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER, parameter.RayParams = cluster, params


def _read_mode_anew() -> None:
    """Let a Ray that was imported before see that it shall ask for a token."""
    settings = getattr(sys.modules["ray._raylet"], "Config", None)
    if settings is not None:
        settings.initialize("")
    _forget_token()
    if not asks_for_token():
        raise ConfigError(
            f"Ray was imported before, and can be made to ask for a token no more. Set {MODE}=token before `import "
            f"ray`; or set {MODE}=disabled, and everybody on this machine can run anything as you."
        )


@contextmanager
def _joined(address: str) -> Iterator[None]:
    """Connect to a cluster, and leave it as it is."""
    if address != AUTO:
        knock(address)
    ray = _imported()
    ask_to_join(ray, address)
    _init(ray, address=address)
    try:
        yield
    finally:
        ray.shutdown()


def _imported() -> ModuleType:
    import ray

    found: ModuleType = ray
    return found


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what Ray says of dead workers off the terminal: outcomes say it."""
    worker = sys.modules["ray._private.worker"]
    say = getattr(worker, "print_to_stdstream", None)
    if say is not None:
        worker.print_to_stdstream = lambda *_, **__: None  # type: ignore[attr-defined]
    try:
        yield
    finally:
        if say is not None:
            worker.print_to_stdstream = say  # type: ignore[attr-defined]


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Take SIGTERM back from Ray where somebody handled it; else Ray may end the process in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _HELD.handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if not callable(before) and getattr(signal.getsignal(signal.SIGTERM), "__module__", "").startswith("ray."):
            signal.signal(signal.SIGTERM, before)


def _init(ray: ModuleType, **options: object) -> None:
    """Connect, quietly."""
    try:
        ray.init(log_to_driver=False, configure_logging=False, logging_level="ERROR", **options)
    except (ConnectionError, ImportError, RuntimeError, ValueError, TimeoutError, ray.exceptions.RayError) as error:
        ray.shutdown()
        if options["address"] == LOCAL:
            raise WorkerDiedError(f"Ray could not be started on this machine: {error}") from error
        raise ConfigError(
            f"The Ray cluster at {options['address']} cannot be used: {' '.join(str(error).split())} Expected a "
            "cluster with the Ray and Python of this process and a node on this machine; see `ray status` there."
        ) from error
    handler, _HELD.handler = _HELD.handler, None
    if callable(handler):
        signal.signal(signal.SIGTERM, handler)


@contextmanager
def _as_it_was(variables: dict[str, str]) -> Iterator[None]:
    """Set variables of the environment, and give back what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _forget_token() -> None:
    """Let Ray read the token anew for the next cluster."""
    loader = getattr(sys.modules.get("ray._raylet"), "AuthenticationTokenLoader", None)
    if loader is not None:
        loader.instance().reset_cache()
