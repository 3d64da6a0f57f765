"""The routes of a service, as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from foretide.errors import ForetideError
from foretide.serving import kserve
from foretide.serving.asked import as_refusal
from foretide.serving.examples import forecast_example, kserve_example
from foretide.serving.guard import NOTED, Guard, Tokens, own_fault
from foretide.serving.limits import RequestError
from foretide.serving.requests import JSON, body_of, checked_body, media_type, read_forecast
from foretide.serving.schema import About, Answer, Body, Failure, Models
from foretide.serving.tables import PARQUET

if TYPE_CHECKING:
    from foretide.serving.models import Served
    from foretide.serving.service import Service
    from foretide.typing import Json

    Answering = Callable[[Request, Exception], Response]

REFUSED = {status: {"model": Failure} for status in (400, 401, 404, 408, 409, 413, 415, 421, 422, 503)}
_SCHEMAS = "#/components/schemas/{model}"


def application(service: Service, tokens: Tokens | None = None, hosts: Iterable[str] | None = None) -> Guard:
    """Return a service as an ASGI application.

    Parameters
    ----------
    service : Service
    tokens : Tokens, optional
        Those that open it; None: everybody is served.
    hosts : iterable of str, optional
        Names that requests may call it by; any by default.

    Returns
    -------
    Guard
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="foretide", version=metadata.version("foretide"), docs_url=None, redoc_url=None, lifespan=lifespan,
        description="Forecasts of fitted models. Every error is `{\"error\": {\"message\": ..., \"type\": ...}}`.",
    )  # fmt: skip
    _answer_errors(app)
    _forecasts(app, service)
    _models(app, service)
    _health(app, service)
    _describe(app, service, secured=tokens is not None)
    return Guard(app, service.metrics, service.log, tokens, hosts)


def _answer_errors(app: FastAPI) -> None:
    """Answer every error in one form."""

    async def refuse(request: Request, error: Exception) -> Response:
        refusal = as_refusal(error) or own_fault(request.scope)
        headers = {} if refusal.after is None else {"Retry-After": str(refusal.after)}
        return JSONResponse(refusal.content(), refusal.status, headers)

    async def refuse_route(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said = {"error": {"message": f"{error.detail}. The routes stand in /openapi.json.", "type": "UnknownRoute"}}
        return JSONResponse(said, error.status_code, error.headers)

    async def apologise(request: Request, _: Exception) -> Response:
        return JSONResponse(own_fault(request.scope).content(), 500)

    async def refuse_parameters(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return JSONResponse(RequestError(str(error.errors()[0]["msg"]), 422).content(), 422)

    app.add_exception_handler(Exception, apologise)
    app.add_exception_handler(ForetideError, refuse)
    app.add_exception_handler(HTTPException, refuse_route)
    app.add_exception_handler(RequestValidationError, refuse_parameters)


def _forecasts(app: FastAPI, service: Service) -> None:
    limits, shelf = service.limits, service.shelf

    @app.post("/v1/forecast", response_model=Answer, responses=REFUSED, tags=["forecast"])  # type: ignore[arg-type]
    async def forecast(request: Request) -> Response:
        """Forecast what comes after the rows of a table.

        The table has the columns of the one that the model was fitted on. A Parquet table is the body by itself, with
        the settings in the query: `?model=sales&levels=80,95`.
        """
        kind = media_type(request.headers, JSON, PARQUET)
        body = await body_of(request.stream(), request.headers, limits)
        name, version, settings, columns = await read_forecast(body, kind, request.query_params, limits)
        served = shelf.find(name, version)
        return JSONResponse(await service.forecast(served, settings, columns, request.scope[NOTED]))

    @app.post(
        "/v1/timeseries/forecast", response_model=kserve.Response, responses=REFUSED,  # type: ignore[arg-type]
        tags=["KServe"],
    )  # fmt: skip
    async def timeseries(request: Request) -> Response:
        """Forecast by KServe's protocol for time series."""
        media_type(request.headers, JSON)
        body = await body_of(request.stream(), request.headers, limits)
        asked = await checked_body(kserve.Request, body)
        name, _, version = asked.model.partition("@")
        served = shelf.find(name, version or None)
        settings, columns = kserve.read_request(asked, served, limits)
        answer = await service.forecast(served, settings, columns, request.scope[NOTED])
        return JSONResponse(kserve.write_response(answer, asked, served))


def about(served: Served, *, latest: bool) -> Json:
    """Return what a person needs to know of a model to ask it.

    Parameters
    ----------
    served : Served
    latest : bool
        Whether it answers where no version is named.

    Returns
    -------
    dict
    """
    model, layout = served.model, served.layout
    return About(
        name=served.name, version=served.version, latest=latest, forecaster=model.name, h=model.h,
        freq=model.freq or "", targets=list(layout.targets), past=list(layout.past), future=list(layout.future),
        static=list(layout.static.names), id=layout.names.id, time=layout.names.time, series=len(layout.ids),
        until=str(model.fitted_until), rows=model.min_history, memory=model.memory,
    ).model_dump()  # fmt: skip


def _models(app: FastAPI, service: Service) -> None:
    shelf = service.shelf

    def every() -> Json:
        return {"models": [about(s, latest=shelf.latest(s.name) is s) for s in shelf.all()]}

    @app.get("/v1/models", response_model=Models, responses=REFUSED, tags=["models"])  # type: ignore[arg-type]
    async def models() -> Response:
        """List the models in memory, and what their tables look like."""
        return JSONResponse(every())

    @app.post("/v1/models/reload", response_model=Models, responses=REFUSED, tags=["models"])  # type: ignore[arg-type]
    async def reload() -> Response:
        """Read the folders of the models again, and serve what they hold now."""
        await service.reload()
        return JSONResponse(every())

    def described(served: Served) -> Response:
        versions = [s.version for s in shelf.all() if s.name == served.name]
        tensor = {"datatype": "FP64", "shape": [-1, -1]}
        found = {"name": served.name, "versions": versions, "platform": "foretide"}
        return JSONResponse(
            {**found, "inputs": [{"name": "history", **tensor}], "outputs": [{"name": "mean", **tensor}]}
        )

    @app.get("/v2/models/{name}", responses=REFUSED, tags=["Open Inference Protocol"])  # type: ignore[arg-type]
    async def model_metadata(name: str) -> Response:
        """Describe a model."""
        return described(shelf.find(name, None))

    @app.get("/v2/models/{name}/versions/{version}", responses=REFUSED, tags=["Open Inference Protocol"])  # type: ignore[arg-type]
    async def version_metadata(name: str, version: str) -> Response:
        """Describe a version of a model."""
        return described(shelf.find(name, version))

    @app.get("/v2/models/{name}/ready", responses=REFUSED, tags=["Open Inference Protocol"])  # type: ignore[arg-type]
    async def model_ready(name: str) -> Response:
        """Whether a model answers requests."""
        return JSONResponse({"name": shelf.find(name, None).name, "ready": True})

    @app.get("/v2/models/{name}/versions/{version}/ready", responses=REFUSED, tags=["Open Inference Protocol"])  # type: ignore[arg-type]
    async def version_ready(name: str, version: str) -> Response:
        """Whether a version of a model answers requests."""
        return JSONResponse({"name": shelf.find(name, version).name, "ready": True})


def _health(app: FastAPI, service: Service) -> None:
    def answer(name: str, *, fine: bool) -> Response:
        return JSONResponse({name: fine}, 200 if fine else 503)

    @app.get("/v2/health/live", tags=["health"])
    async def live() -> Response:
        """Whether the service runs."""
        return answer("live", fine=True)

    @app.get("/ready", tags=["health"])
    @app.get("/v2/health/ready", tags=["health"])
    async def ready() -> Response:
        """Whether the service takes requests."""
        return answer("ready", fine=service.ready)

    @app.get("/v2", tags=["Open Inference Protocol"])
    async def server_metadata() -> Response:
        """Name the server."""
        return JSONResponse({"name": "foretide", "version": metadata.version("foretide"), "extensions": []})

    @app.get("/metrics", tags=["health"])
    async def metrics() -> Response:
        """Metrics for Prometheus."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


def _describe(app: FastAPI, service: Service, *, secured: bool) -> None:
    """Put bodies and examples of the models in memory into the OpenAPI page."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        app.openapi_schema = None  # a reload may have brought other models
        page = plain()
        _, definitions = models_json_schema(
            [(Body, "validation"), (kserve.Request, "validation")], ref_template=_SCHEMAS
        )
        page["components"]["schemas"].update(definitions["$defs"])
        names = list(dict.fromkeys(served.name for served in service.shelf.all()))
        for kind in ("Body", "Request"):
            page["components"]["schemas"][kind]["properties"]["model"]["examples"] = names
        ours, theirs = {}, {}
        for served in service.shelf.all():
            title = f"{served.name}@{served.version}"
            ours[title] = {"value": {**forecast_example(served), "version": served.version}}
            if (example := kserve_example(served)) is not None:
                theirs[title] = {"value": {**example, "model": title}}
        bodies = {"/v1/forecast": ("Body", ours), "/v1/timeseries/forecast": ("Request", theirs)}
        for path, (name, examples) in bodies.items():
            content: dict[str, Any] = {JSON: {"schema": {"$ref": _SCHEMAS.format(model=name)}}}
            if examples:
                content[JSON]["examples"] = examples
            page["paths"][path]["post"]["requestBody"] = {"required": True, "content": content}
        binary = {"schema": {"type": "string", "format": "binary"}}
        page["paths"]["/v1/forecast"]["post"]["requestBody"]["content"][PARQUET] = binary
        if secured:
            page["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            page["security"] = [{"token": []}]
        return page

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to change the page
