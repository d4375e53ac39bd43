"""Writes tessera.yaml and the mapping beside the extracts, so that a world can be run as it stands.

The night is chosen by the environment variable NIGHT.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from synthetic.places import AUTHORITY

CONFIG = """# A made-up world. Night after night: NIGHT=night1 tessera nightly --date {first}, then NIGHT=night2 ...
data_dir: data
allow_test_nhs_numbers: true
authority: "{authority}"
sources:
  social_care.ssd:      {{from: "${{NIGHT:-night1}}/social_care/ssd.sqlite"}}
  social_care.ssda903:  {{from: "${{NIGHT:-night1}}/social_care/ssda903/", collection_year: "{collection}"}}
  social_care.cin:      {{from: "${{NIGHT:-night1}}/social_care/cin/", collection_year: "{collection}"}}
  school.census:        {{from: "${{NIGHT:-night1}}/school/census/", term: autumn, year: {year}}}
  school.ctf:           {{from: "${{NIGHT:-night1}}/school/ctf/"}}
  school.attendance:    {{from: "${{NIGHT:-night1}}/school/attendance/"}}
  school.incidents:     {{from: "${{NIGHT:-night1}}/school/incidents/"}}
  health.fhir:          {{from: "${{NIGHT:-night1}}/health/fhir/"}}
  police.ppn:           {{from: "${{NIGHT:-night1}}/police/ppn/"}}
  police.encompass:     {{from: "${{NIGHT:-night1}}/police/encompass/"}}
  police.missing:       {{from: "${{NIGHT:-night1}}/police/missing/"}}
  youth_justice.cases:  {{from: "${{NIGHT:-night1}}/youth_justice/*.csv", mapping: "mappings/youth_justice.yaml"}}
"""

MAPPING = """# The youth justice service's case list: no code, only these words.
grain: one row per order of a young person
key: [case_id]
person:
  source_person_id: case_id
  given_names: forename
  family_name: surname
  birth_date: {column: dob, format: "%d/%m/%Y"}
  sex: {column: sex, map: {"1": M, "2": F}}
  nhs_number: nhs_no
  address: address
  postcode: postcode
  ethnicity: ethnicity
events:
  - event_type: order_made
    occurred_from: {column: order_date, format: "%Y-%m-%d"}
    title: order_type
    statement_kind: fact
  - event_type: note
    occurred_from: {column: order_date, format: "%Y-%m-%d"}
    title: order_type
    narrative: worker_note
    statement_kind: professional_opinion
"""


def write_config(out: Path, first_night: date) -> None:
    """tessera.yaml and mappings/youth_justice.yaml, paths relative to themselves."""
    year = first_night.year if first_night.month >= 4 else first_night.year - 1
    autumn = first_night.year if first_night.month >= 10 else first_night.year - 1
    text = CONFIG.format(
        first=first_night.isoformat(), authority=AUTHORITY, collection=f"{year}/{(year + 1) % 100:02d}", year=autumn
    )
    (out / "tessera.yaml").write_text(text, encoding="utf-8")
    (out / "mappings").mkdir(exist_ok=True)
    (out / "mappings" / "youth_justice.yaml").write_text(MAPPING, encoding="utf-8")
