"""The start page: what the signed-in role can do here."""

from __future__ import annotations

from starlette.responses import Response

from console.routes import SIGNED_IN, Pages
from console.visit import Visit

ORDER = 0
PAGES = Pages()


@PAGES.get("/", may=SIGNED_IN, audits="nothing")
def start(visit: Visit) -> Response:
    return visit.page("start/start.html")
