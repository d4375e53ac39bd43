"""The console as an ASGI application: the declared routes behind their gate, what every answer carries, and nothing else.

What must not live here: a page (areas/).
"""

from __future__ import annotations

import hashlib
import logging
import mimetypes
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from console import words
from console.deployment import Deployment
from console.gate import guard, place, refusal
from console.routes import Route, UndeclaredRouteError, declared_routes
from console.tables import labelled
from console.visit import Refused

log = logging.getLogger("tessera.console")

_HERE = Path(__file__).parent
_STATIC = "/static/{name}"

# Nothing from elsewhere, no inline script or style, no frame around it. Scripts of our own may
# make a task quicker; none needs one.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Referrer-Policy is not no-referrer: a browser would then send our own forms with the origin "null".
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-robots-tag": "noindex",
}

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Asgi = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


def make_app(deployment: Deployment) -> FastAPI:
    """The application. Raises UndeclaredRouteError if a route is not declared, StoreError if the decisions store does not open."""
    deployment.prepare()
    routes = declared_routes()
    templates = _templates(deployment, routes)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        yield
        deployment.marts.close()

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan)
    for route in routes:
        endpoint = guard(route, deployment, templates)
        endpoint.declared = route  # type: ignore[attr-defined]
        app.add_api_route(route.path, endpoint, methods=[route.method], response_model=None)
    app.add_api_route(_STATIC, _static, methods=["GET"], response_model=None)
    check_declared(app)

    async def http_error(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        said = {
            404: ("There is no such page", "Check the address, or begin from the start page."),
            405: ("That page does not take what was sent", "Nothing was changed."),
        }
        title, hint = said.get(status, ("That request is not understood", "Nothing was changed."))
        return refusal(Refused(status, title, hint), request, None, deployment, templates)

    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("an unexpected fault: %s", place(error))
        return refusal(
            Refused(500, "Something went wrong on our side", "Try again."), request, None, deployment, templates
        )

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, unexpected)
    app.add_middleware(_Surroundings, deployment=deployment)
    return app


def check_declared(app: FastAPI) -> None:
    """Fails closed: whatever answers is a declared route behind the gate, or a file of static/."""
    for route in app.routes:
        endpoint = getattr(route, "endpoint", None)
        if getattr(endpoint, "declared", None) is None and endpoint is not _static:
            raise UndeclaredRouteError(
                f"{getattr(route, 'path', route)} is no declared route; declare it in console/areas with who may and what it audits"
            )


def _templates(deployment: Deployment, routes: list[Route]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(words.filters(deployment.local), labelled=labelled)
    menu = [route for route in routes if route.menu]
    environment.globals.update(
        menu_for=lambda account: [route for route in menu if account.has(route.may)], static=lambda name: _address(name)
    )
    return environment


# Files


@cache
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((_HERE / "static").iterdir()) if path.is_file()}


def _address(name: str) -> str:
    return f"/static/{name}?{hashlib.sha256(_files()[name]).hexdigest()[:12]}"


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _files():
        raise HTTPException(404)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(_files()[name], media_type=kind, headers={"cache-control": "public, max-age=31536000, immutable"})


# What every answer carries


class _Surroundings:
    """The host it must be asked for, the headers of each answer, and a line in the log: the declared path, never what was asked."""

    def __init__(self, app: Asgi, deployment: Deployment) -> None:
        self._app, self._deployment = app, deployment

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [(name.lower(), value) for name, value in message["headers"]]
                sent = {name for name, _ in headers}
                headers += [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                if b"cache-control" not in sent:
                    headers.append((b"cache-control", b"no-store"))
                if self._deployment.is_https:
                    headers.append((b"strict-transport-security", b"max-age=63072000; includeSubDomains"))
                message = {**message, "headers": headers}
            await send(message)

        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if hosts != [self._deployment.host]:
            answer = Response(f"The console is at {self._deployment.address}\n", 421, media_type="text/plain")
            await answer(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)
        path = getattr(scope.get("route"), "path", "no such page")
        log.info("%s %s %s %.0f ms", scope["method"], path, status, (time.perf_counter() - began) * 1000)
