-- Assessments of this return with the codes of what they found as a list, empty where there is none.
SELECT *, coalesce(try_cast(try_cast(assessmentfactors AS JSON) AS VARCHAR[]), []) AS factors FROM {this_assessment}
