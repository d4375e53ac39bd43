"""One role's published mart for notebooks and scripts: `Mart("analyst", purpose="…").ask("SELECT …")` gives a pandas frame.

As on the command line each question goes into the access log before it is answered, and reaches nothing but the mart. What must not live
here: what a question may reach (warehouse/query.py), pictures (notebooks/).
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pipelines.settings import SettingsError, load_settings, utc_now
from warehouse import query
from warehouse.access_log import AccessLog, account
from warehouse.keys import ROLES, load_keys
from warehouse.store import Store

if TYPE_CHECKING:
    import pandas as pd


class Mart:
    """The mart of `role` as it was published when this was made; it stays with that load until it is closed.

    `purpose`: what for, kept with each look. `who`: the account if not given. `as_of`: a day or a time (ISO), for what was known then.
    `config`: the deployment's tessera.yaml. Raises SettingsError, KeysError, WarehouseError or QueryError, none of which tells a value.
    """

    def __init__(
        self,
        role: str,
        *,
        purpose: str,
        who: str | None = None,
        as_of: str | None = None,
        config: str | Path = "tessera.yaml",
    ) -> None:
        if role not in ROLES:
            raise SettingsError(f"there is no role {role}; allowed are {', '.join(ROLES)}")
        settings = load_settings(Path(config), os.environ)
        keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)
        self._role, self._purpose, self._who, self._as_of = role, purpose, who or account(), as_of
        self._log = AccessLog(Store(settings.decisions_url), keys)
        self._con = query.open_mart(settings.marts_path, keys, role, as_of)

    def ask(self, sql: str, parameters: Any = None) -> pd.DataFrame:
        """The answer to one SELECT; `parameters` for its `?` or `$name`."""
        with query.look(
            self._con,
            self._role,
            query.worded(sql, self._as_of, parameters),
            export=False,
            log=self._log,
            who=self._who,
            purpose=self._purpose,
            clock=utc_now,
        ) as shown:
            return query.frame(self._con, sql, parameters, shown)

    def close(self) -> None:
        self._con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
