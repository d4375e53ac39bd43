-- quality_acts: one row per act of a person about what fails: a waiver, a promise, a release, a handing over, a comment, an undoing.
-- sorted by: agency, feed, decided_at, act_id
-- column act_id: The act's number, which tessera quality undo takes
-- column kind: waive, expect (to be put right at its source), release (from quarantine), assign (given to somebody), comment or undo
-- column row_key: The row it speaks of; empty where it speaks of the whole standard
-- column until: A waiver counts up to and including this day; a correction is promised by it
-- column reason: Why, in the author's words
-- column author: Who did it
-- column decided_at: When (UTC)
-- column status: stands, undone, or replaced by a later one on the same
WITH acts AS (
    SELECT * FROM quality_act
)

SELECT
    act_id,
    kind,
    agency,
    feed,
    expectation,
    row_key,
    until,
    reason,
    author,
    decided_at,
    status
FROM acts
