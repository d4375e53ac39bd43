"""Finds agency folders. Nothing lists them: a folder under connectors/ with an AGENCY is an agency."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import connectors
from connectors.contract import Agency, Feed


@cache
def agencies() -> dict[str, Agency]:
    """Every sub-folder of connectors/ that declares an AGENCY, by name."""
    found = {}
    for module in iter_modules(connectors.__path__):
        if module.ispkg:
            package = import_module(f"connectors.{module.name}")
            if isinstance(getattr(package, "AGENCY", None), Agency):
                if package.AGENCY.name != module.name:
                    raise ValueError(
                        f"connectors/{module.name} declares the agency {package.AGENCY.name!r}; an agency is named as its folder"
                    )
                found[package.AGENCY.name] = package.AGENCY
    return found


def feeds() -> dict[str, Feed]:
    """Every declared feed, by `agency.feed`."""
    return {feed.id: feed for agency in agencies().values() for feed in agency.feeds}
