-- touched_record: one row per view and record that changed in it, that is or ever was linked to a person touched in it, or of which a source
-- says that it is related to one that changed. What a mart tells of a record rests on nothing else: its own rows, whom it was linked to,
-- what else is told of them (two feeds may tell one event), and whom the record it is related to was linked to.
SELECT view_name, record_id FROM changed_in
UNION
SELECT touched_person.view_name, link.record_id
FROM link
INNER JOIN touched_person ON link.person_id = touched_person.person_id
UNION
SELECT changed_in.view_name, relationship.record_id
FROM relationship
INNER JOIN changed_in ON relationship.other_record_id = changed_in.record_id
