"""``foretide serve``: forecasts of fitted models over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Limits"
_COUNT = {"rich_help_panel": PANEL}


def serve(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="FOLDER, NAME=FOLDER or NAME@VERSION=FOLDER: of a saved model, of a run, or of folders of models by "
            "name and version.",
        ),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for other machines too.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 for any that is free; the first line says which.")
    ] = 8080,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File of tokens that open it, one a line; or FORETIDE_TOKEN.")
    ] = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="Serve anyone who reaches the address.")] = False,
    max_bytes: Annotated[int, typer.Option(min=1, help="Of a request.", **_COUNT)] = 8_000_000,
    max_rows: Annotated[int, typer.Option(min=1, help="Of a table.", **_COUNT)] = 50_000,
    max_series: Annotated[int, typer.Option(min=1, help="Of a table.", **_COUNT)] = 1_000,
    max_seconds: Annotated[float, typer.Option(min=0.1, help="For an answer.", **_COUNT)] = 30.0,
    max_waiting: Annotated[int, typer.Option(min=1, help="Requests in the line.", **_COUNT)] = 256,
) -> None:
    """Serve forecasts over HTTP, with an OpenAPI page at /openapi.json; SIGHUP reads the models again."""
    from foretide.errors import MissingExtraError
    from foretide.forecasters.gaussian import installed

    for package in ("fastapi", "uvicorn", "prometheus_client"):
        if not installed(package):
            raise MissingExtraError(package.replace("_", "-"), "serve", "foretide serve")
    from foretide.serving.limits import Limits
    from foretide.serving.server import Address
    from foretide.serving.server import serve as start

    limits = Limits(
        bytes=max_bytes, rows=max_rows, series=max_series, seconds=max_seconds, waiting=max_waiting, batch_rows=max_rows
    )
    start(models, Address(host, port, token_file, no_token), limits)
