"""A plugin of pytest: after the run, one line an area of the book (`pytest -p tests.areas`)."""

from collections import Counter, defaultdict
from pathlib import Path

AREAS = {
    "environment": ("environment", "workflow", "areas"),
    "data": ("files", "loaders", "makers"),
    "helpers": ("helpers", "networks", "widgets"),
    "book": (
        "book",
        "audit",
        "definitions",
        "faults",
        "hostile",
        "places",
        "promises",
        "fingerprint",
        "frame",
        "structure",
        "notation",
        "exercises",
    ),
    "site": ("site", "quarto"),
    "Colab": ("colab", "scratch", "latest", "defaults"),
}
AREA = {f"test_{name}": area for area, names in AREAS.items() for name in names}
COUNTED = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


def area(nodeid):
    """Return the area of a test, by its file; whatever has no other is about lectures."""
    return AREA.get(Path(nodeid.split("::")[0]).stem, "lectures")


def pytest_terminal_summary(terminalreporter):
    """Print, for each area, how its tests ended and how long they took, set-up included."""
    counts, seconds = defaultdict(Counter), Counter()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if not hasattr(report, "nodeid") or not hasattr(report, "duration"):
                continue
            name = area(report.nodeid)
            seconds[name] += report.duration
            if outcome in COUNTED:
                counts[name][outcome] += 1
    if not counts:
        return
    terminalreporter.section("by area")
    width = max(map(len, counts))
    for name in sorted(counts, key=[*AREAS, "lectures"].index):
        ended = ", ".join(f"{counts[name][o]} {o}" for o in COUNTED if counts[name][o])
        terminalreporter.write_line(f"{name:{width}}  {seconds[name]:5.0f} s  {ended}")
