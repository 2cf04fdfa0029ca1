# Read the runs of a report with pandas: python results.py localgrad-sweeps/ablation/report/runs.csv
import sys

import pandas

runs = pandas.read_csv(sys.argv[1], dtype={"run_id": str, "commit": str})
# Runs that diverged or were stopped early are no results.
results = runs[runs["status"] == "finished"]

table = results.groupby("name", sort=False).agg(
    runs=("test_accuracy", "size"),
    accuracy=("test_accuracy", "mean"),
    deviation=("test_accuracy", "std"),
    mebibytes=("peak_bytes", lambda peaks: peaks.max() / 2**20),
)
print(table.round(4).to_string())
