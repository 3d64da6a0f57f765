"""On which device a network computes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from foretide.errors import ConfigError

if TYPE_CHECKING:
    import torch


def pick_device(name: str) -> torch.device:
    """Return the device of a name that is there: for ``"auto"`` CUDA where there is one, else the CPU.

    Of several GPUs each process of torchrun gets one of its own.

    Parameters
    ----------
    name : str

    Returns
    -------
    torch.device

    Raises
    ------
    ConfigError
        For one that is not known, or not there.

    Examples
    --------
    >>> pick_device("cpu")
    device(type='cpu')
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and (own := os.environ.get("LOCAL_RANK")) is not None:  # told by torchrun
        name = f"cuda:{own}"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(f"device={name!r} is not known. Type 'auto', 'cpu' or 'cuda'.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device={name!r} is not there: PyTorch sees {torch.cuda.device_count()} of CUDA. Type 'auto'."
        )
    if device.type not in ("cpu", "cuda"):
        try:
            torch.empty(0, device=device)
        except (RuntimeError, NotImplementedError, AssertionError) as error:
            raise ConfigError(f"device={name!r} is not there. Type 'auto', 'cpu' or 'cuda'.") from error
    return device
