-- From scored pairs to what a pair is good for. Works on the scratch tables of prepare.py and on `scored`, the scored pairs; {levels} is each
-- comparison's level by name (link.py), worked out where it is read: ten texts a pair are dear to keep. Rules are in order of trust; the
-- reason for each stands beside it.

-- step: shared_number: pairs that share a number, and the strongest kind of it
CREATE TABLE shared_number AS
SELECT a.rid AS a, b.rid AS b, a.space, a.value, a.kind
FROM {number} a JOIN {number} b ON a.value = b.value AND a.kind = b.kind AND a.rid < b.rid;

-- step: facts: what rules look at: two attested names are two people, an unattested one may be noise
CREATE TABLE facts AS
SELECT a, b, weight, {codes},
       l.source = r.source AS same_source,
       l.agency <> r.agency AS cross_agency,
       l.registered AS keyed,
       l.given_borne AND r.given_borne AS both_borne,
       l.placeholder OR r.placeholder AS placeholder,
       l.unborn OR r.unborn AS unborn,
       -- Whom a slip dates into the past is no adult beside a date of living memory.
       l.grown AND r.grown AND (l.birth IS NULL OR r.birth IS NULL OR l.past = r.past) AS grown,
       l.keeps_adults AND r.keeps_adults AS both_keep_adults,
       l.generation IS NULL OR r.generation IS NULL AS generation_unknown,
       coalesce(l.generation <> r.generation, false) AS generations_differ,
       coalesce(l.generation = 'child' AND r.generation = 'child', false) AS both_children,
       (l.given IS NOT NULL OR l.registered) AND (r.given IS NOT NULL OR r.registered) AS nameless_keyed,
       l.twin_hint OR r.twin_hint AS twin_hint,
       l.birth IS NOT NULL AND r.birth IS NOT NULL AND l.past = r.past AS both_dated,
       -- A garble keeps the length of the name, more or less; who holds different numbers is not merely spelt differently.
       coalesce(c.upn = 'different', false) OR coalesce(c.nhs IN ('different', 'verified_differ'), false) AS numbers_differ,
       coalesce((l.unborn AND r.birth BETWEEN l.due_from AND l.due_to) OR (r.unborn AND l.birth BETWEEN r.due_from AND r.due_to)
                OR (l.unborn AND r.unborn AND l.due_from <= r.due_to AND r.due_from <= l.due_to), false) AS due,
       list_has_any(l.mother_given, r.mother_given) AS mother_agrees,
       len(l.mother_given) > 0 AND len(r.mother_given) > 0 AND NOT list_has_any(l.mother_given, r.mother_given) AS mother_differs,
       coalesce(abs(date_diff('day', l.birth, r.birth)), 0) AS days_apart,
       coalesce(c.given IN ('exact', 'known_by', 'variant', 'swapped', 'swapped_near', 'one_name')
                OR (c.given = 'similar' AND NOT (l.given_borne AND r.given_borne)), false) AS given_agrees,
       coalesce(c.birth IN ('exact', 'swapped', 'slip'), false) AS birth_agrees,
       coalesce(c.birth IN ('partial_month', 'partial_year'), false) AS birth_partly,
       coalesce(c.family IN ('exact', 'known') OR c.given IN ('swapped', 'swapped_near'), false) AS family_agrees,
       -- One slip in the postcode of one surname is a slip, not a move.
       coalesce(c.postcode IN ('same', 'known') OR (c.postcode = 'near' AND c.family = 'exact') OR c.address = 'same', false) AS home_agrees,
       coalesce(c.second = 'exact', false) AS second_agrees,
       -- An initial before it says that the second name is what stands there: L Audrey is Lana Audrey.
       (list_contains(l.given_second, r.given) OR list_contains(r.given_second, l.given))
           AND len(l.given_initials) = 0 AND len(r.given_initials) = 0 AS called_by_second,
       coalesce(c.sex = 'different', false) AS sex_differs
FROM (SELECT *, {levels} FROM scored) c JOIN person l ON l.rid = c.a JOIN person r ON r.rid = c.b;

-- step: clash: holders of one number who are two people by name, or by name and birth date
CREATE TABLE clash AS
SELECT s.*, f.weight FROM shared_number s JOIN (SELECT *, {levels} FROM facts) f USING (a, b)
WHERE s.kind = 'national'
  -- Within one agency the key decides, unless nothing at all agrees.
  AND NOT EXISTS (SELECT 1 FROM shared_number k WHERE k.a = s.a AND k.b = s.b AND k.kind IN ('definitional', 'key')
                  AND NOT (f.given IN ('different', 'garbled') AND f.birth IN ('near', 'different')))
  AND ((f.given IN ('different', 'garbled') AND f.both_borne)
       OR (f.given IN ('different', 'garbled') AND f.birth IN ('near', 'different'))
       -- One register does not write one child under two names and two keys: Youssef and Yousef there are twins, or a duplicate
       -- that a person can tell from twins.
       OR (f.same_source AND f.keyed AND f.both_borne AND f.given IN ('known_by', 'variant', 'similar')));

-- step: disputed: the numbers on which that is so; of those that no change reaches, as it was
CREATE TABLE disputed AS
SELECT DISTINCT space, value FROM clash SEMI JOIN reopened USING (value)
UNION SELECT space, value FROM kept_disputed ANTI JOIN reopened USING (value);

-- step: trusted: pairs with a number that nobody disputes; a number on two differing people proves nothing until someone decides
CREATE TABLE trusted AS
SELECT a, b, bool_or(kind = 'definitional') AS definitional, bool_or(kind = 'key') AS same_key,
       bool_or(kind = 'national' AND d.value IS NULL) AS national,
       bool_or(kind = 'local') AS local,
       bool_or(s.space = 'nhs' AND d.value IS NULL) AS nhs_holds,
       coalesce(bool_or(s.kind = 'national' AND d.value IS NOT NULL), false) AS disputed
FROM shared_number s LEFT JOIN (SELECT DISTINCT value FROM disputed) d ON d.value = s.value
GROUP BY a, b;

-- step: judged: per pair the rule that speaks for it; tier 0 and 1 are numbers, 2 the model, 3 thin evidence that needs to be without
-- rival, 9 a question for people
CREATE TABLE judged AS
WITH weighed AS (
    SELECT f.*, coalesce(t.definitional, false) AS definitional, coalesce(t.same_key, false) AS same_key, coalesce(t.national, false) AS national,
           coalesce(t.local, false) AS local, coalesce(t.disputed, false) AS disputed,
           -- A disputed number's weight is taken back, from claims as well: it is nobody's.
           CASE WHEN coalesce(t.disputed, false) AND NOT t.national
                THEN greatest(CASE WHEN f.nhs = 'same' THEN {weight_nhs} ELSE 0 END,
                              CASE WHEN f.upn = 'same' THEN {weight_upn} ELSE 0 END) ELSE 0 END AS taken_back
    FROM (SELECT *, {levels} FROM facts) f LEFT JOIN trusted t USING (a, b)
),
-- Weights are whole billionths of a bit up to here.
likely AS (SELECT *, (weight - taken_back) / 1e9 AS bits, 1 / (1 + pow(2, -bits)) AS likelihood FROM weighed),
ruled AS (
    SELECT *, CASE
        WHEN definitional THEN 'same_key'
        WHEN same_key AND NOT same_source AND (given_agrees OR family_agrees OR birth_agrees OR given IS NULL OR birth IS NULL)
             THEN 'same_key'
        -- A number and a name or date that agrees; what is missing on one side says nothing against it.
        WHEN national AND (given_agrees OR given IS NULL) AND (birth_agrees OR birth_partly OR birth IS NULL)
             AND (given_agrees OR birth_agrees OR family_agrees OR (family IS NULL AND NOT sex_differs)) THEN 'number'
        -- One wrong birth date must not break what number and full name say.
        WHEN national AND given_agrees AND family_agrees THEN 'number_and_names'
        -- A garbled given name that nobody else bears is noise.
        -- One register does not write one child under two names and two keys: there the number was typed on the wrong twin.
        WHEN national AND birth_agrees AND given IN ('garbled', 'different') AND NOT both_borne AND NOT (same_source AND keyed)
             AND (family_agrees OR home_agrees) THEN 'number_and_birth'
        WHEN local AND NOT same_source AND given_agrees AND (birth_agrees OR (birth IS NULL AND family_agrees)) THEN 'local_number'
        -- Two real names that are nearly alike on one number may be twins: link only if nobody competes.
        WHEN national AND birth_agrees AND given = 'similar' AND both_borne AND (family_agrees OR home_agrees) THEN 'number_near_name'
        WHEN national OR disputed THEN CASE
             WHEN given_agrees AND birth_agrees AND likelihood >= {match_at} AND (family_agrees OR home_agrees OR family IS NULL)
                  AND given NOT IN ('variant', 'swapped_near') AND (NOT same_source OR given IN ('exact', 'known_by')) THEN 'model'
             WHEN unborn THEN NULL
             ELSE 'number_conflict' END
        -- Not yet born: the surname or the mother, the home, and the time; two that could be meant are twins or a mistake.
        WHEN unborn THEN CASE
             WHEN NOT due OR same_source OR NOT (family_agrees OR mother_agrees OR home_agrees) THEN NULL
             WHEN home_agrees AND (family_agrees OR mother_agrees) AND NOT mother_differs AND NOT sex_differs AND NOT twin_hint
                  AND NOT numbers_differ THEN 'unborn'
             WHEN (home_agrees AND family_agrees) OR (mother_agrees AND (home_agrees OR family_agrees)) THEN 'unborn_maybe' END
        -- Within one source two keys are two people unless everything agrees: sources seldom hold one child twice, and twins often.
        WHEN same_source AND keyed THEN CASE
             WHEN numbers_differ THEN NULL
             WHEN given IN ('exact', 'known_by') AND birth = 'exact' AND family_agrees AND NOT sex_differs
                  AND likelihood >= {match_at}
                  -- Two of one name and birth date at two homes are namesakes, or one who moved and was not found again: see settle.sql.
                  -- Archie and James Archie are a child registered twice, or twins.
                  THEN CASE WHEN given = 'known_by' AND called_by_second THEN 'second_key' WHEN postcode = 'different' THEN 'namesakes'
                       ELSE 'model' END
             -- A second registration by initial. A twin who fits it too is a rival, and a person decides.
             WHEN given = 'initial' AND birth = 'exact' AND family_agrees AND home_agrees AND NOT sex_differs THEN 'garbled_name' END
        -- Forms of one name may be twins' names. Where numbers differ a person decides; else only if nobody competes.
        WHEN given IN ('variant', 'swapped_near', 'one_name_near') AND birth_agrees AND (family_agrees OR family = 'similar' OR home_agrees OR family IS NULL) THEN CASE
             WHEN numbers_differ AND likelihood >= {potential_at} THEN 'near_variants'
             WHEN numbers_differ THEN NULL
             WHEN likelihood >= {match_at} AND NOT sex_differs THEN 'variant_name'
             WHEN likelihood >= {potential_at} THEN 'doubtful' END
        -- Individual evidence must suffice: given name and birth date; household evidence only supports.
        WHEN given_agrees AND birth_agrees AND (family_agrees OR family = 'similar' OR home_agrees OR family IS NULL) THEN CASE
             -- Another number and another home speak of another child, however rare the name: cousins are named alike.
             WHEN numbers_differ AND NOT home_agrees THEN CASE WHEN likelihood >= {potential_at} THEN 'namesakes_apart' END
             WHEN likelihood >= {match_at} THEN 'model'
             WHEN likelihood >= {potential_at} THEN 'doubtful' END
        WHEN given_agrees AND birth_agrees AND likelihood >= {match_at} AND NOT grown THEN 'moved_and_renamed'
        -- Thin evidence. A year or month only, no date at all, a wrong one, a garbled name.
        -- A year tells no twin from another, and her second name may be her sister's first.
        WHEN given_agrees AND birth_partly AND (family_agrees OR (family = 'similar' AND given = 'exact')) AND home_agrees AND NOT sex_differs
             THEN CASE WHEN given = 'known_by' AND called_by_second THEN 'no_birth_known_by' ELSE 'partial_birth' END
        WHEN given_agrees AND birth IS NULL AND (family_agrees OR (family = 'similar' AND given = 'exact')) AND home_agrees
             AND NOT sex_differs
             -- A second name may be a sister's first. And where two dates are known but doubted, nothing less than the same name will do.
             -- Father and son may share name and home (docs/decisions/0017).
             THEN CASE WHEN generations_differ THEN CASE WHEN both_dated AND given = 'exact' THEN 'far_birth' END
                       WHEN given = 'known_by' OR (both_dated AND given <> 'exact') THEN 'no_birth_known_by'
                       WHEN generation_unknown THEN 'no_birth_parent' ELSE 'no_birth' END
        WHEN given IN ('exact', 'known_by') AND birth IN ('near', 'different') AND family_agrees AND postcode = 'same'
             AND NOT sex_differs AND days_apart <= 5 * 366
             -- A brother is born on another day, and may bear as his first name what stands second here (docs/decisions/0023).
             THEN CASE WHEN given = 'known_by' AND called_by_second THEN 'no_birth_known_by' ELSE 'wrong_birth' END
        -- Nor do parents give two children the same first and second name (docs/decisions/0018).
        WHEN given = 'exact' AND second_agrees AND birth IN ('near', 'different') AND family_agrees AND home_agrees AND NOT sex_differs
             AND both_children AND NOT numbers_differ THEN 'wrong_birth'
        WHEN given IN ('garbled', 'initial') AND NOT both_borne AND NOT numbers_differ AND birth IN ('exact', 'swapped') AND (family_agrees OR family = 'similar')
             AND home_agrees AND NOT sex_differs THEN 'garbled_name'
        -- Two who share a second name that is no family's are not twins: one child, known by another first name, or by a garbled one.
        WHEN second_agrees AND given IN ('similar', 'garbled', 'different', 'initial') AND birth IN ('exact', 'swapped')
             AND (home_agrees OR (family_agrees AND given <> 'different' AND NOT both_borne))
             AND (family_agrees OR family IN ('similar', 'crossed') OR family IS NULL OR (given <> 'different' AND home_agrees))
             AND NOT numbers_differ AND NOT same_source AND NOT sex_differs THEN 'second_name'
        -- Two adults: neither is the other's twin at home, nor a child of the house (docs/decisions/0015). A name alone is never enough;
        -- a spouse is seldom born on the same day, though often a slip away from it; father and son may share a name and a home. Who has
        -- another given name must be an adult by more than the date: in a report about a child the date may be its mother's.
        WHEN grown AND NOT (same_source AND keyed) AND NOT numbers_differ AND likelihood >= {match_at}
             AND ((given_agrees AND (birth_agrees OR birth_partly))
                  OR (home_agrees AND NOT sex_differs AND (given = 'similar' OR both_keep_adults)
                      AND (birth IN ('exact', 'swapped') OR (birth = 'slip' AND given = 'similar')
                           OR (birth_partly AND given = 'similar' AND family_agrees)))
                  -- Surname and whole day, as home and whole day (docs/decisions/0021): what is known of the given name speaks of no twin.
                  OR (birth = 'exact' AND (family_agrees OR family = 'alone') AND NOT sex_differs
                      AND (given = 'similar' OR (both_keep_adults AND (given IS NULL OR given = 'initial'
                                                                       OR (given = 'garbled' AND coalesce(postcode <> 'different', true))))))
                  OR (home_agrees AND given_agrees AND (family_agrees OR family = 'similar')
                      AND days_apart NOT BETWEEN 15 * 365 AND 50 * 366)) THEN 'grown'
        -- Questions for people.
        WHEN given = 'similar' AND both_borne AND birth_agrees AND (family_agrees OR family = 'similar') AND home_agrees AND NOT same_source AND NOT sex_differs
             THEN 'near_names'
        WHEN given IN ('garbled', 'different') AND birth = 'exact' AND (family_agrees OR family = 'similar') AND home_agrees AND NOT same_source
             AND NOT sex_differs THEN CASE WHEN both_borne THEN 'other_name' ELSE 'odd_name' END
        -- Half of a swap: one name stands in the other's field, the other name is garbled or another one altogether.
        WHEN given IN ('garbled', 'different') AND birth = 'exact' AND family = 'crossed' AND home_agrees AND NOT same_source
             AND NOT sex_differs THEN 'half_swapped'
        WHEN given = 'exact' AND birth = 'different' AND family = 'exact' AND postcode = 'same' AND NOT sex_differs AND NOT same_source
             THEN 'far_birth'
        -- No name yet: the one child of that birth date, surname and home. Where anybody of another name was born there, or anywhere
        -- under that surname, on the same day, it may be the twin. At the door a brother's date is easily taken down: only registers.
        WHEN given IS NULL AND birth = 'exact' AND NOT same_source AND NOT sex_differs AND home_agrees THEN CASE
             WHEN family_agrees AND nameless_keyed AND NOT twin_hint AND NOT numbers_differ AND likelihood >= {match_at} THEN 'nameless'
             WHEN family_agrees OR family = 'similar' THEN 'nameless_twin'
             WHEN family IS NULL THEN 'nameless_home' END
        WHEN given IN ('exact', 'known_by') AND birth_partly AND family_agrees AND likelihood >= {match_at} AND NOT same_source
             AND NOT sex_differs THEN CASE WHEN second_agrees AND given = 'exact' THEN 'full_name' ELSE 'year_moved' END
        WHEN given IN ('exact', 'known_by') AND birth = 'near' AND family_agrees AND likelihood >= {match_at} AND NOT same_source
             AND NOT sex_differs THEN 'near_birth'
        WHEN given IN ('exact', 'known_by', 'variant') AND birth IS NULL AND family_agrees AND likelihood >= {match_at} AND NOT same_source
             THEN 'no_birth_moved'
        END AS rule
    FROM likely
)
SELECT a, b, rule,
       CASE WHEN rule = 'same_key' THEN 0
            WHEN rule IN ('number', 'number_and_names', 'number_and_birth', 'local_number') THEN 1
            WHEN rule = 'model' THEN 2
            WHEN rule IN ('number_near_name', 'partial_birth', 'no_birth', 'wrong_birth', 'variant_name', 'nameless', 'unborn',
                          'garbled_name', 'second_name', 'full_name', 'grown') THEN 3
            ELSE 9 END AS tier,
       bits, ({claim} - taken_back) / 1e9 AS claim, likelihood, cross_agency, nhs = 'same' AS nhs_same,
       given = 'known_by' AND called_by_second AS by_second, {codes}
FROM ruled WHERE rule IS NOT NULL;
