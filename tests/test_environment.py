"""The environment: what the book needs, the lock file, the choice of a Python, JupyterLab."""

import ast
import asyncio
import contextlib
import importlib.metadata
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from book import ROOT, environment, notebooks

# An import's package where the two differ; conda-forge's name where that differs
PACKAGES = {
    "IPython": "ipython",
    "PIL": "pillow",
    "keras_hub": "keras-hub",
    "pypandoc": "pypandoc-binary",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
CONDA = {"torch": "pytorch", **environment.ALSO}
OPTIONAL = {"jax"}  # the third backend: a test skips without it


# ---- What is imported is named ------------------------------------------------------------------


def imported(source):
    """Return the top-level names that a piece of Python imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names


def sources():
    """Yield (place, source) of every module of the repository and every cell of a lecture."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split():
        if (ROOT / name).exists() and not name.startswith("tests/fixtures/"):
            yield name, (ROOT / name).read_text(encoding="utf-8")
    for path in notebooks.lectures():
        for cell in notebooks.read(path).cells:
            if cell.cell_type == "code":
                lines = [line for line in cell.source.splitlines() if not line.startswith("%")]
                yield path.name, "\n".join(lines)


def packages():
    """Return {package that the book imports: a place that imports it}."""
    own = {path.stem for path in [*ROOT.glob("*"), *ROOT.glob("tests/*.py")]}
    found = {}
    for place, source in sources():
        for name in imported(source) - own - OPTIONAL - sys.stdlib_module_names:
            found[environment.plain(PACKAGES.get(name, name))] = place
    return found


def conda():
    """Return {package of environment.yml: its line}, pip's section included."""
    lines = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    flat = [x for line in lines for x in (line["pip"] if isinstance(line, dict) else [line])]
    return {environment.plain(re.match(r"[\w.-]+", x)[0]): x for x in flat if x != "-e ."}


def test_every_import_is_named_in_requirements_in():
    named = set(environment.needs())
    unnamed = {name: place for name, place in packages().items() if name not in named}
    assert not unnamed, f"add to requirements.in, then `make lock`: {unnamed}"


def test_environment_yml_has_all_that_requirements_in_names():
    listed = conda()
    missing = [name for name in environment.needs() if CONDA.get(name, name) not in listed]
    assert not missing, f"add to environment.yml: {missing}"


def test_environment_yml_has_the_locks_main_versions():
    locked, listed = environment.locked(), conda()
    for name in environment.MAIN:
        assert listed[name] == f"{name}=={environment.release(locked[name])}.*"


def test_the_checkout_as_a_package_names_what_lectures_reach():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project["project"]["version"] == str(cited["version"])
    setuptools = project["tool"]["setuptools"]
    assert setuptools["py-modules"] == ["helpers"] and setuptools["packages"] == ["support"]


# ---- The lock file ------------------------------------------------------------------------------


def entries(text):
    """Return the entries of a lock file: the line of a package with its hashes."""
    text = re.sub(r"(?m)^\s*#.*\n?", "", text)
    return re.sub(r"\\\n\s*", "", text).split("\n")


def test_every_locked_package_has_hashes_and_no_registry_is_named():
    text = (ROOT / environment.LOCK).read_text(encoding="utf-8")
    for entry in filter(None, entries(text)):
        assert re.match(r"[a-z0-9-]+==[^\s;]+", entry), entry
        assert "--hash=sha256:" in entry, entry
    for name in (*environment.MADE_FROM, environment.NEEDS, "environment.yml", "Makefile"):
        assert not re.search(r"://|index-url|find-links", (ROOT / name).read_text("utf-8")), name


def test_the_lock_has_all_that_requirements_in_names():
    locked = environment.locked()
    assert [name for name in environment.needs() if name not in locked] == ["torch"]


def test_nothing_that_a_locked_package_asks_for_is_missing():
    """pip installs the lock without dependencies, so it must be complete by itself."""
    unused = set(environment.needs("requirements-unused.txt"))
    locked = {*environment.locked(), "torch"}
    problems = []
    for name in environment.locked():
        try:
            asks = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform
        for ask in map(Requirement, asks):
            if environment.plain(ask.name) in unused:
                continue
            if ask.marker is None or ask.marker.evaluate({"extra": ""}):
                if environment.plain(ask.name) not in locked:
                    problems.append(f"{name} asks for {ask}, which the lock lacks")
                elif not ask.specifier.contains(importlib.metadata.version(ask.name), True):
                    problems.append(f"{name} asks for {ask}, the lock has another version")
    assert not problems


# ---- The choice of a Python ---------------------------------------------------------------------


@pytest.fixture
def pretend(tmp_path):
    """A function that makes an environment whose Python answers as told, and returns its folder.

    Asked for what is installed it gives that answer; else it's the Python of these tests.
    """

    def make(python=(3, 11), without=(), **versions):
        found = {**environment.locked(), "torch": "2.13.0"} | versions
        found = {name: version for name, version in found.items() if name not in without}
        answer = json.dumps({"python": python, "found": found})
        program = tmp_path / "env" / "bin" / "python"
        program.parent.mkdir(parents=True, exist_ok=True)
        run = f"[ \"$1\" = -I ] && echo '{answer}' || exec '{sys.executable}' \"$@\""
        program.write_text(f"#!/bin/sh\n{run}\n", encoding="utf-8")
        program.chmod(0o755)
        return tmp_path / "env"

    return make


@pytest.fixture
def activate(monkeypatch):
    """A function that makes folders the active environments, by the variables that say so."""

    def act(virtual=None, conda=None):
        for variable, folder in (("VIRTUAL_ENV", virtual), ("CONDA_PREFIX", conda)):
            if folder:
                monkeypatch.setenv(variable, str(folder))
            else:
                monkeypatch.delenv(variable, raising=False)

    return act


@pytest.mark.parametrize("variable", ["virtual", "conda"])
def test_an_active_environment_with_all_is_used(pretend, activate, variable, capsys):
    folder = pretend()
    activate(**{variable: folder})
    assert environment.active() == folder / "bin" / "python"
    assert f"the active environment, {folder}" in capsys.readouterr().out


def test_the_active_environment_comes_first(monkeypatch):
    monkeypatch.setattr(environment, "active", lambda: Path("active"))
    monkeypatch.setattr(environment, "own", lambda: Path("own"))
    assert environment.ensure() == Path("active")
    monkeypatch.setattr(environment, "active", lambda: None)
    assert environment.ensure() == Path("own")


def test_conda_forges_pandoc_counts(pretend, activate):
    activate(conda=pretend(without=["pypandoc-binary"], pypandoc="1.15"))
    assert environment.active()


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"without": ["jupyterlab"]}, "it lacks jupyterlab"),
        ({"without": ["keras", "numpy", "pandas", "scipy"]}, "it lacks keras, numpy, pandas and 1"),
        ({"keras": "3.12.0"}, "it has keras 3.12.0, the book was made with 3.15"),
        ({"tensorflow": "2.20.1"}, "it has tensorflow 2.20.1"),
        ({"python": (3, 14)}, "its Python is 3.14, the book needs 3.11 to 3.13"),
    ],
)
def test_an_active_environment_that_lacks_something_is_refused(
    pretend, activate, environ, why, capsys
):
    folder = pretend(**environ)
    activate(conda=folder)
    assert environment.active() is None
    assert f"not the active environment {folder}: {why}" in capsys.readouterr().out


def test_an_environment_without_a_working_python_is_refused(tmp_path, activate, capsys):
    activate(virtual=tmp_path)
    assert environment.active() is None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    assert environment.active() is None
    said = capsys.readouterr().out
    assert "it has no Python" in said and "its Python doesn't start" in said


def test_the_books_own_environment_is_no_foreign_one(activate, capsys):
    activate(virtual=environment.VENV)
    assert environment.active() is None
    assert not capsys.readouterr().out


def test_its_python_runs_what_it_is_given(pretend, tmp_path):
    """As the Makefile calls it; an environment of somebody else is told where helpers is."""
    look = "import os, sys; print(os.environ['PYTHONPATH'], sys.argv[1])"
    env = {"PATH": os.environ["PATH"], "VIRTUAL_ENV": str(pretend())}
    command = [sys.executable, ROOT / "book" / "environment.py", "-c", look, "two words"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == [f"{ROOT} two words"], done.stderr


# ---- The book's own environment -----------------------------------------------------------------


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """A checkout with lock files and no .venv, and the list of commands that would make it."""
    for name in environment.MADE_FROM:
        (tmp_path / name).write_text(f"{name}\n", encoding="utf-8")
    done = []

    def run(step, *command):
        done.append([str(x) for x in command])
        environment.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        environment.PYTHON.touch()

    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(environment, "run", run)
    return done


def test_the_lock_is_installed_by_its_hashes_and_torch_after_it(steps, tmp_path):
    environment.own()
    venv, lock, torch, book = steps
    assert venv == [sys._base_executable, "-m", "venv", str(tmp_path / ".venv")]
    assert {"--require-hashes", "--no-deps", "--only-binary"} < set(lock)
    assert lock[-1] == str(tmp_path / environment.LOCK)
    assert torch[-1] == str(tmp_path / environment.TORCH) and "--no-deps" not in torch
    assert book[-2:] == ["-e", str(tmp_path)]


@pytest.mark.parametrize("name", environment.MADE_FROM)
def test_the_environment_is_made_again_only_when_a_file_changed(steps, tmp_path, name):
    environment.own()
    environment.own()
    assert len(steps) == 4
    (tmp_path / name).write_text("other\n", encoding="utf-8")
    environment.own()
    assert len(steps) == 8


def test_unsuited_python_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    with pytest.raises(SystemExit, match=r"Python 3\.10 can't build the book.*3\.11 to 3\.13"):
        environment.own()


def test_a_step_that_fails_is_said_in_one_sentence():
    with pytest.raises(SystemExit, match=r"step failed \(no wheel\)\. Check that the network"):
        environment.run("step", sys.executable, "-c", "import sys; sys.exit('no wheel')")


def outside():
    """Return the environment variables without those by which Python finds the checkout."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}


def test_helpers_are_importable_from_any_folder(tmp_path):
    if environment.plain("generative_networks") not in {
        environment.plain(d.metadata["Name"]) for d in importlib.metadata.distributions()
    }:
        assert Path(sys.prefix) != environment.VENV, ".venv lacks the checkout: `make environment`"
        pytest.skip("somebody's environment, in which the checkout isn't installed")
    look = "import importlib.util as u; print(u.find_spec('helpers').origin)"
    command = [sys.executable, "-c", look]
    done = subprocess.run(command, cwd=tmp_path, env=outside(), capture_output=True, text=True)
    assert done.stdout.strip() == str(ROOT / "helpers.py"), done.stderr


# ---- JupyterLab ---------------------------------------------------------------------------------

PROBE = "import helpers, os; print('cwd', os.getcwd()); print('seed', helpers.seed())"


class Lab:
    """A JupyterLab started by `make lab`, or as that does it in another folder."""

    def __init__(self, folder=None):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.token = secrets.token_hex(8)
        options = [
            "--no-browser",
            "--allow-root",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={self.token}",
        ]
        command = ["make", "lab", f"PYTHON={sys.executable}", f"LAB={' '.join(options)}"]
        if folder:
            command = [sys.executable, ROOT / "book" / "environment.py", "-m", "jupyterlab"]
            command += options
        self.process = subprocess.Popen(
            command,
            cwd=folder or ROOT,
            env=outside() | {"VIRTUAL_ENV": sys.prefix},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self):
        end = time.monotonic() + 90
        while True:
            try:
                self.get("/api/status")
                return self
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is None and time.monotonic() < end:
                    time.sleep(0.3)
                    continue
            self.__exit__()
            pytest.fail(f"`make lab` doesn't answer; it said:\n{self.process.stdout.read()}")

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)

    def get(self, path, data=None):
        """Return the body of the answer at `path`; with `data` it's posted as JSON."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data and json.dumps(data).encode(),
            {"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def execute(self, notebook, code):
        """Open a session for `notebook`, as its page does, and return what `code` prints."""
        kernel = {"name": "python3"}
        asked = {"path": notebook, "name": notebook, "type": "notebook", "kernel": kernel}
        session = json.loads(self.get("/api/sessions", asked))
        talk = self.talk(session["kernel"]["id"], code)
        with ThreadPoolExecutor(1) as thread:  # the tests' browser has a loop running in this one
            return thread.submit(asyncio.run, talk).result()

    async def talk(self, kernel, code):
        from tornado.websocket import websocket_connect

        place = f"ws://127.0.0.1:{self.port}/api/kernels/{kernel}/channels?token={self.token}"
        line = await websocket_connect(place)
        header = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        await line.write_message(json.dumps(message | {"channel": "shell"}))
        printed = ""
        while True:
            answer = json.loads(await asyncio.wait_for(line.read_message(), 120))
            if answer["parent_header"].get("msg_id") != "1":
                continue
            if answer["msg_type"] == "stream":
                printed += answer["content"]["text"]
            elif answer["msg_type"] == "error":
                pytest.fail("\n".join(answer["content"]["traceback"]))
            elif answer["msg_type"] == "execute_reply":
                line.close()
                return printed


def test_make_lab_opens_the_lectures_and_they_find_helpers():
    with Lab() as lab:
        assert "JupyterLab" in lab.get("/lab")
        shown = {item["name"] for item in json.loads(lab.get("/api/contents"))["content"]}
        assert {path.name for path in notebooks.lectures()} <= shown
        printed = lab.execute("06-autoencoders.ipynb", PROBE)
    assert f"cwd {ROOT / 'lectures'}" in printed and "seed 1" in printed


def test_a_notebook_in_another_folder_finds_helpers_too(tmp_path):
    cell = {"cell_type": "code", "source": PROBE, "metadata": {}, "outputs": []}
    notebook = {"cells": [cell | {"execution_count": None}], "metadata": {}, "nbformat": 4}
    (tmp_path / "mine.ipynb").write_text(json.dumps(notebook | {"nbformat_minor": 4}))
    with Lab(tmp_path) as lab:
        opened = json.loads(lab.get("/api/contents/mine.ipynb"))["content"]["cells"][0]["source"]
        assert f"cwd {tmp_path}" in lab.execute("mine.ipynb", opened)
