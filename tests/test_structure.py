"""Arrows of import run one way, and nothing touches sys.path but the Colab set-up cell."""

import ast
import graphlib
import subprocess

import pytest
from conftest import ROOT

# who may import whom among the book's own parts
ARROWS = {
    "support": set(),
    "helpers": {"support"},
    "book": {"support"},
    "makers": {"helpers", "support", "book"},
    "benchmarks": {"helpers", "support", "book", "makers"},
}


def modules():
    """Return {dotted name: path} of the book's modules that git knows, tests left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    names = [name for name in listed if not name.startswith("tests/") and (ROOT / name).exists()]
    dotted = (
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names
    )
    return dict(zip(dotted, (ROOT / name for name in names), strict=True))


MODULES = modules()


def imported(source):
    """Return the dotted names that a module's source imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(name, source):
    return {other for other in imported(source) if other in MODULES and other != name}


@pytest.mark.parametrize("name", MODULES)
def test_imports_follow_the_arrows(name):
    part = name.split(".")[0]
    others = {other.split(".")[0] for other in own_imports(name, MODULES[name].read_text())}
    assert others - {part} <= ARROWS[part]


def test_no_imports_run_in_a_circle():
    graph = {name: own_imports(name, path.read_text()) for name, path in MODULES.items()}
    for name, others in graph.items():  # a package isn't a user of its own modules
        graph[name] = {other for other in others if not name.startswith(f"{other}.")}
    assert set(graphlib.TopologicalSorter(graph).static_order()) == set(MODULES)


def test_nothing_touches_the_search_path():
    users = [name for name, path in MODULES.items() if "sys.path" in path.read_text()]
    assert users == ["book.colab"]  # the set-up cell that it writes
    assert MODULES["book.colab"].read_text().count("sys.path") == 1
