-- Episodes of this return in the order of each child, with who the child is and what stood before and after. `ended` is
-- the last day an episode is known to have lasted: its end, for an open one the end of the collection year.
SELECT
    e.*,
    h.dob,
    h.sex,
    coalesce(e.dec, {collection_end}) AS ended,
    row_number() OVER in_order AS place_in_order,
    lag(e.decom) OVER in_order AS prev_decom,
    lag(e.dec) OVER in_order AS prev_dec,
    lag(e.rec) OVER in_order AS prev_rec,
    lag(e.ls) OVER in_order AS prev_ls,
    lag(e.cin) OVER in_order AS prev_cin,
    lag(e.place) OVER in_order AS prev_place,
    lag(e.place_provider) OVER in_order AS prev_place_provider,
    lag(e.pl_post) OVER in_order AS prev_pl_post,
    lag(e.urn) OVER in_order AS prev_urn,
    lag(e.reason_place_change) OVER in_order AS prev_reason_place_change,
    lag(e.raw_row_id) OVER in_order AS prev_row,
    lead(e.decom) OVER in_order AS next_decom,
    lead(e.rne) OVER in_order AS next_rne,
    lead(e.place) OVER in_order AS next_place,
    lead(e.pl_post) OVER in_order AS next_pl_post,
    lead(e.raw_row_id) OVER in_order AS next_row
FROM {this_episodes} AS e
LEFT JOIN {header} AS h ON e.child = h.child
WINDOW in_order AS (PARTITION BY e.child ORDER BY e.decom NULLS LAST, CASE WHEN e.decom IS NOT NULL THEN e.dec END NULLS LAST, e.row_number)
