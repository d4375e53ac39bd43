"""recordlinkage finds duplicates in one table: pairs of one birth date, names compared by Jaro-Winkler, weights by its ECM classifier.

Answers seconds, pairs compared and pairs taken for one person. Reading the table is not timed, in its favour.
"""

import json
import sys
import time

import pandas as pd
import recordlinkage

arguments = json.load(sys.stdin)
records = pd.read_csv(arguments["rows"], dtype=str)
wall, cpu = time.perf_counter(), time.process_time()
indexer = recordlinkage.Index()
indexer.block("birth_date")
pairs = indexer.index(records.dropna(subset=["birth_date"]))
compare = recordlinkage.Compare()
compare.string("given", "given", method="jarowinkler", threshold=0.9, label="given")
compare.string("family", "family", method="jarowinkler", threshold=0.9, label="family")
compare.exact("postcode", "postcode", label="postcode")
compare.exact("sex", "sex", label="sex")
features = compare.compute(pairs, records)
matches = recordlinkage.ECMClassifier().fit_predict(features)
print(
    json.dumps(
        {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "pairs": len(pairs),
            "matches": len(matches),
        }
    )
)
