-- What the judged pairs of all records that hang together say of each other. Works on `judged`, which is whole by now.

-- step: dated: records whose birth date another record of the same person has too
CREATE TABLE dated AS
SELECT DISTINCT unnest([a, b]) AS rid FROM judged WHERE tier <= 2 AND code_birth = {birth_exact};

-- step: two_dates: two attested birth dates are two people, as two attested names are: brothers may share Mohammed and a home. A date
-- that a relative has too is doubtful only while nobody else attests it
CREATE TABLE two_dates AS
SELECT judged.* FROM judged JOIN person l ON l.rid = judged.a JOIN person r ON r.rid = judged.b
WHERE judged.rule IN ('wrong_birth', 'far_birth', 'near_birth', 'no_birth', 'no_birth_known_by') AND l.birth <> r.birth
  AND judged.a IN (SELECT rid FROM dated) AND judged.b IN (SELECT rid FROM dated);

-- step: judged: without them
DELETE FROM judged WHERE (a, b) IN (SELECT (a, b) FROM two_dates);

-- step: verified: records whose NHS number is the source's verified one, or agrees with another agency's on one person
CREATE TABLE verified AS
SELECT rid FROM person WHERE nhs_verified
    AND rid NOT IN (SELECT rid FROM number JOIN disputed USING (space, value) WHERE space = 'nhs' AND kind = 'national')
UNION
SELECT unnest([a, b]) FROM judged WHERE tier = 1 AND cross_agency AND nhs_same;
