"""A graph as an ONNX file that says of itself what it reads and returns."""

from __future__ import annotations

import json
import logging
import warnings
from typing import TYPE_CHECKING, Protocol

import torch

from foretide import __version__
from foretide.data.files import write_whole
from foretide.errors import ForetideError
from foretide.forecasters.onnx.about import KEY, about_model, check_free

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import GraphProto
    from torch import Tensor

    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.onnx.port import Port
    from foretide.typing import Json

FURTHER = {"mean": "point forecast", "closed": "whether a step is known to be closed; mean and quantiles are 0 then"}


class Graph(Protocol):
    """What is written: a module, its inputs, and what it knows of itself."""

    ports: tuple[Port, ...]

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Forecast a batch."""

    def describe(self, example: dict[str, Tensor]) -> tuple[list[Json], dict[str, str]]:
        """Return the families of the distribution, and what every further output means."""

    def facts(self) -> Json:
        """Sizes that a runner needs, as JSON."""


def example_of(ports: tuple[Port, ...], batch: int = 2) -> dict[str, Tensor]:
    """Return inputs of the right sizes."""
    types = {"float64": torch.float64, "float32": torch.float32, "int64": torch.int64}
    return {port.name: torch.zeros(batch, *port.size, dtype=types[port.dtype]) for port in ports}


def write_graph(graph: Graph, model: Forecaster, path: Path) -> Path:
    """Write a graph with its facts to a file, which appears whole or not at all.

    Parameters
    ----------
    graph : Graph
    model : Forecaster
    path : Path
        New, or an ONNX file that was written by this function before, which is replaced.

    Returns
    -------
    Path
    """
    import onnx

    check_free(path)
    example = example_of(graph.ports)
    with torch.no_grad():
        outputs, (families, meanings) = list(graph(**example)), graph.describe(example)
    batch = torch.export.Dim("batch", min=1)
    with _quiet(), torch.no_grad():
        assert isinstance(graph, torch.nn.Module)
        program = torch.onnx.export(
            graph, (), kwargs=example, dynamo=True, verbose=False,
            dynamic_shapes={port.name: {0: batch} for port in graph.ports},
        )  # fmt: skip
    assert program is not None
    proto = program.model_proto
    _check_batch(proto.graph)
    _rename(proto.graph, outputs)
    meaning = {**FURTHER, **meanings}
    facts = {
        **about_model(model), **graph.facts(), "inputs": {port.name: port.facts() for port in graph.ports},
        "outputs": {name: meaning[name] for name in outputs}, "distribution": families,
    }  # fmt: skip
    onnx.helper.set_model_props(proto, {KEY: json.dumps(facts, default=str)})
    proto.producer_name, proto.producer_version = KEY, __version__
    for value in proto.graph.output:
        value.doc_string = meaning[value.name]
    for value, port in zip(proto.graph.input, graph.ports, strict=True):
        value.doc_string = port.meaning
    onnx.checker.check_model(proto)
    return write_whole(path, lambda part: part.write_bytes(proto.SerializeToString()))


def _check_batch(graph: GraphProto) -> None:
    """Refuse a graph for as many windows as the example had: the exporter says nothing where one line freezes them."""
    values = (*graph.input, *graph.output)
    frozen = [value.name for value in values if not value.type.tensor_type.shape.dim[0].dim_param]
    if frozen:
        raise ForetideError(
            f"PyTorch {torch.__version__} wrote {', '.join(frozen)} for a fixed number of windows, so nothing was "
            "saved. Try another version of PyTorch, and report this."
        )


def _rename(graph: GraphProto, outputs: list[str]) -> None:
    """Give the outputs their names; what lies inside is numbered, so that nothing there has one of them."""
    import onnx

    kept = {value.name for value in graph.input}
    inside = [*(value.name for value in graph.initializer), *(name for node in graph.node for name in node.output)]
    numbered = {name: name if name in kept or not name else f"v{k}" for k, name in enumerate(dict.fromkeys(inside))}
    for value in graph.initializer:
        value.name = numbered[value.name]
    for node in graph.node:
        node.input[:] = [numbered.get(name, name) for name in node.input]
        node.output[:] = [numbered[name] for name in node.output]
    del graph.value_info[:]
    for value, name in zip(graph.output, outputs, strict=True):
        graph.node.append(onnx.helper.make_node("Identity", [numbered.get(value.name, value.name)], [name]))
        value.name = name


class _quiet:  # noqa: N801  # reads as a word
    """Without the exporter's remarks on itself, which no user can act on."""

    def __enter__(self) -> None:
        self.caught = warnings.catch_warnings()
        self.caught.__enter__()
        warnings.simplefilter("ignore")
        self.former = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *error: object) -> None:
        logging.disable(self.former)
        self.caught.__exit__(None, None, None)
