-- Children of this return with their sex as the rule book's year has it: in Sex as M, F, U from 2024/25 on, before it in
-- GenderCurrent as digits. `unknown` is the code for not recorded and for unborn children.
SELECT
    * EXCLUDE (sex, gendercurrent),
    CASE WHEN {rules_year} < 2024 THEN 'GenderCurrent' ELSE 'Sex' END AS column_name,
    CASE WHEN {rules_year} < 2024 THEN gendercurrent ELSE sex END AS code,
    CASE WHEN {rules_year} < 2024 THEN ['0', '1', '2', '9'] ELSE ['M', 'F', 'U'] END AS codes,
    CASE WHEN {rules_year} < 2024 THEN '0' ELSE 'U' END AS unknown
FROM {this_child}
