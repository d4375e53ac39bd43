"""How a page is declared: its path, who may, and what the access log is told. A route that is not declared so stops the start.

What lives here: declarations and finding them. What must not: a page (areas/), and how a declaration is held to (gate.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal

from console import areas
from console.accounts import ROLES

if TYPE_CHECKING:
    from starlette.responses import Response

    from console.sessions import Due

Handler = Callable[..., "Response"]

# looks: reads a mart or the access log, and has noted the look before it shows anything.
# acts: writes to a journal of the decisions store, which says who.
# nothing: shows nothing of anybody; it cannot read a mart.
Audits = Literal["looks", "acts", "nothing"]

ANYBODY = ("anybody",)  # whoever reaches the console, signed in or not
SIGNED_IN = ROLES


class UndeclaredRouteError(Exception):
    """A route says not who may, or something else that nobody knows; the console does not start."""


@dataclass(frozen=True)
class Route:
    """One page or action. `once`: a form of it that is sent twice is refused the second time. `menu`: its entry, if it has one.
    `while_due`: what may still be due of whoever is signing in; a page that says nothing is theirs when nothing is.
    """

    path: str
    method: Literal["GET", "POST"]
    handler: Handler
    may: tuple[str, ...]
    audits: Audits
    once: bool = False
    menu: str = ""
    hint: str = ""
    while_due: tuple[Due, ...] = ()

    def __post_init__(self) -> None:
        where = f"{self.method} {self.path}"
        if not self.may or not (self.may == ANYBODY or set(self.may) <= set(ROLES)):
            raise UndeclaredRouteError(f"{where}: may={self.may}; allowed are ANYBODY or some of {', '.join(ROLES)}")
        if self.audits not in ("looks", "acts", "nothing"):
            raise UndeclaredRouteError(f"{where}: audits={self.audits!r}; allowed are looks, acts, nothing")
        if self.may == ANYBODY and self.audits == "looks":
            raise UndeclaredRouteError(f"{where}: a look is somebody's, so it is not for ANYBODY")


class Pages:
    """The pages of one area, as its module declares them."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def get(
        self,
        path: str,
        *,
        may: tuple[str, ...],
        audits: Audits,
        menu: str = "",
        hint: str = "",
        while_due: tuple[Due, ...] = (),
    ) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            route = Route(path, "GET", handler, may, audits, menu=menu, hint=hint, while_due=while_due)
            self.routes.append(route)
            return handler

        return declare

    def post(
        self, path: str, *, may: tuple[str, ...], audits: Audits, once: bool = True, while_due: tuple[Due, ...] = ()
    ) -> Callable[[Handler], Handler]:
        """An action. `once=False` where sending it again is harmless, as a search is."""

        def declare(handler: Handler) -> Handler:
            self.routes.append(Route(path, "POST", handler, may, audits, once=once, while_due=while_due))
            return handler

        return declare


def declared_routes() -> list[Route]:
    """Every route of every module of console/areas, in the order of the modules' ORDER, then their names."""
    modules: list[Any] = [import_module(f"console.areas.{found.name}") for found in iter_modules(areas.__path__)]
    modules.sort(key=lambda module: (module.ORDER, module.__name__))
    routes = [route for module in modules for route in module.PAGES.routes]
    seen: set[tuple[str, str]] = set()
    for route in routes:
        if (route.method, route.path) in seen:
            raise UndeclaredRouteError(f"{route.method} {route.path} is declared twice")
        seen.add((route.method, route.path))
    return routes
