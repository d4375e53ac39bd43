"""Schools: the termly census, files that follow a pupil to the next school, session marks, and safeguarding notes."""

from connectors.contract import Agency
from connectors.school import attendance, census, ctf, incidents

AGENCY = Agency("school", "Schools", feeds=(census.FEED, ctf.FEED, attendance.FEED, incidents.FEED))
