-- Social workers of each child in their order.
SELECT
    *,
    lag(raw_row_id) OVER in_order AS prev_row,
    lag(sw_decom) OVER in_order AS prev_decom,
    lag(sw_dec) OVER in_order AS prev_dec,
    lead(sw_decom) OVER in_order AS next_decom,
    lead(raw_row_id) OVER in_order AS next_row
FROM {this_sw_episodes}
WINDOW in_order AS (PARTITION BY child ORDER BY sw_decom NULLS LAST, sw_dec NULLS LAST, row_number)
