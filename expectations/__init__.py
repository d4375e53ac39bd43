"""Data standards: contract → Great Expectations suites, run on DuckDB SQL, verdicts and failing rows.

Only counts leave this package (verdict.py); a failing row's value goes from SQL to SQL and never through Python.
"""
