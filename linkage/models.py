"""Versions of the model: kept as files, one of them current, and none ever changed.

What lives here: reading, keeping and choosing a version. What must not: fitting one (train.py), and a person's value: a model holds rates.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from linkage.model import DEFAULT_MODEL, Model

_CURRENT = "current"


class ModelError(Exception):
    """A version of the model cannot be had; says which there are."""


class Models:
    """The versions of one deployment. The one that is shipped is always there, and current until another is chosen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def versions(self) -> list[str]:
        """Oldest first, the shipped one before all."""
        kept = [path.stem for path in self._folder.glob("*.json")] if self._folder.exists() else []
        return [DEFAULT_MODEL.version, *sorted(kept, key=_place)]

    def current_version(self) -> str:
        try:
            return (self._folder / _CURRENT).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return DEFAULT_MODEL.version

    def current(self) -> Model:
        """The version that nights score with."""
        return self.read(self.current_version())

    def read(self, version: str) -> Model:
        if version == DEFAULT_MODEL.version:
            return DEFAULT_MODEL
        if version not in self.versions():
            raise ModelError(f"no model {version}; there are {', '.join(self.versions())}")
        return Model.read(self._folder / f"{version}.json")

    def keep(self, model: Model) -> Model:
        """Keeps a model under the next version; the file is whole or not there, and is never written again."""
        number = max((_place(version)[0] for version in self.versions()[1:]), default=0) + 1
        kept = replace(model, version=f"{DEFAULT_MODEL.version}.{number}")
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f".{kept.version}.unfinished"
        kept.save(unfinished)
        unfinished.replace(self._folder / f"{kept.version}.json")
        return kept

    def use(self, version: str) -> None:
        """Makes a version current, from the next night on; going back is the same."""
        self.read(version)
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f".{_CURRENT}.unfinished"
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(version + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._folder / _CURRENT)


def _place(version: str) -> tuple[int, str]:
    number = re.search(r"\.(\d+)$", version)
    return (int(number[1]) if number else 0, version)
