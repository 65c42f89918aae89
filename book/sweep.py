"""Run a lecture over seeds and sum up its recorded values: what bands are made from."""

import numpy as np
from joblib import Parallel, delayed

from book import execute, notebooks


def sweep(path, seeds=5, jobs=1):
    """Execute the lecture at `path` with seeds 1 to `seeds`; print and return its records.

    Nothing is stored. Returns {name: [value per seed]}. `jobs` lectures run side by side.
    """

    def one(seed):
        found = notebooks.records(execute.run(path, seed=seed, quiet=True))
        print(f"seed {seed}: " + ", ".join(f"{n} {r['value']:.5g}" for n, r in found.items()))
        return found

    runs = Parallel(n_jobs=jobs)(delayed(one)(seed) for seed in range(1, seeds + 1))
    values = {name: [run[name]["value"] for run in runs] for name in runs[0]}
    print(f"\n{'name':28s} {'low':>10s} {'mean':>10s} {'high':>10s} {'sd':>10s}")
    for name, v in values.items():
        sd = np.std(v, ddof=1) if len(v) > 1 else 0
        print(f"{name:28s} {min(v):10.5g} {np.mean(v):10.5g} {max(v):10.5g} {sd:10.2g}")
    return values
