"""Police: the force's record system, its notices to safeguarding partners, Operation Encompass, and missing people."""

from connectors.contract import Agency
from connectors.police import encompass, missing, ppn

AGENCY = Agency("police", "Police", feeds=(ppn.FEED, encompass.FEED, missing.FEED))
