"""The tables of the warehouse, each column declared once: name, type, meaning, sensitivity.

What lives here: declarations only. From them come the DDL, the data dictionary, the role marts' column policy and
the checks that a feed's conform() produces what the common model can hold. What must not: SQL that reads or writes rows.

Every common-model row carries LINEAGE, so that it can be walked back to the file and row it came from and asked
"what did we know on 3 March?" (four clocks: valid_from/valid_to, recorded_at, extracted_at, loaded_at/superseded_at).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

# The published words for what happened: event_type, usual_agency, polarity (concern, protective or neutral), meaning.
TAXONOMY_PATH = Path(__file__).with_name("taxonomy.csv")
# In the content of a row that is held back: which record of its document it is part of, where that does not say who it is.
PLACE_OF_RECORD = "@record"


class Sensitivity(StrEnum):
    """How much a column says about a person; marts and logs are decided from it."""

    OPERATIONAL = "operational"  # counts, states, clocks: nothing about a person
    KEY = "key"  # points at a person without describing them: record, person and event identifiers
    IDENTIFYING = "identifying"  # tells who somebody is: names, dates of birth, addresses, numbers
    SPECIAL = "special"  # about somebody's life: health, ethnicity, allegations, narrative
    CODED = "coded"  # category or date without identity: kinds, dates of events, coarse values


@dataclass(frozen=True)
class Field:
    """One column of a warehouse table; `type` is a DuckDB type."""

    name: str
    type: str
    meaning: str
    sensitivity: Sensitivity = Sensitivity.OPERATIONAL


@dataclass(frozen=True)
class Relation:
    """One warehouse table; `grain` says in words what one row is."""

    name: str
    grain: str
    fields: tuple[Field, ...]

    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    def ddl(self) -> str:
        columns = ", ".join(f'"{field.name}" {field.type}' for field in self.fields)
        return f'CREATE TABLE IF NOT EXISTS "{self.name}" ({columns})'


_O, _K, _I, _S, _C = (
    Sensitivity.OPERATIONAL,
    Sensitivity.KEY,
    Sensitivity.IDENTIFYING,
    Sensitivity.SPECIAL,
    Sensitivity.CODED,
)

LINEAGE = (
    Field("agency", "VARCHAR", "Agency that said it: police, health, school, social_care or a mapped agency", _O),
    Field("feed", "VARCHAR", "Kind of extract within the agency, such as ppn", _O),
    Field("source_key", "VARCHAR", "Unit within the feed that is replaced as a whole when it is sent again", _K),
    Field("load_id", "VARCHAR", "Night on which this version was loaded", _O),
    Field("valid_from", "DATE", "From when it was true, where the source says", _C),
    Field("valid_to", "DATE", "Until when it was true, where the source says", _C),
    Field("recorded_at", "TIMESTAMP", "When the agency wrote it down (UTC), where the source says", _O),
    Field("extracted_at", "TIMESTAMP", "When it left the agency's system (UTC)", _O),
    Field("loaded_at", "TIMESTAMP", "When Tessera learned it (UTC)", _O),
    Field("superseded_at", "TIMESTAMP", "When a later version replaced this one (UTC); empty for the current one", _O),
    Field("raw_row_id", "VARCHAR", "The raw row it came from: table:load:file:row", _K),
)

RETRACTION = (
    Field("retracted_at", "TIMESTAMP", "When the agency withdrew it (UTC); the row itself stays", _O),
    Field("retract_reason", "VARCHAR", "Why it was withdrawn", _O),
)

# What load says of every row, whatever the agency said; staged rows do without.
GIVEN_BY_LOAD = ("agency", "feed", "load_id", "loaded_at", "superseded_at", "retracted_at", "retract_reason")

_RECORD_ID = Field("record_id", "VARCHAR", "agency.feed:source_person_id, one source's record of one person", _K)

PERSON_RECORD = Relation(
    "person_record",
    "one row per person that one source names (per version)",
    (
        _RECORD_ID,
        Field("source_person_id", "VARCHAR", "The source's own identifier of the person", _K),
        Field("role", "VARCHAR", "child, adult or unknown", _C),
        Field("given_names", "VARCHAR", "Given names as the source has them, trimmed", _I),
        Field("family_name", "VARCHAR", "Family name as the source has it, trimmed", _I),
        Field("birth_date", "DATE", "Date of birth; see birth_date_precision", _I),
        Field("birth_date_precision", "VARCHAR", "day, month, year, age (worked out from an age) or unknown", _C),
        Field("birth_date_text", "VARCHAR", "Date of birth as received, kept when it could not be read", _I),
        Field("expected_birth_date", "DATE", "Expected date of birth of an unborn child", _I),
        Field("death_date", "DATE", "Date of death", _I),
        Field("sex", "VARCHAR", "M, F, U (not known) or I (indeterminate or other), crosswalk docs/sources.md 2.1", _C),
        Field("sex_source_code", "VARCHAR", "Code as received", _C),
        Field("ethnicity", "VARCHAR", "DfE main code (WBRI...), crosswalk docs/sources.md 2.2", _S),
        Field("ethnicity_source_code", "VARCHAR", "Code as received", _S),
        Field("nhs_number", "VARCHAR", "NHS number, 10 digits, as claimed; see nhs_number_status", _I),
        Field("nhs_number_status", "VARCHAR", "NHS number status code 01-08 where the source says", _C),
        Field("upn", "VARCHAR", "Unique pupil number as claimed", _I),
        Field("postcode", "VARCHAR", "Current home postcode, outward inward; pseudo postcodes kept", _I),
        Field("address_protected", "BOOLEAN", "The source restricts this person's address", _C),
        Field("flags", "VARCHAR[]", "What could not be understood or needs care: unmapped_sex, bad_birth_date...", _O),
        *LINEAGE,
    ),
)

PERSON_NAME = Relation(
    "person_name",
    "one row per name one source knows a person by",
    (
        _RECORD_ID,
        Field("kind", "VARCHAR", "current, preferred, former, alias or middle", _C),
        Field("given_names", "VARCHAR", "Given names", _I),
        Field("family_name", "VARCHAR", "Family name", _I),
        *LINEAGE,
    ),
)

PERSON_ADDRESS = Relation(
    "person_address",
    "one row per address one source gives for a person",
    (
        _RECORD_ID,
        Field("kind", "VARCHAR", "home, previous, placement, temporary, incident or no_fixed_abode", _C),
        Field("address", "VARCHAR", "Address without postcode, parts joined by a comma", _I),
        Field("postcode", "VARCHAR", "Postcode, outward inward", _I),
        Field("uprn", "VARCHAR", "Unique property reference number, text, no leading zeros", _I),
        Field("protected", "BOOLEAN", "The source restricts this address", _C),
        *LINEAGE,
    ),
)

PERSON_IDENTIFIER = Relation(
    "person_identifier",
    "one row per identifier one source gives for a person",
    (
        _RECORD_ID,
        Field("scheme", "VARCHAR", "nhs_number, upn, former_upn, uln, la_child_id, local_patient_id, pnc...", _C),
        Field("value", "VARCHAR", "The identifier, without spaces, upper case", _I),
        Field("status", "VARCHAR", "verified, stated, temporary, invalid or test; what may be built on it", _C),
        *LINEAGE,
    ),
)

RELATIONSHIP = Relation(
    "relationship",
    "one row per relationship one source states between a person and another",
    (
        _RECORD_ID,
        Field("other_record_id", "VARCHAR", "The other's record, where the source gives it a key", _K),
        Field("other_name", "VARCHAR", "The other's name, where there is no record", _I),
        Field("relationship", "VARCHAR", "What the other is to the person: mother, father, sibling, carer...", _C),
        Field("source_code", "VARCHAR", "Code as received", _C),
        Field("same_household", "BOOLEAN", "The source says they live at one address", _C),
        *RETRACTION,
        *LINEAGE,
    ),
)

EVENT = Relation(
    "event",
    "one row per thing that happened or was said about one person (per version)",
    (
        Field("event_id", "VARCHAR", "Stable identifier of the event within its source", _K),
        _RECORD_ID,
        Field("event_type", "VARCHAR", "Published taxonomy, docs/event-types.md", _C),
        Field("source_code", "VARCHAR", "The agency's own code", _C),
        Field("source_code_system", "VARCHAR", "Where that code is defined", _O),
        Field("occurred_from", "TIMESTAMP", "When it happened or began; empty if undated", _C),
        Field("occurred_to", "TIMESTAMP", "When it ended", _C),
        Field("occurred_precision", "VARCHAR", "instant, day, month, year or unknown", _O),
        Field(
            "statement_kind",
            "VARCHAR",
            "fact, professional_opinion, unease, allegation, child_voice, third_party, mixed or system_derived",
            _C,
        ),
        Field("title", "VARCHAR", "One line a practitioner reads", _S),
        Field("narrative", "VARCHAR", "What was written, whole", _S),
        Field("quoted_words", "VARCHAR", "The child's own words", _S),
        Field("reported_by_role", "VARCHAR", "Role of who recorded it", _C),
        Field("subject_role", "VARCHAR", "The person's part in it: subject, victim, suspect, witness, household", _C),
        Field("child_present", "VARCHAR", "Y, N or NK", _C),
        Field("outcome", "VARCHAR", "What came of it", _S),
        Field("action_taken", "VARCHAR", "What was done", _S),
        Field("risk_scheme", "VARCHAR", "Scheme of the grade; grades of two forces do not compare", _C),
        Field("risk_value", "VARCHAR", "Grade as the agency gave it", _S),
        Field("handling_code", "VARCHAR", "Originator's handling marking", _C),
        Field("onward_disclosure", "VARCHAR", "mash_only, partners, school or none", _C),
        Field("embargo_until", "DATE", "Not to be shown outside the originator before", _C),
        *RETRACTION,
        *LINEAGE,
    ),
)

SPAN = Relation(
    "span",
    "one row per thing with a start and an end: a plan, a placement, an enrolment (per version)",
    (
        Field("span_id", "VARCHAR", "Stable identifier of the span within its source", _K),
        _RECORD_ID,
        Field("kind", "VARCHAR", "child_protection_plan, looked_after, placement, enrolment...", _C),
        Field("started_on", "DATE", "First day", _C),
        Field("ended_on", "DATE", "Last day; empty while open", _C),
        Field("detail", "VARCHAR", "What it is, in the agency's words or codes", _S),
        Field("source_code", "VARCHAR", "The agency's own code", _C),
        *RETRACTION,
        *LINEAGE,
    ),
)

ATTENDANCE = Relation(
    "attendance",
    "one row per pupil and school session (per version)",
    (
        _RECORD_ID,
        Field("school", "VARCHAR", "LAESTAB of the school", _C),
        Field("session_date", "DATE", "Day of the session", _C),
        Field("session", "VARCHAR", "AM or PM", _C),
        Field("mark", "VARCHAR", "National attendance code as received", _C),
        Field(
            "meaning", "VARCHAR", "present, approved_activity, authorised, unauthorised, not_counted or unmapped", _C
        ),
        *LINEAGE,
    ),
)

COMMON_MODEL: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        PERSON_RECORD,
        PERSON_NAME,
        PERSON_ADDRESS,
        PERSON_IDENTIFIER,
        RELATIONSHIP,
        EVENT,
        SPAN,
        ATTENDANCE,
    )
}

_PERSON_ID = Field("person_id", "VARCHAR", "Opaque identifier of a person that lasts", _K)
_LOAD_ID = Field("load_id", "VARCHAR", "Night", _O)

IDENTITY: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        Relation(
            "person",
            "one row per person_id ever issued",
            (
                _PERSON_ID,
                Field("created_load_id", "VARCHAR", "Night of creation", _O),
                Field("retired_load_id", "VARCHAR", "Night on which it stopped being current", _O),
                Field("resolves_to", "VARCHAR", "The person_id that carries on, for a retired one", _K),
            ),
        ),
        Relation(
            "link",
            "one row per decision that a record is about a person; current while unlinked_at is empty",
            (
                _RECORD_ID,
                _PERSON_ID,
                Field("how", "VARCHAR", "identifier, probabilistic, clerical or single", _O),
                Field("match_probability", "DOUBLE", "Probability of the best piece of evidence, 1 for a rule", _O),
                Field("evidence", "VARCHAR", "The rule or the strongest comparison, in words", _O),
                Field("best_record_id", "VARCHAR", "The record this one is most strongly tied to", _K),
                Field("decided_by", "VARCHAR", "rule, model version or author of a decision", _O),
                _LOAD_ID,
                Field("linked_at", "TIMESTAMP", "When decided (UTC)", _O),
                Field("unlinked_at", "TIMESTAMP", "When undone or replaced (UTC)", _O),
            ),
        ),
        Relation(
            "identity_change",
            "one row per person created, merged, split or retired on one night; append-only",
            (
                _LOAD_ID,
                Field("change", "VARCHAR", "created, merged, split or retired", _O),
                _PERSON_ID,
                Field("other_person_ids", "VARCHAR[]", "Persons merged in, or split off", _K),
                Field("record_ids", "VARCHAR[]", "Records that moved", _K),
                Field("reason", "VARCHAR", "Why, in words a lay reader understands", _O),
            ),
        ),
        Relation(
            "potential_match",
            "one row per pair of records left to a person to decide",
            (
                Field("record_id_a", "VARCHAR", "Record", _K),
                Field("record_id_b", "VARCHAR", "Record", _K),
                Field("match_probability", "DOUBLE", "What the model thinks", _O),
                Field("reason", "VARCHAR", "Why a person must decide, in words", _O),
                _LOAD_ID,
                Field("model", "VARCHAR", "Version of the model that weighed the pair", _O),
                Field("levels", "VARCHAR", "How far each comparison agrees, by name: given:exact birth:slip", _O),
                Field("bits", "DOUBLE", "What the comparisons add up to; each bit doubles the odds", _O),
                Field("prior_bits", "DOUBLE", "How likely any two records are one person, in bits", _O),
            ),
        ),
        Relation(
            "household",
            "one row per person and household they belong or belonged to",
            (
                Field("household_id", "VARCHAR", "Opaque identifier of a household", _K),
                _PERSON_ID,
                Field("basis", "VARCHAR", "same_address, stated_family or stated_relationship", _O),
                Field("valid_from", "DATE", "From, where known", _C),
                Field("valid_to", "DATE", "Until, where known", _C),
            ),
        ),
    )
}

_AGENCY = Field("agency", "VARCHAR", "Agency", _O)
_FEED = Field("feed", "VARCHAR", "Feed within the agency", _O)

OPERATIONS: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        Relation(
            "night",
            "one row per load: one run over the sources for one date",
            (
                _LOAD_ID,
                Field("load_seq", "BIGINT", "Order of loads", _O),
                Field("date", "DATE", "The date the night stands for; today in every rule", _O),
                Field("started_at", "TIMESTAMP", "Begun (UTC)", _O),
                Field("finished_at", "TIMESTAMP", "Published (UTC); empty while running or interrupted", _O),
                Field("status", "VARCHAR", "running, published, interrupted or failed", _O),
                Field("model_version", "VARCHAR", "Version of the linkage model that the night scored with", _O),
            ),
        ),
        Relation(
            "step",
            "one row per load, feed and word of the straight line that is done; what a killed night carries on from",
            (
                _LOAD_ID,
                Field("subject", "VARCHAR", "agency.feed, or people for what comes after load", _O),
                Field("step", "VARCHAR", "extract, land, check, conform, load, link, identify or publish", _O),
                Field("status", "VARCHAR", "done or failed", _O),
                Field("message", "VARCHAR", "For a failure: what, where, what was allowed, next step", _O),
                Field("finished_at", "TIMESTAMP", "Ended (UTC)", _O),
            ),
        ),
        Relation(
            "feed_load",
            "one row per load and feed: the books",
            (
                _LOAD_ID,
                _AGENCY,
                _FEED,
                Field("started_at", "TIMESTAMP", "Begun (UTC)", _O),
                Field("finished_at", "TIMESTAMP", "Ended (UTC)", _O),
                Field("received", "BIGINT", "Rows received", _O),
                Field("landed", "BIGINT", "Rows new or changed, now current", _O),
                Field("unchanged", "BIGINT", "Rows already known as they are", _O),
                Field("superseded", "BIGINT", "Rows kept as history: a newer version of the same key is known", _O),
                Field("quarantined", "BIGINT", "Rows held back whole: no key, or not readable", _O),
                Field("refused", "BIGINT", "Rows of somebody who was erased: not landed again", _O),
                Field("vanished", "BIGINT", "Keys known before that a full delivery no longer holds", _O),
                Field("files", "INTEGER", "Files or tables received", _O),
                Field("files_failed", "INTEGER", "Files, sets or tables that could not be used", _O),
                Field("status", "VARCHAR", "loaded, partial, failed, nothing_sent or running", _O),
                Field("message", "VARCHAR", "What went wrong and what to do next", _O),
            ),
        ),
        Relation(
            "received_file",
            "one row per load and file (or database table) received",
            (
                _LOAD_ID,
                _AGENCY,
                _FEED,
                Field("file_id", "VARCHAR", "First 16 hex digits of the bytes' SHA-256", _O),
                Field("sha256", "VARCHAR", "Content address in landing", _O),
                Field("name", "VARCHAR", "File name or table name as sent", _O),
                Field("unit", "VARCHAR", "What fails together: the file, the set or the table", _O),
                Field("table_name", "VARCHAR", "Table of the contract it was recognised as", _O),
                Field("scope", "VARCHAR", "Which delivery it belongs to, such as a collection year or term", _O),
                Field("bytes", "BIGINT", "Size", _O),
                Field("reading", "VARCHAR", "Fingerprint of the contract it was read by", _O),
                Field("columns", "VARCHAR[]", "Columns of its header, where it has one", _O),
                Field("drift", "VARCHAR", "How its columns differ from the last file of the same table", _O),
                Field(
                    "extracted_at", "TIMESTAMP", "When it left the agency's system, else when its file was written", _O
                ),
                Field("received", "BIGINT", "Rows", _O),
                Field("landed", "BIGINT", "Rows", _O),
                Field("unchanged", "BIGINT", "Rows", _O),
                Field("superseded", "BIGINT", "Rows", _O),
                Field("quarantined", "BIGINT", "Rows", _O),
                Field("refused", "BIGINT", "Rows", _O),
                Field("erased", "BIGINT", "Of the rows landed or superseded then, those erased since", _O),
                Field(
                    "status",
                    "VARCHAR",
                    "landed, unchanged, failed, held_back (with the rest of its set), unused, or released from quarantine",
                    _O,
                ),
                Field("message", "VARCHAR", "What went wrong, where, what was allowed, next step", _O),
            ),
        ),
        Relation(
            "quarantine",
            "one row per received row that is held back, whole, until a person releases it",
            (
                Field("quarantine_id", "VARCHAR", "table:delivery:file:row", _K),
                _LOAD_ID,
                _AGENCY,
                _FEED,
                Field("table_name", "VARCHAR", "Table of the contract", _O),
                Field("file_id", "VARCHAR", "File", _O),
                Field("row_number", "BIGINT", "Row in the file, the header being row 1", _O),
                Field("reason", "VARCHAR", "Why, and what to do", _O),
                Field("content", "VARCHAR", "The row as received", _S),
                Field("released_load_id", "VARCHAR", "Night on which it was put through again", _O),
                Field("released_by", "VARCHAR", "Who released it", _O),
                Field("repairs", "VARCHAR", "JSON of the columns that person repaired", _S),
            ),
        ),
        Relation(
            "quality_result",
            "one row per load, feed and expectation",
            (
                _LOAD_ID,
                _AGENCY,
                _FEED,
                Field("table_name", "VARCHAR", "Table of the contract", _O),
                Field("expectation", "VARCHAR", "Name of the standard", _O),
                Field("severity", "VARCHAR", "critical, warning or info", _O),
                Field("harm", "VARCHAR", "What its failing can do to a child: docs/quality.md", _O),
                Field("evaluated", "BIGINT", "Current rows it speaks of", _O),
                Field("failed", "BIGINT", "Current rows that fail", _O),
                Field("status", "VARCHAR", "pass, warn, fail, broken or not_run", _O),
                Field("message", "VARCHAR", "For broken and not_run: why it could not run", _O),
            ),
        ),
        Relation(
            "quality_spell",
            "one row per row of a feed and expectation, from the load in which it began to fail to the one in which it no longer did",
            (
                _AGENCY,
                _FEED,
                Field("table_name", "VARCHAR", "Table of the contract", _O),
                Field("expectation", "VARCHAR", "Name of the standard", _O),
                Field(
                    "row_key", "VARCHAR", "Key of the row within the table, the same in every version of the row", _K
                ),
                Field("severity", "VARCHAR", "critical, warning or info", _O),
                Field(
                    "raw_row_id",
                    "VARCHAR",
                    "The failing raw row; the last one, where it was sent again and still failed",
                    _K,
                ),
                Field("source_file", "VARCHAR", "File or table it came in", _O),
                Field("row_number", "BIGINT", "Row in the file, the header being row 1", _O),
                Field("local_id", "VARCHAR", "The agency's own key of the row", _K),
                Field("column_name", "VARCHAR", "Column", _O),
                Field("value", "VARCHAR", "What it holds, or held last", _S),
                Field("hint", "VARCHAR", "How to get it right", _O),
                Field("failing_since", "VARCHAR", "Load in which it began to fail", _O),
                Field(
                    "sent_again_load_id",
                    "VARCHAR",
                    "Load in which the row was last sent again and still failed; empty where it was not",
                    _O,
                ),
                Field("ended_load_id", "VARCHAR", "Load in which it no longer failed; empty while it fails", _O),
                Field("ended", "VARCHAR", "repaired, withdrawn, released, repaired_elsewhere or standard_changed", _O),
            ),
        ),
        Relation(
            "linkage_measure",
            "one row per load and measure of its links: shares that drift slowly, canaries that should stay silent",
            (
                _LOAD_ID,
                Field(
                    "measure",
                    "VARCHAR",
                    "linked, asked, moved; twins, siblings, numbers, adult_and_child; not used: …",
                    _O,
                ),
                Field("cases", "BIGINT", "How many", _O),
                Field("of", "BIGINT", "Of how many records, for a canary of how many persons", _O),
                Field("alert", "VARCHAR", "What rose against the night before, in words; empty if nothing did", _O),
            ),
        ),
        Relation(
            "linkage_quality",
            "one row per load, measure and group: how good its links are, by a clerical sample or by a truth; nothing of small groups",
            (
                _LOAD_ID,
                Field("kind", "VARCHAR", "sample or truth", _O),
                Field("basis", "VARCHAR", "Number of the sample, or truth", _O),
                Field("measure", "VARCHAR", "precision or recall, of pairs of records", _O),
                Field(
                    "grouped_by",
                    "VARCHAR",
                    "all, agencies, ethnicity, ethnic_group, sex, age_band, name_origin, area or deprivation",
                    _O,
                ),
                Field("group_name", "VARCHAR", "Which pair of agencies or group; empty for all", _O),
                Field("share", "DOUBLE", "The estimate", _O),
                Field("low", "DOUBLE", "Within these limits it lies 19 times in 20", _O),
                Field("high", "DOUBLE", "Within these limits it lies 19 times in 20", _O),
                Field("pairs", "BIGINT", "Pairs it rests on: answered ones of a sample, all of a truth", _O),
                Field("alert", "VARCHAR", "What fell, in words; empty if nothing did", _O),
            ),
        ),
        Relation(
            "feed_measure",
            "one row per load, feed and count of its delivery, against which later deliveries are held",
            (
                _LOAD_ID,
                _AGENCY,
                _FEED,
                Field("measure", "VARCHAR", "rows, code (of a column with a list of codes) or matched", _O),
                Field("table_name", "VARCHAR", "Table of the contract; empty for the whole delivery", _O),
                Field("column_name", "VARCHAR", "Column, for a code", _O),
                Field("code", "VARCHAR", "Code of the list; whatever is not in it is counted as one", _O),
                Field(
                    "cases", "BIGINT", "How many: rows, rows with the code, records that found one of another feed", _O
                ),
                Field("of", "BIGINT", "Of how many rows or records", _O),
            ),
        ),
        Relation(
            "publication",
            "one row per published version of the marts",
            (
                _LOAD_ID,
                Field("published_at", "TIMESTAMP", "When (UTC)", _O),
            ),
        ),
    )
}

RELATIONS: dict[str, Relation] = {**COMMON_MODEL, **IDENTITY, **OPERATIONS}

# Columns that every raw table has beside the columns its contract declares. Raw values are text as received.
RAW_COLUMNS: tuple[Field, ...] = (
    Field("raw_row_id", "VARCHAR", "table:load:file:row", _K),
    Field("load_id", "VARCHAR", "Night on which this row was received", _O),
    Field("load_seq", "BIGINT", "Order of loads", _O),
    Field("file_id", "VARCHAR", "File it came in", _O),
    Field("row_number", "BIGINT", "Row in the file, the header being row 1 where there is one", _O),
    Field("scope", "VARCHAR", "Which delivery it belongs to, such as a collection year or term", _O),
    Field("source_key", "VARCHAR", "Key of the row within the table, scope first", _K),
    Field("row_hash", "VARCHAR", "MD5 over the row as received", _O),
    Field("version_at", "VARCHAR", "The source's own version of the row, where there is one", _O),
    Field("extracted_at", "TIMESTAMP", "When it left the agency's system (UTC)", _O),
    Field("superseded_seq", "BIGINT", "Order of the load that brought a later version; empty for the current one", _O),
    Field("vanished_seq", "BIGINT", "Order of the full delivery that no longer held it", _O),
    Field("extra", "VARCHAR", "JSON of received columns that the contract does not know", _S),
)


def raw_table(agency: str, feed: str, table: str) -> str:
    """Name of the raw table that holds one contract table's rows as received (schema `raw`)."""
    return f"{agency}_{feed}_{table}".lower()
