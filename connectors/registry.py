"""Finds agency folders. Nothing lists them: a folder under connectors/ with an AGENCY is an agency."""

from __future__ import annotations

import traceback
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import connectors
from connectors.contract import Agency, ContractError, Feed, faults


@cache
def agencies() -> dict[str, Agency]:
    """Every sub-folder of connectors/ that declares an AGENCY, by name. Raises ContractError naming every fault of one."""
    found = {}
    for module in iter_modules(connectors.__path__):
        if module.ispkg:
            package = _imported(module.name)
            if isinstance(getattr(package, "AGENCY", None), Agency):
                wrong = faults(module.name, package.AGENCY)
                if wrong:
                    raise ContractError("\n".join(f"connectors/{module.name}: {fault}" for fault in wrong))
                found[package.AGENCY.name] = package.AGENCY
    return found


def title(agency: str) -> str:
    """What people call an agency: as its folder declares it; one that is only a mapping as its sources are named."""
    if (declared := agencies().get(agency)) is not None:
        return declared.title
    return agency[:1].upper() + agency[1:].replace("_", " ")


def without_agency(name: str) -> bool:
    """Whether there is a folder of this name that declares no agency: begun, and not found."""
    return name not in agencies() and any((Path(place) / name).is_dir() for place in connectors.__path__)


def feeds() -> dict[str, Feed]:
    """Every declared feed, by `agency.feed`."""
    return {feed.id: feed for agency in agencies().values() for feed in agency.feeds}


def _imported(name: str) -> ModuleType:
    """A folder's package; code that does not import is told with its place in that folder, not where Python noticed it."""
    try:
        return import_module(f"connectors.{name}")
    except ContractError:
        raise
    except Exception as error:
        places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError) and error.filename:
            places.append((error.filename, error.lineno))
        own = [(file, line) for file, line in places if f"connectors/{name}/" in Path(file).as_posix()]
        file, line = own[-1] if own else (f"connectors/{name}/__init__.py", 1)
        place = f"connectors/{name}/{Path(file).name}, line {line}"
        raise ContractError(
            f"{place}: {type(error).__name__}: {error}; mend it there, or take the folder out"
        ) from None
