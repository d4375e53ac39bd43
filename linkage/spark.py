"""Scores pairs on a Spark cluster instead of in this process: the same model through Splink's Spark backend.

What lives here: the session, the model's conditions in Spark's words, and the way there and back. What must not: what a score
means (link.py). Reading, blocking, rules and identities stay in DuckDB; comparing pairs is what grows with the square of a name's bearers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from linkage.model import SparkError, SparkSettings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from splink import SettingsCreator

SECRET = "TESSERA_SPARK_SECRET"  # noqa: S105 - the name of a variable
# Arrow has unsigned numbers and Spark has none.
_UNSIGNED = ("UBIGINT[]", "UBIGINT")


def predict(
    cursor: duckdb.DuckDBPyConnection,
    people: str,
    pairs: str,
    frequencies: Mapping[str, str],
    settings: SettingsCreator,
    spark: SparkSettings,
) -> str:
    """Splink's prediction of the pairs, as a table of `cursor`: rid_l, rid_r and a weight for each comparison (mw_…); returns its name.

    `people`, `pairs`: relations of `cursor`; `frequencies`: of each column that weighs by how common a value is.
    """
    with _Session(spark) as session:
        from splink import Linker, SparkAPI

        api = SparkAPI(spark_session=session, register_udfs_automatically=False, break_lineage_method="persist")
        linker = Linker(
            api.register(session.createDataFrame(_arrow(cursor, people)), dataset_display_name="linkage_input_rows"),
            settings,
            log_level=None,
            validate_settings=False,
        )
        linker.table_management.register_blocked_pairs_for_predict(
            api.register(session.createDataFrame(_arrow(cursor, pairs)), dataset_display_name="linkage_pair_rows")
        )
        for column, relation in frequencies.items():
            linker.table_management.register_term_frequency_lookup(
                api.register(
                    session.createDataFrame(_arrow(cursor, relation)), dataset_display_name=f"frequency_{column}_rows"
                ),
                column,
            )
        predicted = session.table(linker.inference.predict(warning_mode="never").physical_name)
        weights = [name for name in predicted.columns if name.startswith("mw_")]
        scored = predicted.select("rid_l", "rid_r", *weights).toArrow()
    cursor.register("scored_on_spark", scored)
    cursor.execute("CREATE TABLE spark_prediction AS FROM scored_on_spark")
    cursor.unregister("scored_on_spark")
    return "spark_prediction"


def in_spark(condition: str) -> str:
    """A condition of the model, which is DuckDB's SQL, as Spark says it."""
    # `len` counts a list and `length` a text; to a parser they are one.
    tree = sqlglot.parse_one(condition.replace("len(", "array_length("), read="duckdb")
    return tree.transform(_translated).sql(dialect="spark")


def said_to_spark(splink_settings: Mapping[str, Any]) -> dict[str, Any]:
    """Splink's settings with every condition in Spark's words."""
    said = dict(splink_settings)
    said["comparisons"] = [
        comparison
        | {
            "comparison_levels": [
                level
                | {
                    "sql_condition": level["sql_condition"]
                    if level["sql_condition"] == "ELSE"
                    else in_spark(level["sql_condition"])
                }
                for level in comparison["comparison_levels"]
            ]
        }
        for comparison in splink_settings["comparisons"]
    ]
    return said


def _translated(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.ArrayOverlaps):
        return exp.Anonymous(this="arrays_overlap", expressions=[node.this, node.expression])
    if isinstance(node, exp.Anonymous) and node.name.lower() == "list_has_all":
        has, all_of = node.expressions
        rest = exp.Anonymous(this="array_except", expressions=[all_of, has])
        return exp.EQ(this=exp.Anonymous(this="size", expressions=[rest]), expression=exp.Literal.number(0))
    return node


def _arrow(cursor: duckdb.DuckDBPyConnection, relation: str) -> pa.Table:
    columns = [
        f"CAST({name} AS VARCHAR{'[]' if kind.endswith('[]') else ''}) AS {name}" if kind in _UNSIGNED else name
        for name, kind in (
            (row[0], str(row[1])) for row in cursor.execute(f"FROM {relation} LIMIT 0").description or ()
        )
    ]
    return cursor.execute(f"SELECT {', '.join(columns)} FROM {relation}").to_arrow_table()


class _Session:
    """A Spark session for one prediction. What leaves Spark as an error is its kind: a message may quote a row."""

    def __init__(self, spark: SparkSettings) -> None:
        self._spark = spark
        self._session: SparkSession | None = None

    def __enter__(self) -> SparkSession:
        try:
            from pyspark.sql import SparkSession
        except ImportError as error:
            raise SparkError(
                "linkage.engine is spark and pyspark is not installed; run make spark, or set linkage.engine: duckdb"
            ) from error
        # The workers' Python must be the one that is here.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.master(self._spark.master).appName("tessera linkage")
        for name, value in self.said().items():
            builder = builder.config(name, value)
        try:
            self._session = builder.getOrCreate()
            self._session.sparkContext.setLogLevel("OFF")
            _register_measures(self._session)
        except Exception as error:
            raise SparkError(
                f"no Spark session at {self._spark.master}: {type(error).__name__}; is Java 17 or later there, is the cluster up, "
                f"and is {SECRET} its secret? See docs/linkage.md, 'On a Spark cluster'"
            ) from None
        return self._session

    def said(self) -> dict[str, str]:
        """What is said to Spark. A deployment may say more and otherwise, but not weaken who gets rows and how they travel and rest."""
        secret = os.environ.get(SECRET, "")
        if not secret and not self._spark.local:
            raise SparkError(
                f"linkage.spark_master is {self._spark.master}, another computer perhaps, and {SECRET} is not set; set it to "
                "what the cluster has as spark.authenticate.secret"
            )
        usual = {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
        }
        here = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"} if self._spark.local else {}
        firm = {
            "spark.sql.session.timeZone": "UTC",
            # A list shorter than the index asked for has no value there, as in DuckDB.
            "spark.sql.ansi.enabled": "false",
            # On this computer alone Spark makes a secret of its own.
            "spark.authenticate": "true",
            "spark.network.crypto.enabled": "true",
            # Spill, shuffle and the way into Spark: without it PySpark writes what it is given to a plain file.
            "spark.io.encryption.enabled": "true",
        }
        return usual | here | dict(self._spark.conf) | firm | ({"spark.authenticate.secret": secret} if secret else {})

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._session is not None:
            self._session.stop()
        if error is not None and not isinstance(error, SparkError):
            raise SparkError(
                f"Spark at {self._spark.master} could not score the pairs: {type(error).__name__}; look at the cluster's own logs, "
                "or set linkage.engine: duckdb and run the night again"
            ) from None


def _register_measures(session: SparkSession) -> None:
    """The measures of likeness as DuckDB works them out. Other libraries differ in the third digit, and a level may hang on that."""
    from pyspark.sql.functions import arrow_udf
    from pyspark.sql.types import DoubleType

    def measured(function: str) -> Any:
        def measure(left: pa.Array, right: pa.Array) -> pa.Array:
            pairs = pa.table({"l": left, "r": right})
            with duckdb.connect() as con:
                con.register("pairs", pairs)
                found = con.execute(f"SELECT CAST({function}(l, r) AS DOUBLE) AS d FROM pairs").to_arrow_table()
            return found.column("d").combine_chunks()

        return arrow_udf(measure, returnType=DoubleType())

    session.udf.register("jarowinkler_similarity", measured("jaro_winkler_similarity"))
    session.udf.register("damerau_levenshtein", measured("damerau_levenshtein"))
