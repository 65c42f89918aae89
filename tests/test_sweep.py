"""Sweeps: every seed on every backend, kept run by run; bands that hold one run more."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import small_lecture
from distributed import LocalCluster

from book import ROOT, BookError, notebooks, sweep

CODE = "import helpers\nhelpers.record('seed', helpers.SEED)"
# What a kernel needs of helpers, without Keras, which takes seconds to start
HELPERS = """
import os
from IPython.display import display
SEED = int(os.environ["BOOK_SEED"])
def record(name, value):
    data = {"name": name, "value": float(value), "unit": ""}
    display({"application/vnd.book.record+json": [data], "text/plain": name}, raw=True)
"""


@pytest.fixture
def book(tmp_path):
    """A book with one small lecture that records its seed."""
    for folder in ("lectures", "data", "tests/expected"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "helpers.py").write_text(HELPERS)
    return small_lecture(CODE, tmp_path / "lectures" / "09-s.ipynb")


def rows(book):
    """Return (backend, seed, values) of the runs in the lecture's table."""
    return [(r["backend"], r["seed"], r["values"]) for r in sweep.runs(book, book.parents[1])]


# ---- Runs


def test_every_seed_runs_on_every_backend_on_two_workers(book):
    root = book.parents[1]
    backend = "import keras\nhelpers.record('letters', len(keras.backend.backend()))"
    small_lecture(f"{CODE}\n{backend}", book)
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster:
        options = {"scheduler": cluster.scheduler_address, "jobs": 2, "root": root}
        sweep.sweep(book, range(1, 3), backends=("torch", "tensorflow"), **options)
    assert rows(book) == [
        (backend, seed, {"seed": seed, "letters": len(backend)})
        for backend in ("tensorflow", "torch")
        for seed in (1, 2)
    ]


def test_runs_of_the_table_are_not_run_again(book, monkeypatch):
    root = book.parents[1]
    sweep.sweep(book, [1], root=root)
    monkeypatch.setattr(sweep, "one_run", None)  # would fail if anything were to run
    assert len(sweep.sweep(book, [1], root=root)) == 1


def test_runs_of_another_text_of_the_lecture_do_not_count(book):
    root = book.parents[1]
    sweep.sweep(book, [1], root=root)
    small_lecture(CODE.replace("SEED", "SEED + 1"), book)
    assert rows(book) == []
    sweep.sweep(book, [1], root=root)
    assert rows(book) == [("tensorflow", 1, {"seed": 2})]


def test_a_killed_sweep_goes_on_where_it_stopped(book):
    root = book.parents[1]
    small_lecture(f"{CODE}\nimport time\ntime.sleep(20 if helpers.SEED == 2 else 0)", book)
    code = (
        "from pathlib import Path\nfrom book import sweep\n"
        f"if __name__ == '__main__':\n    root = Path({str(root)!r})\n"
        "    sweep.sweep(root / 'lectures' / '09-s.ipynb', [1, 2], root=root)\n"
    )
    (root / "go.py").write_text(code)
    command = [sys.executable, str(root / "go.py")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, env=env, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not sweep.table(book, root).exists() and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert [seed for _, seed, _ in rows(book)] == [1]
    before = sweep.runs(book, root)[0]
    found = sweep.sweep(book, [1, 2], root=root)
    assert [run["seed"] for run in found] == [1, 2] and found[0] == before


def test_a_failed_run_is_named_and_the_others_are_kept(book):
    small_lecture(f"{CODE}\nassert helpers.SEED != 1, 'no ones'", book)
    with pytest.raises(BookError, match=r"1 of 2 runs failed.*tensorflow, seed 1:.*no ones"):
        sweep.sweep(book, [1, 2], root=book.parents[1])
    assert [seed for _, seed, _ in rows(book)] == [2]


def test_an_unknown_backend_is_refused(book):
    with pytest.raises(BookError, match="no backend theano; Keras has tensorflow, jax, torch"):
        sweep.sweep(book, [1], backends=("theano",))


def test_a_damaged_table_is_named(book):
    sweep.table(book, book.parents[1]).write_text("MADE_FROM,BACKEND\nx,jax\n")
    with pytest.raises(BookError, match=r"line 2 of tests/expected/09.csv is not a run"):
        sweep.runs(book, book.parents[1])


# ---- Bands


def run(backend="tensorflow", seed=1, **values):
    return {
        "made_from": "x", "backend": backend, "seed": seed, "seconds": 2.0, "executed": "-",
        "keras": "3", "python": "3", "values": values,
    }  # fmt: skip


def test_a_band_holds_one_more_run_of_a_thousand_times_in_a_thousand():
    rng = np.random.default_rng(0)
    samples = rng.normal(5, 2, (20_000, 9))
    inside = [low <= x[8] <= high for x in samples for low, high in [sweep.interval(x[:8])]]
    assert 0.9983 < np.mean(inside) < 0.9996


def test_an_interval_needs_two_values():
    with pytest.raises(ValueError, match="at least 2 values, got 1"):
        sweep.interval([1.0])


def test_rounding_a_band_makes_it_no_narrower():
    rng = np.random.default_rng(1)
    for _ in range(200):
        low = rng.normal() * 10.0 ** rng.integers(-6, 6)
        high = low + rng.exponential() * 10.0 ** rng.integers(-6, 6)
        new = sweep.outward(low, high)
        slack = 0.011 * (high - low) + 1e-9 * abs(low)
        assert low - slack <= new[0] <= low + 1e-9 * abs(low)
        assert high - 1e-9 * abs(high) <= new[1] <= high + slack


def test_a_band_is_cut_to_what_is_possible_and_keeps_its_reason():
    old = {"low": 0, "high": 1, "why": "2 runs; a share"}
    made = sweep.band([0.1, 0.5, 0.9], "3 runs", old)
    assert (made["low"], made["high"]) == (0, 1)
    assert made["why"] == "0.1 to 0.9 in 3 runs; a share"
    assert sweep.band([0.1, 0.5, 0.9], "3 runs", old | {"low": -1})["low"] < 0
    limits = old | {"possible": [-2, 2]}
    assert sweep.band([-1.9, 0, 1.9], "3 runs", limits)["low"] == -2


def test_a_calculated_band_stays_where_nothing_differs():
    old = {"low": 1.9, "high": 2.1, "why": "2, by calculation"}
    assert sweep.band([2.0, 2.0], "2 runs", old) is old
    assert sweep.band([2.5, 2.5], "2 runs", old)["low"] == pytest.approx(2.4975, rel=1e-4)
    wide = {"low": 0, "high": 999, "why": "x; a busy machine", "wider": True}
    assert sweep.band([2.0, 3.0], "2 runs", wide) is wide
    assert sweep.band([998.0, 999.0], "2 runs", wide) is not wide


def test_bands_are_written_beside_what_a_person_wrote(book):
    root = book.parents[1]
    file = root / "tests" / "expected" / "09.yml"
    file.write_text("# By sweep.\nb: {low: 0, high: 9, why: 'old; counted'}\n")
    found = [run(seed=s, a=s / 10, b=2.0 + s) for s in (1, 2)] + [run("jax", a=0.3, b=4.0)]
    changed = sweep.write_bands(found, book, root)
    assert set(changed) == {"a", "b"} and changed["a"][0] is None
    assert file.read_text().startswith("# By sweep.\nb:\n")
    bands = notebooks.bands(book, root)
    assert bands["b"]["why"] == "3 to 4 in 3 runs (2 tensorflow, 1 jax); counted"
    with pytest.raises(BookError, match="not every run records b"):
        sweep.write_bands([*found, run(a=0.1)], book, root)
    with pytest.raises(BookError, match="at least 2 runs"):
        sweep.write_bands(found[:1], book, root)


def test_the_summary_names_what_lies_outside():
    bands = {"a": {"low": 0, "high": 1, "why": "x"}}
    lines = sweep.summary([run(a=0.5), run("torch", 7, a=2.0)], bands)
    assert lines == [
        "tensorflow: 1 runs of 2 s, 1 of 1 values in their bands",
        "torch: 1 runs of 2 s, 0 of 1 values in their bands",
        "  seed 7: a 2",
    ]
