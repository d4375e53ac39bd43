"""liiatools cleans one CSV file: parse, find each cell's configuration, clean dates, categories and numbers.

The released package has the engine and no census, so the columns' kinds come from our contract. What it does besides (logging errors,
degrading, writing the file) is left out, in its favour. Answers seconds and rows.
"""

import json
import sys
import time

from liiatools.datasets.s903.lds_ssda903_clean import configuration, filters
from liiatools.datasets.shared_functions import parse
from sfdata_stream_parser import events

arguments = json.load(sys.stdin)
columns = arguments["columns"]
configuration.column_names.clear()
configuration.column_names["file"] = list(columns)
wall, cpu = time.perf_counter(), time.process_time()
stream = parse.parse_csv(input=arguments["file"])
stream = configuration.configure_stream(stream, {"column_map": {"file": columns}})
rows = sum(isinstance(event, events.EndRow) for event in filters.clean(stream))
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "rows": rows}))
