-- changed_record: one row per record of which something may be other than in the base, by itself, and what: a row of it came or was closed
-- in a table, or a day came on which one is shown otherwise (because: the table); a value of it is shown that was not, or no longer (because:
-- the view); or it was linked or let go, came under protection or out of it, or is sealed (because: all). touched_person and
-- touched_record follow it for every view that reads what changed.
WITH base AS (
    SELECT newest, date FROM marts_base
),

tonight AS (
    SELECT date FROM published_night
),

rows_changed AS (
    SELECT record_id, 'person_record' AS because FROM person_record, base WHERE loaded_at > base.newest OR superseded_at > base.newest
    UNION ALL
    SELECT record_id, 'person_name' AS because FROM person_name, base WHERE loaded_at > base.newest OR superseded_at > base.newest
    UNION ALL
    SELECT record_id, 'person_address' AS because FROM person_address, base WHERE loaded_at > base.newest OR superseded_at > base.newest
    UNION ALL
    SELECT record_id, 'person_identifier' AS because FROM person_identifier, base WHERE loaded_at > base.newest OR superseded_at > base.newest
    UNION ALL
    SELECT record_id, 'relationship' AS because FROM relationship, base WHERE loaded_at > base.newest OR superseded_at > base.newest
    UNION ALL
    SELECT record_id, 'event' AS because FROM event, base WHERE loaded_at > base.newest OR superseded_at > base.newest
    UNION ALL
    SELECT record_id, 'span' AS because FROM span, base WHERE loaded_at > base.newest OR superseded_at > base.newest
    UNION ALL
    SELECT record_id, 'attendance' AS because FROM attendance, base WHERE loaded_at > base.newest OR superseded_at > base.newest
),

links_changed AS (
    SELECT record_id FROM link, base WHERE linked_at > base.newest OR unlinked_at > base.newest
),

-- What no row says: the night's date alone.
days_come AS (
    SELECT event.record_id, 'event' AS because
    FROM event, base, tonight
    WHERE event.embargo_until > base.date AND event.embargo_until <= tonight.date
    UNION ALL
    SELECT person_address.record_id, 'person_address' AS because
    FROM person_address, base, tonight
    WHERE person_address.valid_to >= base.date AND person_address.valid_to < tonight.date
),

protected_now AS (
    SELECT 'record' AS kind, record_id AS id FROM protected_record
    UNION
    SELECT 'person' AS kind, person_id AS id FROM protected_person
),

protected_then AS (
    SELECT kind, id FROM marts_base_protected
),

protection_changed AS (
    (SELECT kind, id FROM protected_now EXCEPT SELECT kind, id FROM protected_then)
    UNION ALL
    (SELECT kind, id FROM protected_then EXCEPT SELECT kind, id FROM protected_now)
),

-- Whom a seal hides from whom depends on both sides: they are few, and always looked at again, and with them whoever is related to them.
sealed AS (
    SELECT record_id
    FROM link
    WHERE person_id IN (SELECT person_id FROM link WHERE record_id IN (SELECT unnest([record_a, record_b]) FROM sealed_record))
),

all_of_it AS (
    SELECT record_id FROM links_changed
    UNION ALL
    SELECT id FROM protection_changed WHERE kind = 'record'
    UNION ALL
    SELECT link.record_id FROM link INNER JOIN protection_changed ON link.person_id = protection_changed.id AND protection_changed.kind = 'person'
    UNION ALL
    SELECT record_id FROM sealed
)

SELECT record_id, because FROM rows_changed
UNION
SELECT record_id, because FROM days_come
UNION
SELECT record_id, view_name FROM shown_otherwise
UNION
SELECT record_id, 'all' FROM all_of_it
