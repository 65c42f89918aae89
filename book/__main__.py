"""The command line of the book: `python -m book VERB`."""

import argparse
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from book import ROOT, BookError


@contextlib.contextmanager
def one_build(root=ROOT):
    """Let one build run at a time; a second one says so and waits."""
    lock, owner = FileLock(root / ".build.lock"), root / ".build.owner"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        said = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
        print(f"waiting: {said} is building the book", flush=True)
        lock.acquire()
    try:
        owner.write_text(f"process {os.getpid()}, since {time.strftime('%H:%M:%S')},", "utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def make(args):
    """Execute what is stale, render everything, and say what was done and where to look."""
    from book import execute, notebooks, render

    steps, start = [], time.perf_counter()

    def timed(name, work):
        begun = time.perf_counter()
        result = work()
        steps.append((name, time.perf_counter() - begun))
        return result

    paths = notebooks.lectures(only=args.lecture)
    done = timed("execute", lambda: execute.execute(paths, **runs(args)))
    engine = timed("render", render.render)
    print(f"\n{len(done)} of {len(paths)} lectures executed")
    for name, seconds in done.items():
        print(f"  {name}: {seconds:.0f} s")
    for name, seconds in steps:
        print(f"{name}: {seconds:.1f} s" + (f" (with {engine})" if name == "render" else ""))
    print(f"in all: {time.perf_counter() - start:.1f} s\nlook at: {ROOT / '_site' / 'index.html'}")


def runs(args):
    """Return how lectures are to be executed."""
    return {"force": args.force, "seed": args.seed, "timeout": args.timeout}


def execute_only(args):
    from book import execute, notebooks

    execute.execute(notebooks.lectures(only=args.lecture), **runs(args))


def render_only(args):
    from book import render

    if args.output:
        out = Path(args.output).resolve()
        print(f"rendered with {render.render_to(out)}: {out / 'index.html'}")
    else:
        print(f"rendered with {render.render()}: {ROOT / '_site' / 'index.html'}")


def prepare_only(args):
    from book import render

    render.prepare()


def offline_only(args):
    import os

    from book import render

    render.offline(os.environ.get("QUARTO_PROJECT_OUTPUT_DIR", ROOT / "_site"))


def check_only(args):
    from book import check

    problems = check.check_data() if args.what == "data" else check.check()
    print("\n".join(problems) or "check: nothing to complain about")
    sys.exit(bool(problems))


def audit_only(args):
    from book import audit

    print(audit.table(), flush=True)
    problems = audit.audit()
    print("\n".join(problems) or "audit: nothing to complain about")
    sys.exit(bool(problems))


def sweep_only(args):
    from book import notebooks, sweep

    options = {"backends": args.backends.split(","), "jobs": args.jobs}
    for path in notebooks.lectures(only=args.lecture):
        found = sweep.sweep(path, args.seeds, scheduler=args.scheduler, **options)
        if args.write:
            for name, (old, new) in sweep.write_bands(found, path).items():
                before = f"{old['low']:g} to {old['high']:g}" if old else "none"
                print(f"{name}: {before}, now {new['low']:g} to {new['high']:g}")
        print("\n".join([path.stem, *sweep.summary(found, notebooks.bands(path))]))


def latest_only(args):
    from book import latest, notebooks

    sys.exit(not latest.latest(notebooks.lectures(only=args.lecture)))


def seeds(text):
    """Return the seeds that `--seeds` names: 8 is 1 to 8, 6-10 is those five."""
    first, _, last = text.rpartition("-")
    return range(int(first or 1), int(last) + 1)


def slides_pdf(args):
    from book import slides

    for path, count in slides.write():
        print(f"{path}: {count} pages")


def main():
    parser = argparse.ArgumentParser(prog="python -m book", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, function, text in (
        ("make", make, "execute what is stale, render all"),
        ("execute", execute_only, "execute what is stale"),
        ("render", render_only, "render website, decks and Colab notebooks into _site/"),
        ("prepare", prepare_only, "write what rendering needs besides the lectures (Quarto asks)"),
        ("offline", offline_only, "take what loads from other hosts out of a site (Quarto asks)"),
        ("check", check_only, "check the structure of lectures, data and repository"),
        ("audit", audit_only, "list the packages' licences, compare them with lock and hashes"),
        ("sweep", sweep_only, "run a lecture over seeds and backends, make bands of its values"),
        ("latest", latest_only, "run lectures with the newest releases, say what changed"),
        ("slides-pdf", slides_pdf, "print every deck to _site/slides-pdf/"),
    ):
        verb = verbs.add_parser(name, help=text)
        verb.set_defaults(run=function)
        if name in ("make", "execute", "sweep", "latest"):
            verb.add_argument("--lecture", metavar="NN", help="only this lecture, such as 06")
        if name in ("make", "execute"):
            verb.add_argument("--force", action="store_true", help="execute though not stale")
            verb.add_argument("--seed", type=int, default=1)
            verb.add_argument("--timeout", type=int, default=1200, help="seconds a cell may take")
        if name == "render":
            verb.add_argument("--output", metavar="FOLDER", help="write there and nowhere else")
        if name == "check":
            what = ("book", "data")
            verb.add_argument("what", nargs="?", choices=what, default="book", help="all, or data")
        if name == "sweep":
            verb.add_argument("--seeds", type=seeds, default="8", help="8 (1 to 8) or 6-10")
            verb.add_argument("--jobs", type=int, default=1, help="lectures side by side")
            verb.add_argument("--backends", default="tensorflow", help="tensorflow,jax,torch")
            verb.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler")
            verb.add_argument("--write", action="store_true", help="make the bands anew")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, stopped)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # where the terminal isn't UTF-8
    place = ROOT
    if getattr(args, "output", None):
        place = Path(args.output).resolve().parent
        place.mkdir(parents=True, exist_ok=True)
    try:
        with one_build(place) if args.run in BUILDS else contextlib.nullcontext():
            args.run(args)
    except BookError as error:
        sys.exit(f"book: {error}")
    except KeyboardInterrupt:
        print("\nbook: stopped; what was finished before is kept", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        sys.exit(f"book: {error.strerror or error}{where}; nothing that was good is lost")


def stopped(*_):
    """Answer SIGTERM as Ctrl-C is answered, with the exit status that belongs to it."""
    print("\nbook: stopped; what was finished before is kept", file=sys.stderr)
    sys.exit(143)


BUILDS = (make, execute_only, render_only, slides_pdf)


if __name__ == "__main__":
    main()
