-- known_as: one row per person, kind and name, address or identifier that sources have or had of them, as one of them writes it.
-- sorted by: person_id, kind, said
-- changes with: person_id
-- column kind: name, postcode, address or identifier
-- column said: As a source has it
-- column is_former: No source says so any more, or the source says that it was before
-- column address_protected: The row is an address of somebody whose address is restricted
WITH things AS (
    SELECT * FROM known_thing
)

SELECT person_id, kind, said, bool_and(is_former) AS is_former, address_protected
FROM things
WHERE said IS NOT NULL
GROUP BY person_id, kind, said, address_protected
