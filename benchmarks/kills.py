"""Kill builds at any moment and run two at once: is the site whole afterwards?

    python -m benchmarks.kills [KILLS]          (200 kills in about half a minute)

A build here is the book's own `render` with 48 small pages, so that most of its time is the swap of
the old site for the new one. It prints how often the site was whole, absent, or half.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from book import ROOT, render
from book.__main__ import one_build

PAGES = 48


def make(root, out):
    """Write pages that all say which run has made them."""
    mark = f"{os.getpid()} {time.perf_counter()}"
    for n in range(PAGES):
        (out / f"{n}.html").write_text(mark, encoding="utf-8")


def state(site):
    """Return "whole", "absent" or "half"."""
    if not site.exists():
        return "absent"
    texts = [path.read_text(encoding="utf-8") for path in site.iterdir()]
    return "whole" if len(texts) == PAGES and len(set(texts)) == 1 else "half"


@contextlib.contextmanager
def small_pages():
    """Let `render` make these pages and nothing else."""
    kept = render.prepare, render.render_thin, render.shutil.which
    render.prepare, render.render_thin = (lambda root: None), make
    render.shutil.which = lambda name: None
    try:
        yield
    finally:
        render.prepare, render.render_thin, render.shutil.which = kept


def kill_builds(root, kills, seed=0):
    """Kill so many builds; return (states after the kills, states after the next start)."""
    chance, after, repaired = random.Random(seed), Counter(), Counter()
    with small_pages():
        render.render(root)
        for _ in range(kills):
            child = os.fork()
            if not child:
                while True:
                    render.render(root)
            time.sleep(chance.uniform(0.005, 0.06))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            after[state(root / "_site")] += 1
            render.repair(root / "_site")
            repaired[state(root / "_site")] += 1
        render.render(root)
    left = {path.name for path in root.iterdir()} - {"_site"}
    if left:
        raise RuntimeError(f"left behind: {sorted(left)}")
    return dict(after), dict(repaired)


def two_builds(root):
    """Run two builds at once; return their exit states and the state of the site."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom benchmarks import kills\n"
        "kills.build(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(root)]
    runs = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    return [run.wait() for run in runs], state(root / "_site")


def build(root):
    """Build twenty times, each time alone, as the commands of the book do."""
    with small_pages():
        for _ in range(20):
            with one_build(root):
                render.render(root)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        after, repaired = kill_builds(Path(folder), int((sys.argv[1:] or ["200"])[0]))
        print(f"after the kill: {after}; after the next start: {repaired}")
    with tempfile.TemporaryDirectory() as folder:
        results = [two_builds(Path(folder)) for _ in range(5)]
        print(f"two builds at once, five times: {results}")
