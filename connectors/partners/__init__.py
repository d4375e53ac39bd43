"""Partners without a system of their own: nurseries, housing, charities, a neighbour's GP. They write in the console."""

from connectors.contract import Agency
from connectors.partners import observation

AGENCY = Agency("partners", "Partners without a system", feeds=(observation.FEED,))
