-- From clusters (linkage_cluster) and the links that stand (link) to persons, links and the ledger. Temporary tables t_*; {places} are
-- filled by identity.py. Order of rows decides nothing.

-- step: t_now: the person each record that is in play is linked to before tonight
CREATE OR REPLACE TEMP TABLE t_now AS
SELECT record_id, person_id, linked_at FROM link SEMI JOIN (
    SELECT person_id FROM link SEMI JOIN t_play USING (record_id) WHERE unlinked_at IS NULL) USING (person_id)
WHERE unlinked_at IS NULL;

-- step: t_cluster: the clusters in play
CREATE OR REPLACE TEMP TABLE t_cluster AS
SELECT record_id, cluster_id, how, match_probability, evidence, best_record_id, decided_by, set_apart
FROM linkage_cluster SEMI JOIN t_play USING (record_id);

-- step: t_overlap: how many records each cluster shares with each person
CREATE OR REPLACE TEMP TABLE t_overlap AS
SELECT c.cluster_id, n.person_id, count(*) AS shared, min(n.linked_at) AS since
FROM t_cluster c JOIN t_now n USING (record_id) GROUP BY ALL;

-- step: t_settled: clusters and persons that share records with nobody else
CREATE OR REPLACE TEMP TABLE t_settled AS
SELECT cluster_id, person_id FROM t_overlap
WHERE cluster_id IN (SELECT cluster_id FROM t_overlap GROUP BY cluster_id HAVING count(*) = 1)
  AND person_id IN (SELECT person_id FROM t_overlap GROUP BY person_id HAVING count(*) = 1);

-- step: t_claims: the others, best claim first: most records, then who has been known longest
CREATE OR REPLACE TEMP TABLE t_claims AS
SELECT o.cluster_id, o.person_id FROM t_overlap o ANTI JOIN t_settled s USING (cluster_id)
JOIN (SELECT person_id, min(since) AS since FROM t_overlap GROUP BY person_id) p USING (person_id)
ORDER BY o.shared DESC, p.since, o.person_id, o.cluster_id;
