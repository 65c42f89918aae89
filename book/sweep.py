"""Run a lecture over seeds and backends, keep its values, make bands of them.

The values of each run are a row of tests/expected/NN.csv, which is written after every run: a sweep
that was ended goes on where it stopped. A band is the interval in which one more run should fall.
"""

import contextlib
import csv
import os
import tempfile
from pathlib import Path

import numpy as np
import yaml
from tqdm import tqdm

from book import ROOT, BookError, execute, fingerprint, notebooks

BACKENDS = ("tensorflow", "jax", "torch")
# Columns of the table, in capitals there, as no record is
ABOUT = ("made_from", "backend", "seed", "seconds", "executed", "keras", "python")
LEVEL = 0.999  # share of further runs that a band should hold
ROUNDING = 1e-3  # of its size: a value without spread still differs from machine to machine


# ---- The table of runs --------------------------------------------------------------------------


def table(path, root=ROOT):
    """Return the file with a lecture's runs."""
    return Path(root) / "tests" / "expected" / f"{notebooks.number(path)}.csv"


def source(path, root=ROOT):
    """Return a short hash of the code and the helpers that a lecture's values come from."""
    made_from = fingerprint.fingerprint(path, [], root)
    return fingerprint.sha(made_from["code"] + made_from["helpers"])


def runs(path, root=ROOT):
    """Return the runs of the lecture as it stands now: a dict each, its values by name.

    Runs of an earlier text of the lecture are left out. Values are floats, `seed` is an integer;
    the other keys are those of ABOUT. Raises BookError for a table that isn't one.
    """
    file, found = table(path, root), []
    if not file.exists():
        return found
    now = source(path, root)
    with file.open(encoding="utf-8", newline="") as lines:
        for n, row in enumerate(csv.DictReader(lines), start=2):
            try:
                about = {key: row.pop(key.upper()) for key in ABOUT}
                values = {name: float(text) for name, text in row.items() if text}
                about["seed"], about["seconds"] = int(about["seed"]), float(about["seconds"])
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise BookError(
                    f"line {n} of tests/expected/{file.name} is not a run ({error!r}); delete the "
                    "line, and the sweep runs it again"
                ) from error
            if about["made_from"] == now:
                found.append(about | {"values": values})
    return found


def store(found, path, root=ROOT):
    """Replace the lecture's table by the runs `found`, in one step, sorted by backend and seed."""
    file = table(path, root)
    names = list(dict.fromkeys(name for run in found for name in run["values"]))
    part = file.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, [*map(str.upper, ABOUT), *names], lineterminator="\n")
        writer.writeheader()
        for run in sorted(found, key=lambda run: (BACKENDS.index(run["backend"]), run["seed"])):
            values = {name: f"{value:.9g}" for name, value in run["values"].items()}
            writer.writerow({key.upper(): run[key] for key in ABOUT} | values)
    os.replace(part, file)


# ---- Runs ---------------------------------------------------------------------------------------


def one_run(path, seed, backend, root=ROOT):
    """Execute the lecture with one seed and backend; return its run, or its error as a text."""
    try:
        with tempfile.TemporaryDirectory(prefix="sweep-") as scratch:
            env = execute.environment(scratch, seed, root) | {"KERAS_BACKEND": backend}
            done = execute.run(path, env=env, quiet=True, root=root)
    except BookError as error:
        return str(error)
    about = done.metadata["book"]
    return {
        "made_from": source(path, root), "backend": backend, "seed": seed,
        "seconds": about["seconds"], "executed": about["executed"],
        "keras": about["versions"]["keras"], "python": about["versions"]["python"],
        "values": {name: record["value"] for name, record in notebooks.records(done).items()},
    }  # fmt: skip


def results(path, todo, jobs, scheduler, root=ROOT):
    """Yield (backend, seed, what `one_run` returned) for each pair of `todo`, as they are done.

    With one job they run here, one after the other; with more in that many workers of Dask, or on
    the cluster of the scheduler's address, whose workers need the book at the same path.
    """
    if jobs == 1 and not scheduler:
        for backend, seed in todo:
            yield backend, seed, one_run(path, seed, backend, root)
        return
    from distributed import Client, LocalCluster, as_completed

    options = {"n_workers": jobs, "threads_per_worker": 1, "memory_limit": 0}
    with contextlib.ExitStack() as stack:
        if not scheduler:
            local = stack.enter_context(LocalCluster(**options, dashboard_address=":0"))
        client = stack.enter_context(Client(scheduler or local))
        futures = {
            client.submit(one_run, path, seed, backend, root, pure=False): (backend, seed)
            for backend, seed in todo
        }
        for future in as_completed(futures):
            yield *futures[future], future.result()


def sweep(path, seeds, *, backends=("tensorflow",), jobs=1, scheduler=None, root=ROOT):
    """Execute the lecture at `path` with each of `seeds` on each backend; return all its runs.

    What the table has already isn't run again; each run is stored when it's done. `jobs` run side
    by side, `scheduler` is the address of a Dask scheduler. Raises BookError for an unknown
    backend and, at the end, when a run has failed.
    """
    if unknown := set(backends) - set(BACKENDS):
        raise BookError(f"no backend {sorted(unknown)[0]}; Keras has {', '.join(BACKENDS)}")
    found = runs(path, root)
    known = {(run["backend"], run["seed"]) for run in found}
    todo = [(b, s) for b in backends for s in seeds if (b, s) not in known]
    failed = []
    bar = tqdm(total=len(todo), desc=path.stem, unit="run", disable=not todo)
    with bar:
        for backend, seed, made in results(path, todo, jobs, scheduler, root):
            if isinstance(made, str):
                failed.append(f"{backend}, seed {seed}: {made}")
            else:
                found.append(made)
                store(found, path, root)
            bar.update()
            bar.write(failed[-1] if isinstance(made, str) else f"{backend}, seed {seed}: done")
    if failed:
        raise BookError(
            f"{len(failed)} of {len(todo)} runs failed; the others are kept. {failed[0]}"
        )
    return found


# ---- Bands --------------------------------------------------------------------------------------


def interval(values):
    """Return (low, high) in which one more value should fall with probability LEVEL.

    mean ± t · s · √(1 + 1/n) for n ≥ 2 independent values of a normal distribution, at least
    ROUNDING of the mean to either side. Raises ValueError for fewer values.
    """
    from scipy import stats

    n = len(values)
    if n < 2:
        raise ValueError(f"an interval needs at least 2 values, got {n}")
    t = stats.t.ppf((1 + LEVEL) / 2, n - 1)
    mean = float(np.mean(values))
    half = max(t * np.std(values, ddof=1) * np.sqrt(1 + 1 / n), ROUNDING * abs(mean))
    return mean - half, mean + half


def outward(low, high):
    """Return both rounded to three digits of their distance, the band growing by that."""
    width = high - low
    if not width:
        return low, high
    digits = 2 - int(np.floor(np.log10(width)))
    step = 10.0**-digits
    return (
        round(float(np.floor(low / step) * step), max(digits, 0)),
        round(float(np.ceil(high / step) * step), max(digits, 0)),
    )


def band(values, where, old=None):
    """Return the band {low, high, why, …} of a record from its `values` in several runs.

    `where` says which runs these are. Of the `old` band it keeps what `why` says after the first
    semicolon, and `possible`, a pair [low, high] of limits or null; without that a band whose old
    one started at or above 0 is cut there, and at 1 if that was where it ended. It stays as it is
    when the values don't differ and lie in it, or when it's marked `wider` and holds the interval.
    """
    old = old or {}
    low, high = interval(values)
    least, most = old.get("possible") or (
        0 if old.get("low", -1) >= 0 and min(values) >= 0 else None,
        1 if old.get("high") == 1 and max(values) <= 1 else None,
    )
    low, high = outward(low, high)
    low = low if least is None else max(low, least)
    high = high if most is None else min(high, most)
    holds = bool(old) and old["low"] <= min(values) and max(values) <= old["high"]
    same = np.ptp(values) <= 1e-6 * max(abs(np.mean(values)), 1e-300)
    if holds and (same or (old.get("wider") and old["low"] <= low and high <= old["high"])):
        return old
    _, _, reason = str(old.get("why", "")).partition(";")
    said = f"{min(values):.4g} to {max(values):.4g} in {where}" + (f";{reason}" if reason else "")
    return {"low": low, "high": high, "why": said} | {
        key: old[key] for key in ("possible",) if key in old
    }


def described(found):
    """Return the words for a set of runs, such as "8 runs (8 tensorflow)"."""
    counts = {b: sum(run["backend"] == b for run in found) for b in BACKENDS}
    parts = [f"{count} {backend}" for backend, count in counts.items() if count]
    return f"{len(found)} runs ({', '.join(parts)})"


def write_bands(found, path, root=ROOT):
    """Make the lecture's file of bands anew from its runs; comments at its head are kept.

    Returns {name: (old band or None, new band)} of those that changed. Raises BookError for fewer
    than two runs, or when runs don't record the same names.
    """
    if len(found) < 2:
        raise BookError(f"bands need at least 2 runs, {path.name} has {len(found)}: raise --seeds")
    names = list(found[0]["values"])
    for run in found:
        if set(run["values"]) != set(names):
            odd = sorted(set(run["values"]) ^ set(names))[0]
            raise BookError(f"not every run records {odd}: record it on every backend and seed")
    file = Path(root) / "tests" / "expected" / f"{notebooks.number(path)}.yml"
    old = notebooks.bands(path, root)
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    head = [line for line in text.splitlines() if line.startswith("#")]
    ordered = [*(name for name in old if name in names), *(n for n in names if n not in old)]
    where = described(found)
    new = {n: band([run["values"][n] for run in found], where, old.get(n)) for n in ordered}
    lines = [*head, yaml.safe_dump(new, sort_keys=False, allow_unicode=True, width=1000)]
    part = file.with_suffix(".part")
    part.write_text("\n".join(lines), encoding="utf-8")
    os.replace(part, file)
    return {name: (old.get(name), new[name]) for name in new if new[name] != old.get(name)}


def outside(run, bands):
    """Return {name: value} of a run that lie outside of their bands or have none."""
    return {
        name: value
        for name, value in run["values"].items()
        if name not in bands or not bands[name]["low"] <= value <= bands[name]["high"]
    }


def summary(found, bands):
    """Return lines: for each backend its runs, seconds, and the values outside of their bands."""
    lines = []
    for backend in BACKENDS:
        mine = [run for run in found if run["backend"] == backend]
        if not mine:
            continue
        count = sum(len(run["values"]) for run in mine)
        bad = [(run["seed"], n, v) for run in mine for n, v in outside(run, bands).items()]
        seconds = np.median([run["seconds"] for run in mine])
        lines.append(
            f"{backend}: {len(mine)} runs of {seconds:.0f} s, {count - len(bad)} of {count} values "
            "in their bands"
        )
        lines += [f"  seed {seed}: {name} {value:.5g}" for seed, name, value in bad]
    return lines
