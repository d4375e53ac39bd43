-- known_by: one row per person, kind and thing by which somebody may ask for them: every name, address and identifier, those of the past too.
-- sorted by: search_key, person_id, kind
-- changes with: person_id
-- column kind: name (one word of it), postcode, address or identifier
-- column search_key: As it is compared: without accents, in lower case; of a postcode and an identifier letters and digits alone
-- column is_former: No source says so any more, or the source says that it was before
-- column address_protected: The row is an address of somebody whose address is restricted
WITH things AS (
    SELECT * FROM known_thing
)

SELECT person_id, kind, search_key, is_former, address_protected
FROM things
