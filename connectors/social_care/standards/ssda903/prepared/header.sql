-- Each child of this return once; a return that tells of a child twice is judged by its first row.
SELECT * FROM {this_header} QUALIFY row_number() OVER (PARTITION BY child ORDER BY row_number) = 1
