"""Tiny foreign models, made here: what the contract tests need of packages that may be absent."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from foretide.forecasters.base import Forecaster
from foretide.forecasters.gaussian import installed
from foretide.forecasters.table import forecaster_class

QUANTILES = [0.01, 0.025, *(round(0.1 * k, 1) for k in range(1, 10)), 0.975, 0.99]


def _folder(name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"tiny-{name}-"))


@cache
def tiny_fracast() -> str:
    """Weights of fracast's architecture, 64 steps of context, twelve ahead."""
    import torch
    from fracast._core.model import build_from_cfg
    from fracast.inference import _PACKAGE_WEIGHTS_DIR
    from safetensors.torch import save_file

    config = json.loads((_PACKAGE_WEIGHTS_DIR / "config.json").read_text())
    config["model"] |= {
        "d_model": 8, "W": 64, "level_widths": [64], "n_stages": 3, "horizon": 12, "future_queries": 3,
        "future_patch": 4, "head_d_ff": 8, "quantiles": QUANTILES,
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        core, head = build_from_cfg({key: config[key] for key in ("model", "pyramid")})
    with torch.no_grad():  # spread over the range of the series, and nearly so whatever it sees
        head.out_proj.weight.mul_(0.1)
        head.out_proj.bias.copy_(torch.tensor(QUANTILES))
    state = {f"core.{k}": v for k, v in core.state_dict().items()} | {
        f"head.{k}": v for k, v in head.state_dict().items()
    }
    folder = _folder("fracast")
    (folder / "config.json").write_text(json.dumps(config))
    save_file({k: v.contiguous().clone() for k, v in state.items()}, folder / "model.safetensors")
    return str(folder)


@cache
def tiny_chronos(kind: str) -> str:
    """A random network of the Chronos family: ``"bolt"``, ``"2"`` or ``"t5"``."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    sizes: dict[str, Any] = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    patches = {"input_patch_size": 8, "input_patch_stride": 8, "quantiles": QUANTILES, "use_reg_token": True}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "bolt":
            from chronos.chronos_bolt import ChronosBoltModelForForecasting

            config = T5Config(**sizes, vocab_size=2, num_decoder_layers=1, decoder_start_token_id=0)
            config.chronos_config = {"context_length": 64, "prediction_length": 8, **patches}
            config.chronos_pipeline_class = "ChronosBoltPipeline"
            config.architectures = ["ChronosBoltModelForForecasting"]
            model = ChronosBoltModelForForecasting(config)
        elif kind == "2":
            from chronos.chronos2 import Chronos2Model
            from chronos.chronos2.config import Chronos2CoreConfig

            own = {
                "context_length": 64,
                "output_patch_size": 8,
                "max_output_patches": 4,
                "use_arcsinh": True,
                **patches,
            }
            config = Chronos2CoreConfig(**sizes, chronos_config=own, chronos_pipeline_class="Chronos2Pipeline")
            config.architectures = ["Chronos2Model"]
            model = Chronos2Model(config)
        else:
            config = T5Config(**sizes, vocab_size=64, num_decoder_layers=1, decoder_start_token_id=0, eos_token_id=1)
            config.chronos_config = {
                "tokenizer_class": "MeanScaleUniformBins", "tokenizer_kwargs": {"low_limit": -5.0, "high_limit": 5.0},
                "context_length": 64, "prediction_length": 8, "n_tokens": 64, "n_special_tokens": 2, "pad_token_id": 0,
                "eos_token_id": 1, "use_eos_token": True, "model_type": "seq2seq", "num_samples": 10,
                "temperature": 1.0, "top_k": 50, "top_p": 1.0,
            }  # fmt: skip
            model = T5ForConditionalGeneration(config)
    folder = _folder(kind)
    if kind != "t5":
        _calm(model)
    model.save_pretrained(folder)
    return str(folder)


def _calm(model: Any) -> None:
    """Let a random network forecast about the normal quantiles around the level of the series, whatever it sees."""
    import torch
    from scipy.stats import norm

    head = model.output_patch_embedding
    bounds = torch.tensor(norm.ppf(QUANTILES), dtype=torch.float32)
    with torch.no_grad():
        for value in head.parameters():
            value.mul_(0.1)
        head.output_layer.bias.copy_(bounds.repeat_interleave(len(head.output_layer.bias) // len(bounds)))


ADAPTED: dict[str, tuple[str, str, Callable[[], dict[str, Any]]]] = {
    "Sklearn": ("sklearn", "Sklearn", lambda: {"model": "LinearRegression", "input_size": 14}),
    "Sklearn-direct": (
        "sklearn", "Sklearn", lambda: {"model": {"Ridge": {"alpha": 0.1}}, "input_size": 14, "strategy": "direct"},
    ),
    "Fracast": ("fracast", "Fracast", lambda: {"folder": tiny_fracast(), "input_size": 16}),
    "Chronos-bolt": ("chronos", "Chronos", lambda: {"folder": tiny_chronos("bolt"), "input_size": 16}),
    "Chronos-2": ("chronos", "Chronos", lambda: {"folder": tiny_chronos("2"), "input_size": 16}),
    "NeuralForecast": (
        "neuralforecast", "NeuralForecast",
        lambda: {**forecaster_class("NeuralForecast").quick, "quantiles": QUANTILES},
    ),
}  # fmt: skip
"""Name of a case -> package it needs, adapter, settings; made when first asked for."""


def adapted(case: str) -> Callable[[int], Forecaster]:
    """Return a function of the horizon that makes the forecaster of a case."""
    _, name, settings = ADAPTED[case]
    return lambda h: forecaster_class(name)(**{"h": h, **settings()})


PRESENT = {case: adapted(case) for case, (package, _, _) in ADAPTED.items() if installed(package)}
"""The cases whose package is there."""
