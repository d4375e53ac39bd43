-- Who lives together: the same current home from any source, or what a source states. Temporary tables h_*.

-- step: h_living: the current person of each current record
CREATE OR REPLACE TEMP TABLE h_living AS
SELECT r.record_id, l.person_id FROM person_record r JOIN link l ON l.record_id = r.record_id AND l.unlinked_at IS NULL
WHERE r.superseded_at IS NULL;

-- step: h_home: people per home. A postcode alone is a street; a placement is not the family's home; ZZ99 is no place
CREATE OR REPLACE TEMP TABLE h_home AS
WITH claim AS (
    SELECT p.person_id, a.valid_from, a.valid_to,
           regexp_replace(lower(strip_accents(a.address)), '[^a-z0-9]', '', 'g') AS place,
           regexp_replace(upper(a.postcode), '[^A-Z0-9]', '', 'g') AS postcode
    FROM person_address a JOIN h_living p USING (record_id)
    WHERE a.superseded_at IS NULL AND a.kind = 'home' AND a.address IS NOT NULL AND a.postcode IS NOT NULL
      AND (a.valid_to IS NULL OR a.valid_to >= {today})
)
SELECT place || '/' || postcode AS home, person_id, min(valid_from) AS valid_from, max(valid_to) AS valid_to
FROM claim WHERE length(place) >= 3 AND length(postcode) BETWEEN 5 AND 7 AND NOT starts_with(postcode, 'ZZ')
  AND place NOT LIKE '%nofixedabode%' AND place NOT LIKE 'unknown%' AND place NOT LIKE 'notknown%'
GROUP BY ALL;

-- step: h_group: homes of two to {max_household} people, and groups that a source states, each named by its first members
CREATE OR REPLACE TEMP TABLE h_group AS
WITH homes AS (
    SELECT 'same_address' AS basis, home AS name, person_id, valid_from, valid_to FROM h_home
    WHERE home IN (SELECT home FROM h_home GROUP BY home HAVING count(*) BETWEEN 2 AND {max_household})
),
stated AS (
    -- Each person a source speaks of, with those it says live there too.
    SELECT DISTINCT s.name, unnest([s.name, s.other]) AS person_id FROM (
        SELECT a.person_id AS name, b.person_id AS other FROM relationship r
        JOIN h_living a ON a.record_id = r.record_id JOIN h_living b ON b.record_id = r.other_record_id
        WHERE r.superseded_at IS NULL AND r.retracted_at IS NULL AND r.same_household AND a.person_id <> b.person_id
          AND (r.valid_to IS NULL OR r.valid_to >= {today})) s
),
stated_sets AS (
    SELECT name, list_sort(list(person_id)) AS members FROM stated GROUP BY name HAVING count(*) BETWEEN 2 AND {max_household}
),
home_sets AS (SELECT name, list_sort(list(person_id)) AS members FROM homes GROUP BY name),
covered AS (
    SELECT DISTINCT s.name FROM (SELECT name, members, unnest(members) AS person_id FROM stated_sets) s JOIN homes h USING (person_id)
    GROUP BY s.name, h.name, s.members HAVING count(*) = len(s.members)
),
all_sets AS (
    SELECT 'same_address' AS basis, members, name FROM home_sets
    UNION ALL
    -- The same set said by several people is one; what an address says already is not said again.
    SELECT DISTINCT 'stated_relationship', members, NULL FROM stated_sets ANTI JOIN covered USING (name)
),
named AS (SELECT dense_rank() OVER (ORDER BY members, basis) AS number, basis, members, name FROM all_sets
          QUALIFY row_number() OVER (PARTITION BY members, basis ORDER BY name) = 1)
SELECT n.number, n.basis, n.person_id, h.valid_from, h.valid_to
FROM (SELECT number, basis, name, unnest(members) AS person_id FROM named) n
LEFT JOIN homes h ON h.name = n.name AND h.person_id = n.person_id;

-- step: h_claims: which household that stands each group carries on: most people in common, then the identifier
CREATE OR REPLACE TEMP TABLE h_claims AS
SELECT g.number, h.household_id FROM h_group g JOIN household h ON h.person_id = g.person_id AND h.basis = g.basis
GROUP BY ALL ORDER BY count(*) DESC, h.household_id, g.number;
