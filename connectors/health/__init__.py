"""Health: trusts, community and child health services, general practice, and the Personal Demographics Service."""

from connectors.contract import Agency
from connectors.health import fhir

AGENCY = Agency("health", "Health", feeds=(fhir.FEED,))
