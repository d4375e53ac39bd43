-- changed_in: one row per view and record of which something changed that the view reads.
SELECT DISTINCT view_reads.view_name, changed_record.record_id
FROM changed_record
INNER JOIN view_reads ON changed_record.because = view_reads.because
