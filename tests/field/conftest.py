"""Third-party data, read in place beside the checkout; a machine without it skips these tests and says so.

Where TESSERA_FIELD_DATA says that it is there, as .ci/run does, nothing is skipped: data that is missing then fails.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FIELD = Path(os.environ.get("TESSERA_FIELD_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="session")
def field_data() -> Path:
    if not FIELD.exists():
        if "TESSERA_FIELD_DATA" in os.environ:
            pytest.fail(f"TESSERA_FIELD_DATA names {FIELD}, where nothing is")
        pytest.skip(f"no third-party data at {FIELD}; set TESSERA_FIELD_DATA to where it lies")
    return FIELD
