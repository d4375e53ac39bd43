-- Who cannot be one person with whom, within groups of connected records (`member`: rid, component; `judged`, `decision_pair`).

-- step: weighed: for each record the birth dates it has been weighed against in a pair that was accepted all the same
CREATE TABLE weighed AS
SELECT DISTINCT j.a AS rid, r.birth FROM judged j JOIN person r ON r.rid = j.b WHERE j.tier <= 3 AND r.birth IS NOT NULL
UNION SELECT j.b, l.birth FROM judged j JOIN person l ON l.rid = j.a WHERE j.tier <= 3 AND l.birth IS NOT NULL;

-- step: between: two mentions of a child whose dates of birth are both one slip away from that of a third record are not two children.
-- Nor are two of an adult two adults, where the link is on thin evidence (docs/decisions/0021)
CREATE TABLE between AS
WITH near AS (
    SELECT a, b FROM judged WHERE tier <= 2
    UNION ALL
    SELECT a, b FROM judged JOIN person l ON l.rid = a JOIN person r ON r.rid = b
    WHERE tier = 3 AND l.grown AND r.grown AND damerau_levenshtein(l.birth_text, r.birth_text) = 1
),
mention AS (
    SELECT j.a AS rid, j.b AS centre FROM near j JOIN person p ON p.rid = j.a WHERE NOT p.registered
    UNION ALL SELECT j.b, j.a FROM near j JOIN person p ON p.rid = j.b WHERE NOT p.registered
)
SELECT DISTINCT x.rid AS a, y.rid AS b FROM mention x JOIN mention y ON x.centre = y.centre AND x.rid < y.rid
    JOIN person l ON l.rid = x.rid JOIN person r ON r.rid = y.rid
WHERE l.source = r.source AND l.birth <> r.birth;

-- step: called: two mentions of a child, each under another of the names that one record of a register says the child goes by, are not two
-- children (docs/decisions/0023)
CREATE TABLE called AS
WITH named AS (SELECT a, b FROM judged WHERE tier <= 2 AND code_given >= {given_known_by} AND NOT by_second),
mention AS (
    SELECT m.rid, m.centre, p.source, p.given
    FROM (SELECT a AS rid, b AS centre FROM named UNION ALL SELECT b, a FROM named) m
        JOIN person p ON p.rid = m.rid JOIN person c ON c.rid = m.centre
    WHERE NOT p.registered AND c.registered
)
SELECT DISTINCT x.rid AS a, y.rid AS b FROM mention x JOIN mention y ON x.centre = y.centre AND x.source = y.source AND x.rid < y.rid
WHERE x.given <> y.given;

-- step: pupil_number: the numbers that one register holds side by side, on two of its current records: they are two people's, unless a
-- record holds both, as a former and a present one, or an NHS number joins their holders
CREATE TABLE pupil_number AS
WITH holding AS (
    SELECT DISTINCT p.rid, p.source, unnest(p.upn) AS value FROM person p JOIN member USING (rid) WHERE len(p.upn) = 1 AND p.registered
),
everywhere AS (SELECT component, rid, source, value FROM holding JOIN member USING (rid)),
side_by_side AS (
    SELECT DISTINCT x.component, x.value AS one, y.value AS other FROM everywhere x JOIN everywhere y
        ON x.component = y.component AND x.source = y.source AND x.rid <> y.rid AND x.value < y.value
),
reconciled AS (
    SELECT least(o, n) AS one, greatest(o, n) AS other FROM (
        SELECT unnest(upn) AS o, upn FROM person WHERE len(upn) > 1) t, unnest(t.upn) u(n) WHERE o <> n
    UNION
    SELECT least(l.upn[1], r.upn[1]), greatest(l.upn[1], r.upn[1]) FROM judged j JOIN person l ON l.rid = j.a JOIN person r ON r.rid = j.b
    WHERE j.nhs_same AND j.tier <= 1 AND len(l.upn) = 1 AND len(r.upn) = 1 AND l.upn[1] <> r.upn[1]
)
SELECT component, one, other FROM side_by_side ANTI JOIN reconciled USING (one, other);

-- step: veto: pairs of one component that must not end up in one person. `lasting` ones hold against numbers too, `soft` ones do not
CREATE TABLE veto AS
WITH side AS MATERIALIZED (
    SELECT component, p.rid, source, notice, stated_role, role, unborn, birth, nhs, CASE WHEN len(upn) = 1 THEN upn[1] END AS pupil,
           v.rid IS NOT NULL AS verified, d.rid IS NOT NULL AS attested
    FROM member JOIN (SELECT rid, source, notice, stated_role, role, unborn, birth, nhs, upn FROM person) p USING (rid)
    LEFT JOIN verified v USING (rid) LEFT JOIN dated d USING (rid)
),
-- Only pairs that differ in something that could speak against them: most records of one child do not. Where one side has no pupil
-- number, or several, `one` and `other` are the same and no two numbers.
pairs AS MATERIALIZED (
    SELECT x.component, x.rid AS a, y.rid AS b, x.birth AS birth_l, y.birth AS birth_r, x.attested AS attested_l, y.attested AS attested_r,
           x.verified AND y.verified AS both_verified, least(x.pupil, y.pupil) AS one, greatest(x.pupil, y.pupil) AS other
    FROM side x JOIN side y ON x.component = y.component AND x.rid < y.rid
    WHERE x.source = y.source OR x.notice = y.notice OR x.stated_role <> y.stated_role OR x.role <> y.role OR x.unborn OR y.unborn
       OR x.birth <> y.birth OR (x.verified AND y.verified AND x.nhs <> y.nhs) OR x.pupil <> y.pupil
       OR (x.rid, y.rid) IN (SELECT (a, b) FROM decision_pair)
),
-- What other tables say of a pair, before anything of its two records is compared: see the step person.
told AS MATERIALIZED (
    SELECT p.component, p.a, p.b, coalesce(j.tier <= 3, false) OR k.a IS NOT NULL AS joined, d.kind AS decided, bt.a IS NOT NULL AS birth_between,
           cl.a IS NOT NULL AS names_of_one,
           both_verified, u.one IS NOT NULL AS side_by_side,
           -- Its twin copy in another feed says the same date: that was weighed already.
           wl.rid IS NOT NULL OR wr.rid IS NOT NULL AS birth_weighed, attested_l, attested_r
    FROM pairs p
    LEFT JOIN judged j ON j.a = p.a AND j.b = p.b
    LEFT JOIN two_keys k ON k.a = p.a AND k.b = p.b
    LEFT JOIN weighed wl ON wl.rid = p.a AND wl.birth = p.birth_r
    LEFT JOIN weighed wr ON wr.rid = p.b AND wr.birth = p.birth_l
    LEFT JOIN between bt ON bt.a = p.a AND bt.b = p.b
    LEFT JOIN called cl ON cl.a = p.a AND cl.b = p.b
    LEFT JOIN pupil_number u ON u.component = p.component AND u.one = p.one AND u.other = p.other
    LEFT JOIN decision_pair d ON d.a = p.a AND d.b = p.b
),
looked_at AS MATERIALIZED (SELECT * FROM person WHERE rid IN (SELECT unnest([a, b]) FROM pairs)),
seen AS MATERIALIZED (
    SELECT t.component, t.a, t.b, t.joined, t.decided, t.birth_between, t.names_of_one, t.birth_weighed,
           l.notice = r.notice AS same_notice, l.source = r.source AS same_source,
           l.stated_role <> r.stated_role AS roles_stated, l.role <> r.role AS roles_differ,
           (l.unborn AND r.role = 'adult') OR (r.unborn AND l.role = 'adult') AS unborn_adult,
           (t.both_verified AND NOT list_has_any(l.nhs, r.nhs)) OR t.side_by_side AS numbers_differ,
           l.registered AS keyed,
           l.grown AND r.grown AND NOT l.registered AND NOT r.registered AS grown_mentions,
           -- Asked only where it can matter: comparing letters is dear.
           CASE WHEN l.source = r.source OR year(l.birth) - year(r.birth) NOT BETWEEN -1 AND 1
                THEN l.given IS NOT NULL AND r.given IS NOT NULL AND NOT (
               l.given = r.given OR list_contains(l.given_set, r.given) OR list_contains(r.given_set, l.given)
               OR list_has_any(l.given_group, r.given_group) OR l.given_sound = r.given_sound
               OR jaro_winkler_similarity(l.given, r.given) >= 0.9 OR damerau_levenshtein(l.given, r.given) <= 1
               -- Swapped, or an initial that fits.
               OR list_contains(l.family_set, r.given) OR list_contains(r.family_set, l.given)
               OR coalesce(greatest(jaro_winkler_similarity(l.given, r.family), jaro_winkler_similarity(r.given, l.family)) >= 0.9, false)
               OR (least(length(l.given), length(r.given)) = 1 AND left(l.given, 1) = left(r.given, 1))) ELSE false END AS given_differs,
           CASE WHEN l.precision = 3 AND r.precision = 3 AND l.past = r.past AND l.birth <> r.birth AND l.birth_swap IS DISTINCT FROM r.birth
                     AND (NOT l.birth_doubtful OR t.attested_l) AND (NOT r.birth_doubtful OR t.attested_r)
                THEN damerau_levenshtein(l.birth_text, r.birth_text) > 1 ELSE false END AS birth_differs,
           l.past = r.past AND year(l.birth) - year(r.birth) NOT BETWEEN -1 AND 1 AS years_differ
    FROM told t JOIN looked_at l ON l.rid = t.a JOIN looked_at r ON r.rid = t.b
)
SELECT component, a, b,
       CASE WHEN decided IN ('cannot_link', 'seal') THEN 'decision'
            WHEN decided = 'must_link' THEN NULL
            WHEN same_notice THEN 'notice'
            WHEN roles_stated OR unborn_adult THEN 'role'
            WHEN numbers_differ THEN 'number'
            -- One record per source and person, but for duplicates within the source. Where a source is no register its
            -- records are mentions of a child, and several of one child are to be expected. Of an adult, who has no twin at hand, a mention
            -- must differ in both name and date to be another's.
            WHEN same_source AND NOT joined AND (keyed OR (coalesce(given_differs, false) AND NOT grown_mentions AND NOT names_of_one)
                                                  OR (coalesce(birth_differs AND NOT birth_between, false) AND (NOT grown_mentions OR coalesce(given_differs, false)))) THEN 'source'
            WHEN roles_differ AND NOT joined AND NOT birth_weighed THEN 'role_by_date'
            WHEN birth_differs AND NOT joined AND NOT birth_weighed AND NOT (birth_between AND grown_mentions) THEN 'birth'
            WHEN given_differs AND years_differ AND NOT joined THEN 'birth' END AS kind,
       kind IN ('decision', 'notice', 'role', 'number', 'source') AS lasting
FROM seen WHERE kind IS NOT NULL;

-- step: contest: (claims leave name frequencies out: two people compete for one and the same name) probable pairs where another record, which cannot be the same person, has nearly as good a claim
CREATE TABLE contest AS
WITH claims AS (
    SELECT a AS own, b AS other, a, b, tier, claim FROM judged WHERE a IN (SELECT a FROM veto UNION SELECT b FROM veto)
                                                           OR b IN (SELECT a FROM veto UNION SELECT b FROM veto)
    UNION ALL
    SELECT b, a, a, b, tier, claim FROM judged WHERE a IN (SELECT a FROM veto UNION SELECT b FROM veto)
                                                           OR b IN (SELECT a FROM veto UNION SELECT b FROM veto)
)
SELECT x.a, x.b,
       -- Against a claim that is better by more than the margin there is no contest: this one is lost, and no question for people.
       bool_or(y.claim > x.claim + {contest_bits}) AS lost
FROM claims x JOIN claims y ON x.own = y.own AND x.other <> y.other
JOIN veto v ON v.a = least(x.other, y.other) AND v.b = greatest(x.other, y.other)
WHERE x.tier IN (2, 3) AND y.tier >= 2 AND v.kind <> 'decision'
  AND y.claim >= x.claim - CASE x.tier WHEN 2 THEN {contest_bits} ELSE {thin_contest_bits} END
  -- A far better claim needs no contest where it is taken first anyhow; one on thin evidence is taken later, whatever it weighs.
  AND (x.tier = 3 OR y.tier > x.tier OR y.claim <= x.claim + {contest_bits})
GROUP BY x.a, x.b;
