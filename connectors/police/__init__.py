"""Police: the force's record system, its notices to safeguarding partners, and Operation Encompass."""

from connectors.contract import Agency
from connectors.police import encompass, ppn

AGENCY = Agency("police", "Police", feeds=(ppn.FEED, encompass.FEED))
