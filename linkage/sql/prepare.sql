-- The steps that read records as a clerk does. Each is one table of the scratch database; `-- step: name: what it holds`.
-- Inputs are views on the current rows of the common model. Variables set by prepare.py: titles, placeholders, phrases, particles,
-- prefixes, joiners, endings, test_numbers, today.

-- step: record_number: a dense number per record, in the order of the records' names
CREATE TABLE record_number AS
SELECT record_id, row_number() OVER (ORDER BY record_id) - 1 AS rid, rows
FROM (SELECT record_id, count(*) AS rows FROM person_record GROUP BY record_id);

-- step: record_row: every current row of person_record; several rows of one record are one record, and only these need an order
CREATE TABLE record_row AS
WITH numbered AS (
    SELECT rid, rows, person_record.record_id, source_person_id, agency, feed, role, given_names, family_name, birth_date,
           birth_date_precision, expected_birth_date, sex, nhs_number, nhs_number_status, upn, postcode,
           CAST(coalesce(recorded_at, extracted_at) AS DATE) AS told_on, recorded_at, extracted_at, loaded_at, source_key, raw_row_id
    FROM person_record JOIN record_number USING (record_id)
)
SELECT * EXCLUDE (rows, recorded_at, extracted_at, loaded_at, source_key, raw_row_id), 1 AS turn FROM numbered WHERE rows = 1
UNION ALL
SELECT * EXCLUDE (rows, recorded_at, extracted_at, loaded_at, source_key, raw_row_id),
       row_number() OVER (PARTITION BY record_id
                          ORDER BY recorded_at DESC NULLS LAST, extracted_at DESC NULLS LAST, loaded_at DESC NULLS LAST,
                                   source_key, raw_row_id) AS turn
FROM numbered WHERE rows > 1;

-- step: record: one row per record, its latest row
CREATE VIEW record AS SELECT * EXCLUDE (turn) FROM record_row WHERE turn = 1;

-- step: name_claim: the other ways a record is named, beside its latest row
CREATE TABLE name_claim AS
SELECT DISTINCT rid, kind, n.given_names, n.family_name FROM person_name n JOIN record USING (record_id)
UNION ALL
SELECT DISTINCT rid, 'current', given_names, family_name FROM record_row WHERE turn > 1;

-- step: given_reading: each spelling in a given-name field, read once: titles and placeholders are not names
CREATE TABLE given_reading AS
WITH spelled AS (SELECT given_names AS spelling FROM name_claim WHERE given_names IS NOT NULL
                 UNION SELECT given_names FROM record WHERE given_names IS NOT NULL),
tokens AS (SELECT spelling, fold(spelling) AS folded, string_split(fold(spelling), ' ') AS words FROM spelled),
kept AS (
    SELECT spelling, folded, words,
           CASE WHEN list_contains(getvariable('phrases'), folded)
                     OR regexp_matches(folded, '^(baby|bby|infant|b) ?(of|o) ')
                THEN []::VARCHAR[]
                ELSE list_filter(words, lambda w: length(w) > 0 AND NOT list_contains(getvariable('titles'), w)
                                                  AND NOT list_contains(getvariable('placeholders'), w)) END AS names
    FROM tokens
),
-- 'Abdul Rahman' is Abdulrahman; 'Mohammed Ali' is called Ali where a second name follows.
joined AS (
    SELECT * REPLACE (CASE WHEN len(names) >= 2 AND list_contains(getvariable('joiners'), names[1])
                           THEN list_prepend(names[1] || names[2], names[3:])
                           WHEN len(names) >= 3 AND list_contains(getvariable('joiners'), names[2])
                           THEN [names[1], names[2] || names[3]] || names[4:] ELSE names END AS names)
    FROM kept
)
SELECT spelling,
       CASE WHEN len(names) = 0 THEN NULL
            WHEN len(names) >= 2 AND list_contains(getvariable('prefixes'), names[1]) AND length(names[2]) > 1 THEN names[2]
            WHEN len(names) >= 2 AND length(names[1]) = 1 THEN names[2]
            ELSE names[1] END AS given,
       list_distinct(list_filter(names, lambda w: length(w) > 1)
                     || CASE WHEN len(names) >= 2 AND length(names[1]) > 1 AND length(names[2]) > 1 THEN [names[1] || names[2]]
                             ELSE [] END) AS given_set,
       list_distinct(list_filter(names, lambda w: length(w) = 1)) AS given_initials,
       -- What follows the name the child goes by; initials say too little, and Singh or Kaur stand for a family.
       list_distinct(list_filter(CASE WHEN len(names) >= 2 AND (list_contains(getvariable('prefixes'), names[1]) OR length(names[1]) = 1)
                                      THEN names[3:] ELSE names[2:] END,
                                 lambda w: length(w) > 1 AND NOT list_contains(getvariable('shared_seconds'), w))) AS second_set,
       list_distinct(list_filter(names, lambda w: length(w) > 1 AND NOT list_contains(getvariable('shared_seconds'), w))) AS middle_set,
       len(names) = 0 AND length(folded) > 0 AS placeholder,
       list_contains(words, 'unborn') OR list_contains(words, 'foetus') OR list_contains(words, 'fetus') AS unborn,
       regexp_matches(lower(spelling), 'tw[i1]n|tripl') AS twin
FROM joined;

-- step: family_reading: each spelling in a family-name field, read once: whole, and the parts of a compound one
CREATE TABLE family_reading AS
WITH spelled AS (SELECT family_name AS spelling FROM name_claim WHERE family_name IS NOT NULL
                 UNION SELECT family_name FROM record WHERE family_name IS NOT NULL),
tokens AS (
    SELECT spelling, fold(spelling) AS folded,
           list_filter(string_split(fold(spelling), ' '),
                       lambda w: length(w) > 0 AND NOT list_contains(getvariable('endings'), w)
                                 AND NOT list_contains(getvariable('family_placeholders'), w)) AS names
    FROM spelled
)
SELECT spelling,
       CASE WHEN length(array_to_string(names, '')) >= 2 AND NOT list_contains(getvariable('phrases'), folded)
            THEN array_to_string(names, '') END AS family,
       CASE WHEN list_contains(getvariable('phrases'), folded) THEN []::VARCHAR[]
            WHEN length(array_to_string(names, '')) < 2 THEN []::VARCHAR[]
            ELSE list_distinct([array_to_string(names, '')] ||
                 list_filter(names, lambda w: length(w) >= 3 AND NOT list_contains(getvariable('particles'), w))) END AS family_set
FROM tokens;

-- step: names: per record the name it goes by, and every name it is known by
CREATE TABLE names AS
WITH latest AS (
    SELECT r.rid, g.given, f.family, g.given_set, coalesce(g.given_initials, []) AS given_initials, g.second_set, f.family_set, coalesce(g.placeholder, false) AS placeholder,
           coalesce(g.unborn, false) AS unborn, coalesce(g.twin, false) AS twin
    FROM record r
    LEFT JOIN given_reading g ON g.spelling = r.given_names
    LEFT JOIN family_reading f ON f.spelling = r.family_name
),
more AS (
    SELECT rid,
           list_sort(list_distinct(flatten(list(g.given_set)))) AS given_set,
           list_sort(list_distinct(flatten(list(CASE c.kind WHEN 'middle' THEN g.middle_set ELSE g.second_set END)))) AS second_set,
           list_sort(list_distinct(flatten(list(f.family_set)))) AS family_set,
           -- Who has no name in the current field may have one in another.
           min(g.given) FILTER (c.kind IN ('preferred', 'alias')) AS other_given,
           min(f.family) FILTER (c.kind IN ('preferred', 'alias', 'former')) AS other_family,
           min(g.given) FILTER (c.kind = 'middle' AND length(g.given) > 1) AS middle_given,
           list_sort(list_distinct(list(g.given) FILTER (c.kind <> 'middle' AND g.given IS NOT NULL))) AS called
    FROM name_claim c
    LEFT JOIN given_reading g ON g.spelling = c.given_names
    LEFT JOIN family_reading f ON f.spelling = c.family_name
    GROUP BY rid
)
-- Who is Mohammed here and has a middle name in another column goes by that, as Mohammed Umar does.
, called AS (
    SELECT latest.* REPLACE (CASE WHEN list_contains(getvariable('prefixes'), given) AND middle_given IS NOT NULL
                                  THEN middle_given ELSE given END AS given)
    FROM latest LEFT JOIN more USING (rid)
)
SELECT rid, coalesce(given, other_given) AS given, coalesce(family, other_family) AS family,
       CASE WHEN more.rid IS NULL THEN coalesce(called.given_set, [])
            ELSE list_distinct(coalesce(called.given_set, []) || coalesce(more.given_set, [])) END AS given_set,
       called.given_initials,
       list_filter(list_distinct(coalesce(called.second_set, []) || coalesce(more.second_set, [])),
                   lambda w: w IS DISTINCT FROM coalesce(given, other_given)) AS second_set,
       CASE WHEN more.rid IS NULL THEN coalesce(called.family_set, [])
            ELSE list_distinct(coalesce(called.family_set, []) || coalesce(more.family_set, [])) END AS family_set,
       more.called, placeholder, unborn, twin
FROM called LEFT JOIN more USING (rid);

-- step: given_sound: how a given name sounds: spellings that a listener could not tell apart are one
CREATE TABLE given_sound AS SELECT given, sound(given) AS sound FROM (SELECT DISTINCT given FROM names WHERE given IS NOT NULL);

-- step: name_group: the groups of names.csv that a record's given names belong to, where it has several
CREATE TABLE name_group AS
SELECT rid, list_sort(list_distinct(flatten(list(groups)))) AS given_group
FROM (SELECT rid, unnest(list_distinct(called || [given])) AS token FROM names WHERE called IS NOT NULL) JOIN name_form USING (token)
GROUP BY rid;

-- step: family_group: the groups of surnames.csv that a record's surnames belong to
CREATE TABLE family_group AS
SELECT rid, list_sort(list_distinct(flatten(list(groups)))) AS family_group
FROM (SELECT rid, unnest(family_set) AS token FROM names) JOIN surname_form USING (token) GROUP BY rid;

-- step: home: every usable postcode of a record; pseudo-postcodes say that there is none
CREATE TABLE home AS
WITH claim AS (
    SELECT rid, compact(postcode) AS postcode, true AS current FROM record WHERE postcode IS NOT NULL
    UNION ALL
    SELECT rid, compact(a.postcode), a.kind = 'home' FROM person_address a JOIN record USING (record_id) WHERE a.postcode IS NOT NULL
)
-- Asked of what is grouped: a condition on single rows would be worked out where they are read, and tidy each postcode again for each part of it.
SELECT rid, postcode, bool_or(current) AS current FROM claim GROUP BY rid, postcode
HAVING bool_and(length(postcode) BETWEEN 4 AND 8 AND NOT starts_with(postcode, 'ZZ'));

-- step: number_claim: every identifier of a record, in one spelling, with what may be built on it
CREATE TABLE number_claim AS
WITH claim AS MATERIALIZED (
    SELECT rid, agency, 'nhs_number' AS scheme, spaceless(nhs_number) AS value,
           CASE nhs_number_status WHEN '01' THEN 'verified' ELSE 'stated' END AS status
    FROM record_row WHERE nhs_number IS NOT NULL
    UNION ALL SELECT rid, agency, 'upn', spaceless(upn), 'stated' FROM record_row WHERE upn IS NOT NULL
    UNION ALL
    SELECT rid, record.agency, scheme, spaceless(value), coalesce(status, 'stated')
    FROM person_identifier JOIN record USING (record_id) WHERE value IS NOT NULL AND scheme IS NOT NULL
),
-- A number stands on several records, and often twice on one: each is looked at once.
judged AS MATERIALIZED (
    SELECT scheme, value, status, coalesce(s.space, scheme) AS number_space,
           CASE WHEN scheme IN (SELECT scheme FROM definitional_scheme) THEN 'definitional'
                WHEN status IN ('invalid', 'temporary') THEN 'local'
                WHEN s.space IS NULL THEN 'local'
                WHEN s.space = 'nhs' AND NOT nhs_ok(value, nhs_digits) THEN 'invalid'
                WHEN s.space = 'nhs' AND starts_with(value, '9') AND NOT getvariable('test_numbers') THEN 'invalid'
                WHEN s.space = 'upn' AND NOT upn_ok(value, upn_digits) THEN 'invalid'
                WHEN s.space = 'upn' AND NOT regexp_matches(value, '[0-9]$') THEN 'local'
                ELSE 'national' END AS kind
    FROM (SELECT *, TRY_CAST(value AS BIGINT) AS nhs_digits, TRY_CAST(substr(value, 2, 11) AS BIGINT) AS upn_digits
          FROM (SELECT DISTINCT scheme, value, status FROM claim WHERE length(value) >= 3)) LEFT JOIN national_scheme s USING (scheme)
),
-- An invalid number with the issuer's name on it is still a local key; a former or mistyped national one is nothing. A number by which
-- the source keys its people (a UPN in a school's feeds) is, within the agency, that key.
keyed AS (
    SELECT rid, kind, scheme, number_space, agency, value, status FROM claim JOIN judged USING (scheme, value, status)
    WHERE kind <> 'invalid'
    UNION ALL
    SELECT rid, 'key', 'key', 'key', claim.agency, value, status
    FROM claim JOIN (SELECT rid, spaceless(source_person_id) AS value FROM record) r USING (rid, value)
    WHERE scheme <> 'former_upn' AND scheme NOT IN (SELECT scheme FROM definitional_scheme) AND length(value) >= 3
)
SELECT rid, kind, space, hash(space, value) AS value, bool_or(verified) AS verified
FROM (SELECT rid, kind, CASE kind WHEN 'national' THEN number_space ELSE scheme || '@' || agency END AS space, value,
             status = 'verified' AS verified FROM keyed)
GROUP BY ALL;

-- step: number: identifiers that few enough records hold
CREATE TABLE number AS
SELECT c.* FROM number_claim c
ANTI JOIN (SELECT value FROM number_claim GROUP BY value HAVING count(DISTINCT rid) > {max_holders}
           UNION ALL SELECT value FROM crowded_elsewhere) crowd USING (value);

-- step: numbers: per record the numbers that are compared
CREATE TABLE numbers AS
SELECT rid,
       coalesce(list_sort(list(value) FILTER (space = 'nhs')), []) AS nhs,
       coalesce(bool_or(verified) FILTER (space = 'nhs'), false) AS nhs_verified,
       coalesce(list_sort(list(value) FILTER (space = 'upn')), []) AS upn
FROM number WHERE kind = 'national'
GROUP BY rid;

-- step: birth: birth dates as far as they can be believed
CREATE TABLE birth AS
WITH believed AS (
    SELECT rid, feed, agency, record_id, source_person_id,
           -- A child is under 18, a care leaver under 25: whom the source calls a child was not born before that. Before living memory there
           -- are people of the past, and the days from which systems count: those are nothing.
           CASE WHEN birth_date <= getvariable('today')
                     AND birth_date NOT IN (DATE '0001-01-01', DATE '1601-01-01', DATE '1753-01-01', DATE '1899-12-30', DATE '1899-12-31',
                                            DATE '1900-01-01')
                     AND NOT (role IS NOT DISTINCT FROM 'child' AND birth_date < getvariable('today') - INTERVAL 25 YEAR) THEN birth_date END AS birth,
           -- 1 January is what systems write for a year.
           CASE coalesce(birth_date_precision, 'day')
                WHEN 'day' THEN CASE WHEN month(birth_date) = 1 AND day(birth_date) = 1 THEN 1 ELSE 3 END
                WHEN 'month' THEN 2 ELSE 1 END AS precision,
           CASE WHEN birth_date_precision = 'age' THEN 1 ELSE 0 END AS age_slack
    FROM record
)
SELECT rid, record_id, agency, feed,
       CASE WHEN contains(source_person_id, '/') THEN split_part(source_person_id, '/', 1) END AS source_root,
       coalesce(contains(source_person_id, '/'), false) AS attached,
       birth, CASE WHEN birth IS NULL THEN 0 ELSE precision END AS precision, age_slack
FROM believed;

-- step: birth_doubt: dates that are also those of a relative in the same source, of another person in the same notice, or of the incident
CREATE TABLE birth_doubt AS
WITH dated AS (SELECT * FROM birth WHERE precision = 3)
SELECT DISTINCT a.rid FROM dated a JOIN dated b
    ON a.agency = b.agency AND a.feed = b.feed AND a.source_root = b.source_root AND a.birth = b.birth AND a.rid <> b.rid
    JOIN names na ON na.rid = a.rid JOIN names nb ON nb.rid = b.rid
    WHERE na.given IS DISTINCT FROM nb.given
UNION
SELECT unnest([a.rid, b.rid]) FROM relationship r JOIN dated a USING (record_id) JOIN dated b ON b.record_id = r.other_record_id
    WHERE a.birth = b.birth
UNION
-- In one postcode two children of different names seldom share a birth date unless they are twins or one's was copied.
SELECT unnest([x.rid, y.rid]) FROM dated x JOIN home hx ON hx.rid = x.rid
    JOIN home hy ON hy.postcode = hx.postcode AND hy.rid > hx.rid
    JOIN dated y ON y.rid = hy.rid AND y.birth = x.birth
    JOIN names nx ON nx.rid = x.rid JOIN names ny ON ny.rid = y.rid
    WHERE nx.given <> ny.given AND jaro_winkler_similarity(nx.given, ny.given) < 0.7
UNION
SELECT DISTINCT a.rid FROM event e JOIN dated a USING (record_id)
    WHERE CAST(e.occurred_from AS DATE) = a.birth AND NOT contains(coalesce(e.event_type, ''), 'birth');

-- step: constant: values so common that they are some system's default: never evidence
CREATE TABLE constant AS
SELECT 'given' AS attribute, given AS value, count(*) AS records FROM names WHERE given IS NOT NULL GROUP BY given
    HAVING count(*) > greatest({constant_least}, {share_given} * {records})
UNION ALL
SELECT 'family', family, count(*) FROM names WHERE family IS NOT NULL GROUP BY family
    HAVING count(*) > greatest({constant_least}, {share_family} * {records})
UNION ALL
SELECT 'birth', CAST(birth AS VARCHAR), count(*) FROM birth WHERE birth IS NOT NULL AND precision = 3 GROUP BY birth
    HAVING count(*) > greatest({constant_least}, {share_birth} * {records})
UNION ALL
SELECT 'postcode', postcode, count(*) FROM home GROUP BY postcode
    HAVING count(*) > greatest({constant_least}, {share_postcode} * {records});

-- step: dwelling: per record the houses it lived at: number and street ('12 acacia'), and all numbers and words of the addresses. Only
-- adults are compared by it (model.py), and whose date of birth is not known: nobody else's addresses are taken apart
CREATE TABLE dwelling AS
WITH claim AS (
    SELECT rid, list_filter(string_split(regexp_replace(strip_accents(lower(address)), '[^a-z0-9]+', ' ', 'g'), ' '),
                            lambda w: length(w) > 0 AND NOT list_contains(getvariable('dwelling_words'), w)) AS words
    FROM person_address a JOIN birth USING (record_id)
    WHERE a.address IS NOT NULL AND a.kind IN ('home', 'previous')
      AND (birth IS NULL OR birth <= getvariable('today') - INTERVAL 25 YEAR
           OR CAST(birth AS VARCHAR) IN (SELECT value FROM constant WHERE attribute = 'birth'))
),
numbered AS (
    SELECT rid, words,
           list_filter(range(1, len(words) + 1), lambda i: words[i] BETWEEN '0' AND '9z') AS places
    FROM claim
)
SELECT rid,
       list_sort(list_distinct(flatten(list(list_transform(places, lambda i: words[i]))))) AS house_numbers,
       list_sort(list_distinct(flatten(list(list_filter(words, lambda w: length(w) >= 4 AND NOT w BETWEEN '0' AND '9z'))))) AS house_words,
       -- The street is the next word that is no number: 'flat 3, 12 high street' is 3 high and 12 high.
       list_sort(list_distinct(flatten(list(list_filter(list_transform(places, lambda i: words[i] || ' ' ||
           list_filter(words[i + 1:], lambda w: NOT w BETWEEN '0' AND '9z')[1]), lambda door: door IS NOT NULL))))) AS houses
FROM numbered GROUP BY rid;

-- step: family_second: second names that children of one home and surname bear who differ in first name and birth date: a father's or a
-- family's. They tell no child of that home from another
CREATE TABLE family_second AS
SELECT token, family, postcode FROM (
    SELECT unnest(second_set) AS token, family, postcode, given, birth FROM names JOIN birth USING (rid) JOIN home USING (rid)
    WHERE len(second_set) > 0 AND family IS NOT NULL AND length(given) > 1 AND precision = 3)
GROUP BY token, family, postcode HAVING count(DISTINCT birth) > 1 AND count(DISTINCT given) > 1;

-- step: second: per record the second names that are the child's own
CREATE TABLE second AS
WITH own AS (SELECT rid, family, unnest(second_set) AS token FROM names WHERE len(second_set) > 0),
shared AS (SELECT DISTINCT own.rid, token FROM own JOIN home USING (rid) JOIN family_second USING (token, family, postcode))
SELECT rid, list_sort(list(token)) AS given_second FROM own ANTI JOIN shared USING (rid, token) GROUP BY rid;

-- step: given_bearers: given names that enough children with different birth dates bear to be names rather than slips
CREATE TABLE given_bearers AS
WITH borne AS (SELECT given, birth, agency FROM names JOIN birth USING (rid) WHERE length(given) > 1 AND precision = 3)
SELECT given FROM borne GROUP BY given HAVING count(DISTINCT birth) >= greatest(3, {size} / 100000)
UNION
-- A slip is not made twice the same: a spelling that two agencies write of one birth date is a name, however few bear it.
SELECT given FROM borne GROUP BY given, birth HAVING count(DISTINCT agency) > 1
UNION
SELECT DISTINCT given FROM borne JOIN name_form ON name_form.token = borne.given;

-- step: same_day: surnames and birth dates that children of different names have: twins, or namesakes in part
CREATE TABLE same_day AS
SELECT token, birth FROM (
    SELECT unnest(family_set) AS token, birth, coalesce(nf.groups[1], gs.sound) AS called
    FROM names n JOIN birth USING (rid) JOIN given_bearers USING (given) JOIN given_sound gs USING (given)
        LEFT JOIN name_form nf ON nf.token = n.given
    WHERE precision = 3)
GROUP BY token, birth HAVING count(DISTINCT called) > 1;

-- step: twin_hint: records that a twin may be meant by: another child of that surname, or that home, was born on the same day
CREATE TABLE twin_hint AS
-- Materialized: joined by surname alone first, a common one would meet all its birth dates.
WITH dated AS MATERIALIZED (SELECT rid, unnest(family_set) AS token, birth FROM names JOIN birth USING (rid))
SELECT DISTINCT rid FROM dated JOIN same_day USING (token, birth)
UNION SELECT rid FROM birth_doubt;

-- step: mother: what is said of a record's mother's name
CREATE TABLE mother AS
SELECT r.rid, list_sort(list_distinct(flatten(list(m.given_set)))) AS mother_given
FROM relationship k JOIN record r ON r.record_id = k.record_id JOIN record o ON o.record_id = k.other_record_id
    JOIN names m ON m.rid = o.rid
WHERE k.relationship = 'mother' GROUP BY r.rid HAVING len(mother_given) > 0;

-- step: due: when an unborn child can have been born. With an expected date, from 120 days before it (24 weeks, when a child can live) to
-- 30 days after (two weeks over term, and an error of dating); without one, within the 280 days of a pregnancy that follow the first word
-- of it, and 20 over
CREATE TABLE due AS
WITH mention AS (
    SELECT r.rid, any_value(r.expected_birth_date) AS expected,
           least(min(CAST(e.occurred_from AS DATE)), min(w.told_on)) AS first_word
    FROM record r JOIN names n USING (rid) JOIN birth b USING (rid)
        LEFT JOIN record_row w ON w.rid = r.rid LEFT JOIN event e ON e.record_id = r.record_id
    WHERE n.unborn OR (r.expected_birth_date IS NOT NULL AND b.birth IS NULL)
    GROUP BY r.rid
)
SELECT rid, coalesce(expected - 120, first_word - 1) AS due_from, coalesce(expected + 30, first_word + 300) AS due_to FROM mention;

-- step: due_doubt: unborn children of one home and surname who cannot be one, or with two births there within the time or half a year after:
-- which of them somebody was thinking of is not known
CREATE TABLE due_doubt AS
WITH unborn AS (SELECT due.*, home.postcode, unnest(family_set) AS token FROM due JOIN home USING (rid) JOIN names USING (rid))
SELECT DISTINCT x.rid FROM unborn x JOIN unborn y ON x.postcode = y.postcode AND x.token = y.token
WHERE x.due_to < y.due_from OR y.due_to < x.due_from
UNION
SELECT x.rid FROM unborn x JOIN home h ON h.postcode = x.postcode JOIN birth b ON b.rid = h.rid JOIN names n ON n.rid = h.rid
WHERE b.precision = 3 AND b.birth BETWEEN x.due_from AND x.due_to + 180 AND list_contains(n.family_set, x.token)
GROUP BY x.rid, x.postcode, x.token HAVING count(DISTINCT b.birth) > 1;

-- step: adult_feed: feeds in which not one known birth date in a hundred is that of somebody who could be a child or a care leaver: whom they
-- name without a date is grown up too
CREATE TABLE adult_feed AS
SELECT agency, feed FROM birth WHERE birth IS NOT NULL GROUP BY agency, feed
HAVING count(*) >= {constant_least} AND count(*) FILTER (birth > getvariable('today') - INTERVAL 25 YEAR) < 0.01 * count(*);

-- step: child_feed: feeds of which three known birth dates in four are those of somebody who is a child or a care leaver: whom they name
-- without a date is one too (docs/decisions/0017). Records that hang on another's are counted by themselves: a patient's relatives
CREATE TABLE child_feed AS
SELECT agency, feed, attached FROM birth WHERE birth IS NOT NULL GROUP BY agency, feed, attached
HAVING count(*) FILTER (birth > getvariable('today') - INTERVAL 25 YEAR) + 1 >= 0.75 * (count(*) + 2);

-- step: register: sources that keep people, by a number of their own on at least one record in twenty; the others mention them, as often
-- as something happens
CREATE TABLE register AS
SELECT r.agency, r.feed FROM record r LEFT JOIN (SELECT DISTINCT rid FROM number WHERE kind IN ('national', 'definitional')) n USING (rid)
GROUP BY r.agency, r.feed HAVING count(n.rid) >= 0.05 * count(*);

-- step: person: everything the model compares, one row per record
CREATE TABLE person AS
-- Joined first, the lists apart, and computed last: in one go it costs several times as much, also of a few records.
WITH joined AS MATERIALIZED (
    SELECT r.*, n.* EXCLUDE (rid), b.* EXCLUDE (rid),
           cg.value IS NOT NULL AS given_constant, cf.value IS NOT NULL AS family_constant, cb.value IS NOT NULL AS birth_constant,
           bd.rid IS NOT NULL AS birth_doubtful, th.rid IS NOT NULL OR dd.rid IS NOT NULL AS twin_hint,
           reg.feed IS NOT NULL AS registered, af.feed IS NOT NULL AS of_adults, chf.feed IS NOT NULL AS of_children,
           gs.sound, kb.given IS NOT NULL AS given_borne, due.due_from, due.due_to
    FROM (SELECT rid, agency, feed, role, source_person_id, expected_birth_date, sex FROM record) r
    JOIN (SELECT rid, given, family, twin, unborn AS said_unborn, placeholder FROM names) n USING (rid)
    JOIN (SELECT rid, birth, precision, age_slack, attached FROM birth) b USING (rid)
    LEFT JOIN birth_doubt bd USING (rid)
    LEFT JOIN twin_hint th USING (rid)
    LEFT JOIN due USING (rid)
    LEFT JOIN due_doubt dd USING (rid)
    LEFT JOIN register reg ON reg.agency = r.agency AND reg.feed = r.feed
    LEFT JOIN given_sound gs ON gs.given = n.given
    LEFT JOIN given_bearers kb ON kb.given = n.given
    LEFT JOIN constant cg ON cg.attribute = 'given' AND cg.value = n.given
    LEFT JOIN constant cf ON cf.attribute = 'family' AND cf.value = n.family
    LEFT JOIN constant cb ON cb.attribute = 'birth' AND cb.value = CAST(b.birth AS VARCHAR) AND b.precision = 3
    LEFT JOIN adult_feed af ON af.agency = r.agency AND af.feed = r.feed
    LEFT JOIN child_feed chf ON chf.agency = r.agency AND chf.feed = r.feed AND chf.attached = b.attached
),
named AS MATERIALIZED (
    SELECT n.rid, given_set, given_initials, coalesce(g.given_group, nf.groups) AS given_group, sn.given_second, family_set, fg.family_group
    FROM (SELECT rid, given, given_set, given_initials, family_set FROM names) n
    LEFT JOIN name_group g USING (rid)
    LEFT JOIN name_form nf ON nf.token = n.given
    LEFT JOIN family_group fg USING (rid)
    LEFT JOIN second sn USING (rid)
),
placed AS (
    SELECT rid, postcode, postcodes, houses, house_numbers, house_words, nhs, nhs_verified, upn, mother_given
    FROM (SELECT rid FROM record)
    LEFT JOIN (SELECT rid, min(home.postcode) FILTER (current) AS postcode, list_sort(list(home.postcode)) AS postcodes
               FROM home WHERE home.postcode NOT IN (SELECT value FROM constant WHERE attribute = 'postcode')
               GROUP BY rid) h USING (rid)
    LEFT JOIN mother mo USING (rid)
    LEFT JOIN dwelling dw USING (rid)
    LEFT JOIN numbers i USING (rid)
),
dated AS (
    SELECT * EXCLUDE (said_unborn), said_unborn OR (expected_birth_date IS NOT NULL AND birth IS NULL) AS unborn, said_unborn,
           year(birth) AS y, month(birth) AS m, day(birth) AS d,
           birth > getvariable('today') - INTERVAL 25 YEAR AS young FROM joined
)
SELECT rid, hash(agency) AS agency, hash(agency, feed) AS source,
       CASE WHEN contains(source_person_id, '/') THEN hash(agency, feed, regexp_extract(source_person_id, '^(.*)/[^/]*$', 1)) END AS notice,
       CASE WHEN unborn THEN 'child' WHEN role IN ('child', 'adult') THEN role END AS stated_role,
       CASE WHEN role IN ('child', 'adult') THEN role
            WHEN said_unborn THEN 'child'
            WHEN birth > getvariable('today') - INTERVAL 18 YEAR THEN 'child'
            WHEN birth >= DATE '{earliest_birth}' AND birth <= getvariable('today') - INTERVAL 25 YEAR THEN 'adult' END AS role,
       -- Beyond the age of a care leaver by its birth date: no child, and no child's twin.
       role IS DISTINCT FROM 'child' AND NOT said_unborn AND NOT birth_constant AND coalesce(NOT young, of_adults) AS grown,
       -- Whether it is a child's record or an adult's, as far as its source, its own birth date or its feed tells.
       CASE WHEN role = 'child' OR unborn THEN 'child'
            WHEN role = 'adult' THEN 'adult'
            WHEN birth >= DATE '{earliest_birth}' AND NOT birth_doubtful AND NOT birth_constant THEN CASE WHEN young THEN 'child' ELSE 'adult' END
            WHEN of_children THEN 'child'
            WHEN of_adults THEN 'adult' END AS generation,
       coalesce(birth < DATE '{earliest_birth}', false) AS past,
       coalesce(houses, []) AS houses, coalesce(house_numbers, []) AS house_numbers, coalesce(house_words, []) AS house_words,
       unborn, placeholder,
       CASE WHEN NOT given_constant THEN given END AS given,
       CASE WHEN given_constant THEN [] ELSE given_set END AS given_set,
       CASE WHEN given_constant THEN [] ELSE given_initials END AS given_initials,
       CASE WHEN given_constant THEN [] ELSE coalesce(given_group, []) END AS given_group,
       CASE WHEN NOT given_constant THEN sound END AS given_sound,
       CASE WHEN given_constant THEN [] ELSE coalesce(given_second, []) END AS given_second,
       given_borne,
       CASE WHEN NOT family_constant THEN family END AS family,
       CASE WHEN family_constant THEN [] ELSE family_set END AS family_set,
       CASE WHEN family_constant THEN [] ELSE coalesce(family_group, []) END AS family_group,
       CASE WHEN NOT birth_constant THEN birth END AS birth,
       CASE WHEN birth_constant THEN 0 ELSE precision END AS precision,
       age_slack, birth_doubtful,
       CASE WHEN NOT birth_constant THEN CAST(y * 10000 + m * 100 + d AS VARCHAR) END AS birth_text,
       CASE WHEN NOT birth_constant AND precision = 3 AND d <= 12 AND d <> m THEN make_date(y, d, m) END AS birth_swap,
       CASE WHEN NOT birth_constant AND precision = 3
            THEN y * 10000 + CASE WHEN d <= 12 THEN least(d, m) * 100 + greatest(d, m) ELSE m * 100 + d END END AS birth_key,
       CASE WHEN sex IN ('M', 'F') THEN sex END AS sex,
       postcode, coalesce(postcodes, []) AS postcodes,
       coalesce(nhs, []) AS nhs, coalesce(nhs_verified, false) AS nhs_verified, coalesce(upn, []) AS upn,
       registered, registered OR of_adults AS keeps_adults, twin_hint OR twin AS twin_hint, due_from, due_to, coalesce(mother_given, []) AS mother_given
FROM dated JOIN named USING (rid) JOIN placed USING (rid);

-- step: linkable: records with anything of their own to be linked by; an adult with only a name stays a person of its own
CREATE TABLE linkable AS
SELECT rid FROM person p
WHERE (p.birth IS NOT NULL AND (p.given IS NOT NULL OR p.family IS NOT NULL OR len(p.postcodes) > 0))
   OR rid IN (SELECT rid FROM number) OR p.unborn
   OR (p.role IS DISTINCT FROM 'adult' AND p.given IS NOT NULL AND p.family IS NOT NULL AND len(p.postcodes) > 0);

-- step: name_token: every name a linkable record can be looked up by
CREATE TABLE name_token AS
SELECT DISTINCT rid, kind, token FROM (
    SELECT rid, 'given' AS kind, unnest(given_set) AS token FROM person
    UNION ALL SELECT rid, 'given', '#' || unnest(given_group) FROM person
    UNION ALL SELECT rid, 'given', given FROM person WHERE given IS NOT NULL
    UNION ALL SELECT rid, 'family', unnest(family_set) FROM person
) WHERE length(token) >= 2 AND rid IN (SELECT rid FROM linkable);

-- step: due_range: the days on which the unborn children that are known of can be born
CREATE TABLE due_range AS SELECT min(due_from) AS due_from, max(due_to) AS due_to FROM person;

-- step: unborn_token: the surnames and mothers of unborn children
CREATE TABLE unborn_token AS
SELECT DISTINCT unnest(family_set || list_transform(mother_given, lambda name: 'mother ' || name)) AS token FROM person WHERE unborn;

-- step: expecting: unborn children, and the children they may have become, by surname or by the mother's given name
CREATE TABLE expecting AS
WITH near AS (
    SELECT rid, family_set, mother_given FROM person
    WHERE unborn OR (role IS DISTINCT FROM 'adult'
                     AND birth BETWEEN (SELECT due_from FROM due_range) AND (SELECT due_to FROM due_range))
),
told AS (
    SELECT rid, unnest(family_set) AS token FROM near
    UNION SELECT rid, 'mother ' || unnest(mother_given) FROM near
)
SELECT rid, token FROM told SEMI JOIN unborn_token USING (token);

-- step: known: of each record what counts together with all others (names, dates, places, numbers), so that a night need not read them all
CREATE TABLE known AS
SELECT p.rid, r.agency, r.feed, b.attached, n.given, n.family, b.birth, b.precision, coalesce(h.postcodes, []) AS postcodes,
       m.rid IS NOT NULL AS numbered, l.rid IS NOT NULL AS linkable, p.given AS given_shown, p.family AS family_shown,
       p.birth IS NOT NULL AS dated, p.role IS NOT DISTINCT FROM 'adult' AS adult, p.unborn, p.due_from, p.due_to,
       CASE WHEN p.unborn THEN p.family_set || list_transform(p.mother_given, lambda name: 'mother ' || name) ELSE [] END AS due_tokens
FROM person p JOIN record r USING (rid) JOIN names n USING (rid) JOIN birth b USING (rid)
LEFT JOIN (SELECT rid, list_sort(list(postcode)) AS postcodes FROM home GROUP BY rid) h USING (rid)
LEFT JOIN (SELECT DISTINCT rid FROM number WHERE kind IN ('national', 'definitional')) m USING (rid)
LEFT JOIN linkable l USING (rid);

-- step: look: under what a record is read together with others, by the steps above: 254 by birth date and surname, home or notice, by
-- second name, surname and home, and by a stated relationship; 253 by home and surname or mother, where one of them is unborn; 252 by a number.
-- Who writes a step that looks at other records adds here what it looks by: docs/decisions/0012
CREATE TABLE look AS
WITH named AS (SELECT rid, unnest(family_set) AS token FROM names),
dated AS (SELECT * FROM birth WHERE precision = 3)
SELECT DISTINCT rid, kind::UTINYINT AS rule, key FROM (
    SELECT rid, 254 AS kind, hash('day', token, birth) AS key FROM named JOIN dated USING (rid)
    UNION ALL SELECT rid, 254, hash('place', postcode, birth) FROM home JOIN dated USING (rid)
    UNION ALL SELECT rid, 254, hash('root', agency, feed, source_root, birth) FROM dated WHERE source_root IS NOT NULL
    UNION ALL SELECT rid, 254, hash('second', unnest(second_set), family, postcode) FROM names JOIN home USING (rid)
        WHERE len(second_set) > 0 AND family IS NOT NULL
    UNION ALL SELECT r.rid, 254, hash('related', k.record_id, k.other_record_id) FROM relationship k JOIN record r
        ON r.record_id = k.record_id OR r.record_id = k.other_record_id
    UNION ALL SELECT rid, 253, hash('ub', token, postcode) FROM named JOIN home USING (rid)
    UNION ALL SELECT rid, 253, hash('ub', 'mother ' || unnest(mother_given), postcode) FROM mother JOIN home USING (rid)
    UNION ALL SELECT rid, 252, value FROM number_claim
);
