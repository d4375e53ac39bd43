"""A cluster of a master and two workers, with authentication and encryption, links as this process does."""

import datetime as dt
import os
import re
import secrets
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from linkage.model import SparkError, SparkSettings
from linkage.spark import _Session
from pipelines.line import open_line
from pipelines.night import run_night
from pipelines.settings import load_settings
from synthetic.world import make_world

pytestmark = pytest.mark.slow

EVERYTHING = """
    SELECT record_id, how, evidence, match_probability, best_record_id, person_id
    FROM link WHERE unlinked_at IS NULL ORDER BY record_id
"""
QUESTIONS = (
    "SELECT record_id_a, record_id_b, reason, match_probability FROM potential_match ORDER BY record_id_a, record_id_b"
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, request):
    """A standalone master and two workers on loopback; the secret is in the environment."""
    if shutil.which("java") is None:
        pytest.fail("no java on the path; install Java 17, as .ci/run does")
    import pyspark

    folder = tmp_path_factory.mktemp("spark")
    secret = secrets.token_hex(16)
    conf = folder / "spark.conf"
    conf.write_text(f"spark.authenticate true\nspark.authenticate.secret {secret}\nspark.network.crypto.enabled true\n")
    home = Path(pyspark.__file__).parent
    environ = os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
    running = []

    def start(what, log, *arguments):
        command = [home / "bin" / "spark-class", f"org.apache.spark.deploy.{what}", "--properties-file", conf]
        with log.open("w") as file:
            running.append(
                subprocess.Popen([*command, *arguments], env=environ, stdout=file, stderr=subprocess.STDOUT, cwd=folder)
            )

    def said(log, pattern):
        for _ in range(600):
            if found := re.search(pattern, log.read_text()):
                return found[0]
            time.sleep(0.1)
        raise AssertionError(f"{log.name} never said {pattern}")

    patch = pytest.MonkeyPatch()
    try:
        start("master.Master", folder / "master.log", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        address = said(folder / "master.log", r"spark://127\.0\.0\.1:\d+")
        for number in (1, 2):
            log = folder / f"worker{number}.log"
            start("worker.Worker", log, "--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0",
                  "--work-dir", folder / f"work{number}", address)  # fmt: skip
            said(log, "Successfully registered with master")
        patch.setenv("TESSERA_SPARK_SECRET", secret)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        yield address
    finally:
        patch.undo()
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """Two nights of a hundred and twenty children, linked in this process."""
    folder = tmp_path_factory.mktemp("duckdb")
    make_world(folder, children=120, seed=23, nights=2)
    for number in (1, 2):
        assert _night(folder, number).published
    return folder


def _night(folder, number):
    settings = load_settings(folder / "tessera.yaml", {"NIGHT": f"night{number}"})
    with open_line(settings, {}) as line:
        return run_night(line, dt.date(2026, 11, 15 + number))


def _found(folder):
    with open_line(load_settings(folder / "tessera.yaml", {"NIGHT": "night2"}), {}) as line:
        links = line.warehouse.rows(EVERYTHING)
        questions = line.warehouse.rows(QUESTIONS)
    persons = {}
    for row in links:
        persons.setdefault(row.pop("person_id"), set()).add(row["record_id"])
    return links, sorted(map(sorted, persons.values())), questions


def _on_spark(lived, folder, **said):
    shutil.copytree(lived, folder, ignore=shutil.ignore_patterns("data"))
    settings = folder / "tessera.yaml"
    choices = "".join(f"  {name}: {value}\n" for name, value in said.items())
    settings.write_text(f"{settings.read_text()}\nlinkage:\n  engine: spark\n{choices}")
    return folder


def test_a_cluster_links_as_this_process_does(lived, cluster, tmp_path):
    address = cluster
    folder = _on_spark(lived, tmp_path / "spark", spark_master=address, spark_conf='{"spark.executor.memory": "512m"}')
    for number in (1, 2):
        assert _night(folder, number).published
    links, persons, questions = _found(folder)
    here = _found(lived)
    assert links == here[0]
    assert persons == here[1]
    assert questions == here[2]
    assert len(links) > 500
    assert questions


def test_a_cluster_that_does_not_know_the_secret_gets_nothing(lived, cluster, tmp_path, monkeypatch):
    address = cluster
    folder = _on_spark(lived, tmp_path / "spark", spark_master=address)
    monkeypatch.delenv("TESSERA_SPARK_SECRET")
    settings = load_settings(folder / "tessera.yaml", {"NIGHT": "night1"})
    with open_line(settings, {}) as line, pytest.raises(SparkError, match="TESSERA_SPARK_SECRET is not set"):
        run_night(line, dt.date(2026, 11, 16))


def test_no_session_is_said_without_what_spark_says(monkeypatch):
    monkeypatch.setenv("TESSERA_SPARK_SECRET", "of no cluster")
    nowhere = SparkSettings("no such thing as a cluster")
    with (
        pytest.raises(SparkError, match="no Spark session at no such thing as a cluster"),
        _Session(nowhere),
    ):
        raise AssertionError("there is a session")
