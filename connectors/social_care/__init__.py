"""Children's social care of one council."""

from __future__ import annotations

from connectors.contract import Agency
from connectors.social_care import cin, ssd, ssda903

AGENCY = Agency(
    "social_care",
    "Children's social care",
    feeds=(ssd.FEED, ssda903.FEED, cin.FEED),
)
