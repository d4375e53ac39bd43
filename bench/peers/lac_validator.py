"""csc-validator-be-903 reads one return and runs all its rules of a year. Answers seconds, of reading and of rules, and rows.

What it does besides (its reports of what failed) is left out, in its favour.
"""

import json
import logging
import sys
import time
from importlib import import_module
from pathlib import Path

from lac_validator.lac_validator import LacValidator

logging.disable(logging.CRITICAL)
arguments = json.load(sys.stdin)
rules = import_module(f"lac_validator.rules.{arguments['rules']}").registry
files = [
    {"name": path.name, "description": "This year", "file_content": path.read_bytes()}
    for path in sorted(Path(arguments["folder"]).glob("*.csv"))
]


class Timed(LacValidator):
    """The validator, with a clock where it begins its rules."""

    def validate(self, selected_rules=None):
        self.began, self.began_cpu = time.perf_counter(), time.process_time()
        super().validate(selected_rules)


wall, cpu = time.perf_counter(), time.process_time()
validator = Timed({"collectionYear": arguments["ends_in"], "localAuthority": "E09000027"}, files, rules)
done, done_cpu = time.perf_counter(), time.process_time()
rows = sum(len(table) for table in validator.dfs.values())
print(
    json.dumps(
        {
            "wall": done - wall,
            "cpu": done_cpu - cpu,
            "rules_wall": done - validator.began,
            "rules_cpu": done_cpu - validator.began_cpu,
            "rows": rows,
            "crashed": validator.fails,
        }
    )
)
