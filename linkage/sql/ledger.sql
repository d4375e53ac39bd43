-- Second half: t_person (cluster_id, person_id, fresh) is known. Writes person, link, identity_change and potential_match.

-- step: t_next: where every record goes tonight; records the sources no longer send stay with their person, or follow it into another
CREATE OR REPLACE TEMP TABLE t_next AS
SELECT c.record_id, p.person_id, p.fresh, n.person_id AS was, c.how, c.match_probability, c.evidence, c.best_record_id, c.decided_by,
       c.set_apart
FROM t_cluster c JOIN t_person p USING (cluster_id) LEFT JOIN t_now n USING (record_id);

-- step: t_retired: persons none of whose records stayed, and who carries on
CREATE OR REPLACE TEMP TABLE t_retired AS
SELECT was AS person_id, person_id AS resolves_to FROM t_next
WHERE was IS NOT NULL AND was NOT IN (SELECT person_id FROM t_next)
GROUP BY was, person_id
QUALIFY row_number() OVER (PARTITION BY was ORDER BY count(*) DESC, min(fresh::INT), person_id) = 1;

-- step: t_left_behind: records that no source sends any more, of persons who are retired: they follow
CREATE OR REPLACE TEMP TABLE t_left_behind AS
SELECT n.record_id, n.person_id AS was, r.resolves_to AS person_id FROM t_now n JOIN t_retired r USING (person_id)
ANTI JOIN t_cluster c ON c.record_id = n.record_id;

-- step: t_moved: records that change from one person to another
CREATE OR REPLACE TEMP TABLE t_moved AS
SELECT record_id, was, person_id, fresh, evidence, how, set_apart FROM t_next WHERE was <> person_id
UNION ALL
SELECT record_id, was, person_id, false, 'the record follows its person', 'single', NULL FROM t_left_behind;

-- step: t_change: what to write into the ledger
CREATE OR REPLACE TEMP TABLE t_change AS
WITH flows AS (
    SELECT m.was, m.person_id, list_sort(list(m.record_id)) AS record_ids, coalesce(r.resolves_to = m.person_id, false) AS merges,
           coalesce(bool_or(m.set_apart IS NOT NULL), false) AS decided,
           -- The strongest word for it that a moved record has: a decision, a number, the model.
           first(m.evidence ORDER BY CASE m.how WHEN 'clerical' THEN 1 WHEN 'identifier' THEN 2 WHEN 'probabilistic' THEN 3 ELSE 4 END,
                                     m.record_id) AS evidence,
           -- Nothing may show the two sides of a seal together.
           m.was IN (SELECT was FROM t_next WHERE set_apart = 'seal' UNION SELECT person_id FROM t_next WHERE set_apart = 'seal')
               AND m.person_id IN (SELECT person_id FROM t_next WHERE set_apart = 'seal') AS sealed
    FROM t_moved m LEFT JOIN t_retired r ON r.person_id = m.was
    GROUP BY m.was, m.person_id, r.resolves_to
)
SELECT 'created' AS change, n.person_id, list_sort(list_distinct(list(n.was) FILTER (n.was IS NOT NULL AND NOT coalesce(f.sealed, false))))
           AS other_person_ids,
       list_sort(list(n.record_id)) AS record_ids,
       -- Parted by a seal it is a new person as any other: a sentence of its own would tell that there is a seal.
       CASE WHEN count(n.was) = 0 OR bool_or(coalesce(f.sealed, false))
            THEN 'New person: ' || count(*) || CASE count(*) WHEN 1 THEN ' record that no' ELSE ' records that no' END
                 || ' person known before is linked to'
            ELSE 'Set apart from another person: ' || CASE WHEN bool_or(coalesce(f.decided, false))
                 THEN 'a person decided that the records are not about one child'
                 ELSE 'what the sources say now no longer bears the link' END END AS reason
FROM t_next n LEFT JOIN flows f ON f.was = n.was AND f.person_id = n.person_id
WHERE n.fresh GROUP BY n.person_id
UNION ALL
SELECT 'merged', person_id, list_sort(list(was)), list_sort(flatten(list(record_ids))),
       'Found to be one person: ' || min(evidence)
FROM flows WHERE merges GROUP BY person_id
UNION ALL
SELECT 'split', was, CASE WHEN sealed THEN [] ELSE [person_id] END, record_ids,
       CASE WHEN decided THEN 'Records leave this person: a person decided that they are not about one child'
            WHEN evidence LIKE 'no other record%' THEN 'Records leave this person: what the sources say now no longer bears the link'
            ELSE 'Records leave this person for another: ' || evidence END
FROM flows WHERE NOT merges
UNION ALL
SELECT 'retired', person_id, [resolves_to], [], 'All its records now belong to another person, whose identifier carries on' FROM t_retired;

-- step: person_new: persons issued tonight
INSERT INTO person SELECT DISTINCT person_id, {load_id}, NULL, NULL FROM t_person WHERE fresh;

-- step: person_retired: persons that stop being current; what resolved to them resolves onward
UPDATE person SET retired_load_id = {load_id}, resolves_to = r.resolves_to FROM t_retired r WHERE r.person_id = person.person_id;

-- step: person_onward
UPDATE person SET resolves_to = r.resolves_to FROM t_retired r WHERE person.resolves_to = r.person_id;

-- step: ledger: append-only
INSERT INTO identity_change
SELECT {load_id}, change, person_id, other_person_ids, record_ids, reason FROM t_change
ORDER BY CASE change WHEN 'split' THEN 1 WHEN 'created' THEN 2 WHEN 'merged' THEN 3 ELSE 4 END, person_id, record_ids;

-- step: t_new_link: links that are new or say something else than the one that stands
CREATE OR REPLACE TEMP TABLE t_new_link AS
SELECT n.record_id, n.person_id, n.how, n.match_probability, n.evidence, n.best_record_id, n.decided_by
FROM t_next n LEFT JOIN (SELECT * FROM link SEMI JOIN t_now USING (record_id)) l ON l.record_id = n.record_id AND l.unlinked_at IS NULL
WHERE (l.person_id, l.how, l.evidence, l.best_record_id, l.decided_by)
      IS DISTINCT FROM (n.person_id, n.how, n.evidence, n.best_record_id, n.decided_by)
UNION ALL
SELECT b.record_id, b.person_id, l.how, l.match_probability, l.evidence, l.best_record_id, l.decided_by
FROM t_left_behind b JOIN link l ON l.record_id = b.record_id AND l.unlinked_at IS NULL;

-- step: unlink: what no longer stands
UPDATE link SET unlinked_at = {now} FROM t_new_link n WHERE link.record_id = n.record_id AND link.unlinked_at IS NULL;

-- step: link: what stands from now
INSERT INTO link
SELECT record_id, person_id, how, match_probability, evidence, best_record_id, decided_by, {load_id}, {now}, NULL
FROM t_new_link ORDER BY record_id;

-- step: answered: questions that no longer are any
DELETE FROM potential_match WHERE NOT EXISTS (
    SELECT 1 FROM linkage_question q WHERE q.record_id_a = potential_match.record_id_a AND q.record_id_b = potential_match.record_id_b);

-- step: reworded: questions that are asked for another reason, or weigh otherwise, now
UPDATE potential_match
SET match_probability = q.match_probability, reason = q.reason, model = q.model, levels = q.levels, bits = q.bits, prior_bits = q.prior_bits
FROM linkage_question q
WHERE q.record_id_a = potential_match.record_id_a AND q.record_id_b = potential_match.record_id_b
  AND (q.reason, q.model, q.levels, q.bits, q.prior_bits) IS DISTINCT FROM
      (potential_match.reason, potential_match.model, potential_match.levels, potential_match.bits, potential_match.prior_bits);

-- step: asked: new questions, with the load that raised them
INSERT INTO potential_match BY NAME
SELECT q.*, {load_id} AS load_id FROM linkage_question q
ANTI JOIN potential_match p ON q.record_id_a = p.record_id_a AND q.record_id_b = p.record_id_b
ORDER BY q.record_id_a, q.record_id_b;

-- step: applied: what was decided is carried out; until something new is, these records are out of play
UPDATE linkage_cluster SET applied = true WHERE applied IS NULL;
