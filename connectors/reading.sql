-- How received text is read. Each macro takes text as received and gives NULL for what it cannot read: it never guesses.
-- Sources: docs/sources.md 1.1 (check digits), 2.3 (dates), 2.4 (postcodes).

-- Text without surrounding space; blank is nothing. In few words: nearly every other macro begins here, and DuckDB plans each mention of
-- it anew, which in a small file costs more than the reading. {no_break_space}: DuckDB has no escape for it, and chr(160) is such a word.
CREATE OR REPLACE MACRO tidy(t) AS nullif(trim(t, E' \t\n\r{no_break_space}'), '');
-- The same for several texts at once, which are planned as one (reading.tidied). To see that there is nothing to trim is a fifth of the
-- work of trimming.
CREATE OR REPLACE MACRO tidy_each(texts) AS list_transform(texts, lambda t: CASE WHEN t <> '' THEN
    CASE WHEN t < '!' OR suffix(t, ' ') OR suffix(t, E'\t') OR suffix(t, E'\n') OR suffix(t, E'\r') OR contains(t, '{no_break_space}')
    THEN tidy(t) ELSE t END END);

-- What a form says in words. Exports write a sign where a field is empty; a name may be Null, so names are not read by this.
CREATE OR REPLACE MACRO told(t) AS
    list_transform([tidy(t)], lambda w: CASE WHEN upper(w) NOT IN ('NULL', '(NULL)', 'N/A', '#N/A', '-', '--') THEN w END)[1];

-- Digits only.
CREATE OR REPLACE MACRO digits(t) AS nullif(regexp_replace(t, '[^0-9]', '', 'g'), '');

-- Identifier without spaces, upper case.
CREATE OR REPLACE MACRO compact(t) AS nullif(upper(replace(replace(t, ' ', ''), E'\t', '')), '');

-- The lambdas below look at a text once; written with CASE, DuckDB would read it again at every mention (3-5 times the work), and plan
-- every mention, which for a text that is itself worked out takes longer than reading a small file.

-- NHS number: ten digits, modulus 11, not one digit repeated. A sum over all ten digits that divides by 11 is the same check.
CREATE OR REPLACE MACRO is_nhs_number(t) AS
    CASE WHEN t IS NULL THEN NULL ELSE coalesce(list_transform([replace(replace(t, ' ', ''), '-', '')], lambda x:
        list_transform([try_cast(x AS BIGINT)], lambda n:
            n >= 0 AND lpad(n::VARCHAR, 10, '0') = x AND length(x) = 10 AND n % 1111111111 <> 0
            AND (10 * (n // 1000000000 % 10) + 9 * (n // 100000000 % 10) + 8 * (n // 10000000 % 10) + 7 * (n // 1000000 % 10)
                 + 6 * (n // 100000 % 10) + 5 * (n // 10000 % 10) + 4 * (n // 1000 % 10) + 3 * (n // 100 % 10)
                 + 2 * (n // 10 % 10) + n % 10) % 11 = 0)[1])[1], false) END;
CREATE OR REPLACE MACRO read_nhs_number(t) AS
    list_transform([tidy(t)], lambda n: CASE WHEN is_nhs_number(n) THEN replace(replace(n, ' ', ''), '-', '') END)[1];
-- 9... is the range that is never issued: test and synthetic numbers.
CREATE OR REPLACE MACRO is_test_nhs_number(t) AS replace(replace(t, ' ', ''), '-', '') LIKE '9%';

-- UPN: check letter modulus 23 over the alphabet without I, O, S; a letter at the end makes it temporary.
CREATE OR REPLACE MACRO is_upn(t) AS
    list_transform([CASE WHEN regexp_full_match(t, '[A-Z0-9]+') THEN t ELSE compact(t) END], lambda u: CASE WHEN u IS NULL THEN NULL
        WHEN NOT regexp_full_match(u, '[A-HJ-NP-RT-Z][0-9]{11}[0-9A-HJ-NP-RT-Z]') THEN false
        ELSE list_transform([substr(u, 2, 11)::BIGINT], lambda n:
        substr('ABCDEFGHJKLMNPQRTUVWXYZ', 1 + (2 * (n // 10000000000 % 10) + 3 * (n // 1000000000 % 10)
            + 4 * (n // 100000000 % 10) + 5 * (n // 10000000 % 10) + 6 * (n // 1000000 % 10) + 7 * (n // 100000 % 10)
            + 8 * (n // 10000 % 10) + 9 * (n // 1000 % 10) + 10 * (n // 100 % 10) + 11 * (n // 10 % 10) + 12 * (n % 10)
            + 13 * (strpos('0123456789', substr(u, 13, 1)) + strpos('ABCDEFGHJKLMNPQRTUVWXYZ', substr(u, 13, 1)) - 1))::INT % 23, 1)
            = substr(u, 1, 1))[1] END)[1];
CREATE OR REPLACE MACRO read_upn(t) AS list_transform([compact(tidy(t))], lambda u: CASE WHEN is_upn(u) THEN u END)[1];
CREATE OR REPLACE MACRO upn_status(t) AS
    list_transform([compact(tidy(t))], lambda u: CASE WHEN u IS NULL THEN NULL WHEN NOT is_upn(u) THEN 'invalid'
                                                      WHEN regexp_matches(u, '[A-Z]$') THEN 'temporary' ELSE 'stated' END)[1];

-- Postcode: upper case, one space before the last three. Pseudo postcodes (ZZ99) are well formed and mean no fixed abode or unknown.
-- Most are written so: to see that is a tenth of the work of writing them so.
CREATE OR REPLACE MACRO read_postcode(t) AS
    CASE WHEN regexp_full_match(t, '[A-Z0-9]{2,4} [A-Z0-9]{3}') THEN t ELSE
    list_transform([regexp_replace(upper(t), '[^A-Z0-9]', '', 'g')], lambda p:
        CASE WHEN length(p) BETWEEN 5 AND 7 THEN left(p, -3) || ' ' || right(p, 3) ELSE tidy(upper(t)) END)[1] END;
CREATE OR REPLACE MACRO is_postcode(t) AS
    CASE WHEN regexp_full_match(t, '(ZZ99|[A-Z][A-HJ-Y]?[0-9][0-9A-Z]?) [0-9][A-Z]{2}|GIR 0AA') THEN true
         WHEN tidy(t) IS NOT NULL THEN
         regexp_full_match(read_postcode(t), '(ZZ99|[A-Z][A-HJ-Y]?[0-9][0-9A-Z]?) [0-9][A-Z]{2}|GIR 0AA') END;
CREATE OR REPLACE MACRO is_pseudo_postcode(t) AS read_postcode(t) LIKE 'ZZ99 %';

-- Dates by the declared formats only. A year outside 1880-2100 is a slip of the keyboard, not a date. Held against dates: for year() DuckDB
-- works out the year of every day from 1970 to 2050 each time it is planned.
CREATE OR REPLACE MACRO date_in_reach(d) AS CASE WHEN d::DATE BETWEEN DATE '1880-01-01' AND DATE '2100-12-31' THEN d::DATE END;
CREATE OR REPLACE MACRO read_date_as(t, formats) AS
    list_transform([try_strptime(tidy(t), formats)], lambda d: date_in_reach(d))[1];
CREATE OR REPLACE MACRO read_iso_date(t) AS
    list_transform([tidy(t)], lambda d:
        CASE WHEN regexp_matches(d, '^\d{4}-\d{2}-\d{2}([T ].*)?$') AND d BETWEEN '1880' AND '2101'
             THEN try_cast(substr(d, 1, 10) AS DATE) END)[1];
-- ISO dates that may stop at the month or the year (FHIR).
CREATE OR REPLACE MACRO read_partial_date(t) AS
    list_transform([tidy(t)], lambda d:
        CASE WHEN regexp_full_match(d, '\d{4}(-\d{2})?') THEN try_cast(left(d || '-01-01', 10) AS DATE)
             WHEN regexp_matches(d, '^\d{4}-\d{2}-\d{2}([T ].*)?$') AND d BETWEEN '1880' AND '2101'
             THEN try_cast(substr(d, 1, 10) AS DATE) END)[1];
CREATE OR REPLACE MACRO partial_date_precision(t) AS
    list_transform([tidy(t)], lambda d:
        CASE WHEN read_partial_date(d) IS NULL THEN 'unknown' WHEN length(d) = 4 THEN 'year' WHEN length(d) = 7 THEN 'month' ELSE 'day' END)[1];
-- Instants: with an offset they become UTC; without one they stay as written.
CREATE OR REPLACE MACRO read_instant(t) AS
    list_transform([tidy(t)], lambda i:
        CASE WHEN regexp_matches(i, '^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*(Z|[+-]\d{2}:?\d{2})$') THEN try_cast(i AS TIMESTAMPTZ) AT TIME ZONE 'UTC'
             WHEN regexp_matches(i, '^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?$') THEN try_cast(replace(i, 'T', ' ') AS TIMESTAMP)
             WHEN regexp_full_match(i, '\d{4}(-\d{2})?') THEN try_cast(left(i || '-01-01', 10) AS TIMESTAMP) END)[1];
CREATE OR REPLACE MACRO instant_precision(t) AS
    list_transform([tidy(t)], lambda i:
        CASE WHEN read_instant(i) IS NULL THEN 'unknown' WHEN length(i) = 4 THEN 'year' WHEN length(i) = 7 THEN 'month'
             WHEN length(i) = 10 THEN 'day' ELSE 'instant' END)[1];

-- As offices write dates and times where no standard says how: ISO, or day first with slashes or hyphens, with or without a time of
-- day (docs/sources.md 2.3). Two digits of a year say no century: they are no date.
CREATE OR REPLACE MACRO read_office_date(t) AS coalesce(read_iso_date(t), read_date_as(t,
    ['%d/%m/%Y', '%d-%m-%Y', '%d/%m/%Y %H:%M:%S', '%d/%m/%Y %H:%M', '%d-%m-%Y %H:%M:%S', '%d-%m-%Y %H:%M']));
CREATE OR REPLACE MACRO read_office_instant(t) AS
    coalesce(read_instant(t), list_transform(
        [try_strptime(tidy(t), ['%d/%m/%Y %H:%M', '%d/%m/%Y %H:%M:%S', '%d/%m/%Y', '%d-%m-%Y %H:%M', '%d-%m-%Y %H:%M:%S', '%d-%m-%Y'])],
        lambda i: CASE WHEN i BETWEEN TIMESTAMP '1880-01-01' AND TIMESTAMP '2100-12-31 23:59:59.999' THEN i END)[1]);
CREATE OR REPLACE MACRO office_instant_precision(t) AS
    list_transform([tidy(t)], lambda i:
        CASE WHEN read_office_instant(i) IS NULL THEN 'unknown' WHEN read_instant(i) IS NOT NULL THEN instant_precision(i)
             WHEN contains(i, ':') THEN 'instant' ELSE 'day' END)[1];

-- Yes and no as systems write them.
CREATE OR REPLACE MACRO read_flag(t) AS
    list_transform([lower(tidy(t))], lambda f: CASE WHEN f IN ('y', 'yes', 'true', '1', 'a) yes') THEN true
                                                    WHEN f IN ('n', 'no', 'false', '0', 'b) no') THEN false END)[1];

-- Does a value read as its kind? NULL (nothing there) passes; presence is another standard.
-- This one is asked of text without surrounding space.
CREATE OR REPLACE MACRO is_date_as(t, formats) AS
    CASE WHEN t IS NOT NULL THEN coalesce(try_strptime(t, formats)::DATE BETWEEN DATE '1880-01-01' AND DATE '2100-12-31', false) END;
CREATE OR REPLACE MACRO is_iso_date(t) AS CASE WHEN tidy(t) IS NULL THEN NULL ELSE read_partial_date(t) IS NOT NULL END;
CREATE OR REPLACE MACRO is_instant(t) AS CASE WHEN tidy(t) IS NULL THEN NULL ELSE read_instant(t) IS NOT NULL END;
CREATE OR REPLACE MACRO is_office_date(t) AS CASE WHEN tidy(t) IS NOT NULL THEN read_office_date(t) IS NOT NULL END;
CREATE OR REPLACE MACRO is_office_instant(t) AS CASE WHEN tidy(t) IS NOT NULL THEN read_office_instant(t) IS NOT NULL END;
CREATE OR REPLACE MACRO is_integer(t) AS
    CASE WHEN NOT regexp_full_match(t, '[\s\x{A0}]*') THEN regexp_full_match(t, '[\s\x{A0}]*[+-]?\d+(\.0+)?[\s\x{A0}]*') END;
CREATE OR REPLACE MACRO is_number(t) AS
    CASE WHEN NOT regexp_full_match(t, '[\s\x{A0}]*')
         THEN regexp_full_match(t, '[\s\x{A0}]*[+-]?\d+(\.\d+)?([eE][+-]?\d+)?[\s\x{A0}]*') END;
