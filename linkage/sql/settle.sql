-- What the judged pairs of all records that hang together say of each other. Works on `judged`, which is whole by now.

-- step: dated: records whose birth date another witness has too. One agency's mentions of a child are one witness: a notification repeats
-- the notice, and a notice the one before (docs/decisions/0023)
CREATE TABLE dated AS
SELECT DISTINCT unnest([a, b]) AS rid FROM judged JOIN person l ON l.rid = judged.a JOIN person r ON r.rid = judged.b
WHERE tier <= 2 AND code_birth = {birth_exact} AND (l.registered OR r.registered OR l.agency <> r.agency);

-- step: refused: a record joined to another by a second name, which a fuller record of its own key refuses: there the second name is
-- another, and the first one is a brother's. That a child goes by a name no other record refuses (docs/decisions/0023)
CREATE TABLE refused AS
WITH keyed AS (SELECT a AS own, b AS same FROM judged WHERE tier = 0 UNION ALL SELECT b, a FROM judged WHERE tier = 0),
other AS (
    SELECT a AS own, b AS other FROM judged WHERE rule IN ('other_name', 'odd_name', 'second_key')
    UNION ALL SELECT b, a FROM judged WHERE rule IN ('other_name', 'odd_name', 'second_key')
)
SELECT DISTINCT least(keyed.own, other.other) AS a, greatest(keyed.own, other.other) AS b FROM keyed JOIN other ON other.own = keyed.same;

-- step: set_aside: pairs that other judged pairs speak against. Two attested birth dates are two people, as two attested names are: brothers
-- may share Mohammed and a home. A date that a relative has too is doubtful only while nobody else attests it
CREATE TABLE set_aside AS
SELECT judged.* FROM judged JOIN person l ON l.rid = judged.a JOIN person r ON r.rid = judged.b
WHERE judged.rule IN ('wrong_birth', 'far_birth', 'near_birth', 'no_birth', 'no_birth_known_by', 'no_birth_parent') AND l.birth <> r.birth
  AND judged.a IN (SELECT rid FROM dated) AND judged.b IN (SELECT rid FROM dated)
UNION
SELECT judged.* FROM judged SEMI JOIN refused USING (a, b) WHERE tier IN (2, 3) AND by_second;

-- step: judged: without them
DELETE FROM judged WHERE (a, b) IN (SELECT (a, b) FROM set_aside);

-- step: verified: records whose NHS number is the source's verified one, or agrees with another agency's on one person
CREATE TABLE verified AS
SELECT rid FROM person WHERE nhs_verified
    AND rid NOT IN (SELECT rid FROM number JOIN disputed USING (space, value) WHERE space = 'nhs' AND kind = 'national')
UNION
SELECT unnest([a, b]) FROM judged WHERE tier = 1 AND cross_agency AND nhs_same;

-- step: asked_again: who was a witness a night ago need not be one now
UPDATE judged SET rule = 'namesakes', tier = 9 WHERE rule = 'witnessed';

-- step: bearer: for two records of one register that may be one child at two homes: all records of that full name and birth date. `own`
-- are the two, and what the agency says in other feeds under their two keys
CREATE TABLE bearer AS
WITH namesakes AS (SELECT a, b, unnest([a, b]) AS one FROM judged WHERE rule = 'namesakes'),
side AS (
    SELECT one, rid, tier = 0 AS own FROM (SELECT * FROM judged WHERE {same_name_and_day} OR tier = 0),
        LATERAL (VALUES (a, b), (b, a)) t(one, rid)
)
SELECT a, b, rid, bool_or(own) AS own FROM (
    SELECT a, b, one AS rid, true AS own FROM namesakes UNION ALL SELECT a, b, rid, own FROM namesakes JOIN side USING (one))
GROUP BY a, b, rid;

-- step: witnessed: those that a register of another agency ties to one child, by a number or a home on either side, while no register holds
-- another child of that name and birth date, and no two numbers differ (docs/decisions/0019)
CREATE TABLE witnessed AS
WITH tie AS (
    SELECT one, rid FROM (SELECT * FROM judged WHERE tier <= 2 AND {same_name_and_day} AND code_family >= {family_known}
                                              AND (tier = 1 OR code_postcode >= {postcode_known})),
        LATERAL (VALUES (a, b), (b, a)) t(one, rid)
),
told AS (
    SELECT DISTINCT k.a, k.b FROM (SELECT DISTINCT a, b FROM bearer) k JOIN tie x ON x.one = k.a JOIN tie y ON y.one = k.b AND y.rid = x.rid
    JOIN person w ON w.rid = x.rid JOIN person l ON l.rid = k.a
    WHERE w.registered AND w.agency <> l.agency
),
two AS (
    SELECT x.a, x.b FROM bearer x JOIN bearer y ON y.a = x.a AND y.b = x.b AND y.rid > x.rid
    JOIN person l ON l.rid = x.rid JOIN person r ON r.rid = y.rid LEFT JOIN judged j ON j.a = x.rid AND j.b = y.rid
    WHERE (l.source = r.source AND l.registered AND NOT (x.own AND y.own) AND coalesce(j.tier > 2, true))
       OR (len(l.nhs) > 0 AND len(r.nhs) > 0 AND NOT list_has_any(l.nhs, r.nhs))
       OR (len(l.upn) > 0 AND len(r.upn) > 0 AND NOT list_has_any(l.upn, r.upn))
)
SELECT a, b FROM told ANTI JOIN two USING (a, b);

-- step: decided_by_witness: a rule on thin evidence
UPDATE judged SET rule = 'witnessed', tier = 3 WHERE (a, b) IN (SELECT (a, b) FROM witnessed);

-- step: two_keys: the records of two keys that one child has, in each feed of the agency
CREATE TABLE two_keys AS
WITH side AS (SELECT a, b, unnest([a, b]) AS one FROM witnessed),
same AS (SELECT a AS one, b AS rid FROM judged WHERE tier = 0 UNION ALL SELECT b, a FROM judged WHERE tier = 0),
key AS (SELECT a, b, one, one AS rid FROM side UNION SELECT a, b, one, rid FROM side JOIN same USING (one))
SELECT DISTINCT least(x.rid, y.rid) AS a, greatest(x.rid, y.rid) AS b FROM key x JOIN key y USING (a, b) WHERE x.one = a AND y.one = b;
