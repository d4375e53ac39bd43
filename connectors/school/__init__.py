"""Schools: the termly census, files that follow a pupil to the next school, and session marks."""

from connectors.contract import Agency
from connectors.school import attendance, census, ctf

AGENCY = Agency("school", "Schools", feeds=(census.FEED, ctf.FEED, attendance.FEED))
