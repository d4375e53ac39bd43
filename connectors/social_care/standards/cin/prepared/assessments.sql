-- Assessments of this return with the codes of what they found as a list, blank ones left out; empty where there is none.
SELECT
    *,
    list_filter(
        list_transform(coalesce(try_cast(try_cast(assessmentfactors AS JSON) AS VARCHAR[]), []), code -> tidy(code)),
        code -> code IS NOT NULL
    ) AS factors
FROM {this_assessment}
