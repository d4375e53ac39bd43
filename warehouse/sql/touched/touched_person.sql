-- touched_person: one row per view and person that a record changed in it is, or ever was, linked to.
SELECT DISTINCT changed_in.view_name, link.person_id
FROM link
INNER JOIN changed_in ON link.record_id = changed_in.record_id
