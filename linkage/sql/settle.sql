-- What the judged pairs of all records that hang together say of each other. Works on `judged`, which is whole by now.

-- step: dated: records whose birth date another record of the same person has too
CREATE TABLE dated AS
SELECT DISTINCT unnest([a, b]) AS rid FROM judged WHERE tier <= 2 AND code_birth = {birth_exact};

-- step: refused: a record joined to another by a second name, which a fuller record of its own key refuses: there the second name is
-- another, and the first one is a brother's
CREATE TABLE refused AS
WITH keyed AS (SELECT a AS own, b AS same FROM judged WHERE tier = 0 UNION ALL SELECT b, a FROM judged WHERE tier = 0),
other AS (
    SELECT a AS own, b AS other FROM judged WHERE rule IN ('other_name', 'odd_name')
    UNION ALL SELECT b, a FROM judged WHERE rule IN ('other_name', 'odd_name')
)
SELECT DISTINCT least(keyed.own, other.other) AS a, greatest(keyed.own, other.other) AS b FROM keyed JOIN other ON other.own = keyed.same;

-- step: set_aside: pairs that other judged pairs speak against. Two attested birth dates are two people, as two attested names are: brothers
-- may share Mohammed and a home. A date that a relative has too is doubtful only while nobody else attests it
CREATE TABLE set_aside AS
SELECT judged.* FROM judged JOIN person l ON l.rid = judged.a JOIN person r ON r.rid = judged.b
WHERE judged.rule IN ('wrong_birth', 'far_birth', 'near_birth', 'no_birth', 'no_birth_known_by', 'no_birth_parent') AND l.birth <> r.birth
  AND judged.a IN (SELECT rid FROM dated) AND judged.b IN (SELECT rid FROM dated)
UNION
SELECT judged.* FROM judged SEMI JOIN refused USING (a, b) WHERE tier IN (2, 3) AND code_given = {given_known_by};

-- step: judged: without them
DELETE FROM judged WHERE (a, b) IN (SELECT (a, b) FROM set_aside);

-- step: verified: records whose NHS number is the source's verified one, or agrees with another agency's on one person
CREATE TABLE verified AS
SELECT rid FROM person WHERE nhs_verified
    AND rid NOT IN (SELECT rid FROM number JOIN disputed USING (space, value) WHERE space = 'nhs' AND kind = 'national')
UNION
SELECT unnest([a, b]) FROM judged WHERE tier = 1 AND cross_agency AND nhs_same;
