"""`tessera console accounts`, as somebody types it."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from pipelines.cli import app


def test_accounts_are_made_listed_and_closed(tmp_path: Path) -> None:
    config = tmp_path / "tessera.yaml"
    config.write_text("sources: {}\n")

    def run(*words: str, says: str = "") -> str:
        answer = CliRunner().invoke(app, ["console", "accounts", *words, "--config", str(config)], input=says)
        assert answer.exit_code == 0, answer.exception
        return answer.output

    run("add", "A.Khan", "--role", "quality", "--role", "reviewer", "--agency", "police", says="three unusual words\n")
    assert '"a.khan"' in run("list", "--json") and "password to be changed" in run("list")
    run("disable", "a.khan")
    assert '"disabled"' in run("list", "--json")
    run("reset", "a.khan", says="three other words\n")
    assert "three" not in run("list", "--json") and "disabled" not in run("list")
