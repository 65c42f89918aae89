"""Run a lecture over seeds and backends, sum up its recorded values: what bands are made from."""

import contextlib
import tempfile

import joblib
import numpy as np

from book import BookError, execute, notebooks

BACKENDS = ("tensorflow", "jax", "torch")


def one_run(path, seed, backend):
    """Execute the lecture with one seed and backend; return {name: value} of its records."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as scratch:
        env = execute.environment(scratch, seed) | {"KERAS_BACKEND": backend}
        found = notebooks.records(execute.run(path, env=env, quiet=True))
    values = {name: record["value"] for name, record in found.items()}
    said = ", ".join(f"{name} {value:.5g}" for name, value in values.items())
    print(f"{backend}, seed {seed}: {said}", flush=True)
    return values


@contextlib.contextmanager
def workers(scheduler):
    """Where the runs go: this machine, or the Dask cluster whose scheduler's address is given.

    The workers need the book at the same path, with its environment.
    """
    if not scheduler:
        yield
        return
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise BookError("a Dask cluster needs the package: pip install distributed") from error
    with Client(scheduler), joblib.parallel_config(backend="dask"):
        yield


def sweep(path, seeds=5, jobs=1, backends=("tensorflow",), scheduler=None):
    """Execute the lecture at `path` with seeds 1 to `seeds` on each backend; sum up its records.

    Nothing is stored. Returns {backend: {name: [value per seed]}} and prints it. `jobs` lectures
    run side by side; `scheduler` is the address of a Dask cluster. Raises BookError for an unknown
    backend, and when a run fails.
    """
    if unknown := set(backends) - set(BACKENDS):
        raise BookError(f"no backend {sorted(unknown)[0]}; Keras has {', '.join(BACKENDS)}")
    todo = [(backend, seed) for backend in backends for seed in range(1, seeds + 1)]
    with workers(scheduler):
        runs = joblib.Parallel(n_jobs=jobs)(
            joblib.delayed(one_run)(path, seed, backend) for backend, seed in todo
        )
    summary = {}
    for backend in backends:
        mine = [run for run, (b, _) in zip(runs, todo, strict=True) if b == backend]
        summary[backend] = {name: [run[name] for run in mine] for name in mine[0]}
        print(f"\n{backend:28s} {'low':>10s} {'mean':>10s} {'high':>10s} {'sd':>10s}")
        for name, v in summary[backend].items():
            sd = np.std(v, ddof=1) if len(v) > 1 else 0
            print(f"{name:28s} {min(v):10.5g} {np.mean(v):10.5g} {max(v):10.5g} {sd:10.2g}")
    return summary
