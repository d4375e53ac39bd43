"""csc-validator-be-cin reads one census document and runs all its rules of a year. Answers seconds, of reading and of rules, and rows.

What it does besides (its report for the screen) is part of its one step and is counted.
"""

import json
import logging
import sys
import time
import warnings
import xml.etree.ElementTree as ElementTree
from importlib import import_module

from cin_validator import cin_validator

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
arguments = json.load(sys.stdin)
rules = import_module(f"cin_validator.rules.{arguments['rules']}").registry
wall, cpu = time.perf_counter(), time.process_time()
tables = cin_validator.process_data(cin_validator.convert_data(ElementTree.parse(arguments["file"]).getroot()))
began, began_cpu = time.perf_counter(), time.process_time()
cin_validator.CinValidator(tables, rules)
done, done_cpu = time.perf_counter(), time.process_time()
rows = sum(len(table) for table in tables.values())
print(
    json.dumps(
        {
            "wall": done - wall,
            "cpu": done_cpu - cpu,
            "rules_wall": done - began,
            "rules_cpu": done_cpu - began_cpu,
            "rows": rows,
        }
    )
)
