"""What linkage says to Spark, without a Spark: the model's conditions, and what no setting may weaken."""

import re

import pytest

from linkage.model import DEFAULT_MODEL, SparkError, SparkSettings
from linkage.spark import _Session, in_spark


@pytest.mark.parametrize(
    ("duckdb", "spark"),
    [
        ("len(nhs_l) = 0", "SIZE(nhs_l) = 0"),
        ("length(given_l) >= 4", "LENGTH(given_l) >= 4"),
        ("list_has_any(upn_l, upn_r)", "ARRAYS_OVERLAP(upn_l, upn_r)"),
        ("list_has_all(given_set_l, given_set_r)", "SIZE(ARRAY_EXCEPT(given_set_r, given_set_l)) = 0"),
        ("jaro_winkler_similarity(houses_l[1], houses_r[1]) >= 0.9",
         "JAROWINKLER_SIMILARITY(houses_l[0], houses_r[0]) >= 0.9"),
        ("list_has_all(list_transform(given_set_l, lambda name: left(name, 1)), given_initials_r)",
         "SIZE(ARRAY_EXCEPT(given_initials_r, TRANSFORM(given_set_l, name -> LEFT(name, 1)))) = 0"),
    ],
)  # fmt: skip
def test_a_condition_in_sparks_words(duckdb, spark):
    assert in_spark(duckdb) == spark


def test_no_condition_of_the_model_keeps_a_word_that_spark_does_not_know():
    conditions = [
        in_spark(condition)
        for comparison in DEFAULT_MODEL.comparisons
        for condition in (comparison.missing, *(level.sql for level in comparison.levels if level.sql))
    ]
    assert [one for one in conditions if re.search(r"&&|\blist_|\blen\(|lambda", one, re.IGNORECASE)] == []


def test_no_setting_sends_rows_to_spark_in_the_clear():
    weakened = {
        "spark.io.encryption.enabled": "false",
        "spark.network.crypto.enabled": "false",
        "spark.authenticate": "false",
        "spark.executor.memory": "8g",
    }
    said = _Session(SparkSettings(conf=weakened)).said()
    assert {name: said[name] for name in weakened} == dict.fromkeys(weakened, "true") | {"spark.executor.memory": "8g"}
    assert said["spark.driver.bindAddress"] == "127.0.0.1"


def test_another_computer_gets_no_rows_without_a_secret(monkeypatch):
    monkeypatch.delenv("TESSERA_SPARK_SECRET", raising=False)
    elsewhere = _Session(SparkSettings("spark://hub:7077"))
    with pytest.raises(SparkError, match="TESSERA_SPARK_SECRET is not set"):
        elsewhere.said()
    monkeypatch.setenv("TESSERA_SPARK_SECRET", "of the cluster")
    assert elsewhere.said()["spark.authenticate.secret"] == "of the cluster"
