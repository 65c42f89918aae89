"""Find or make a Python that has all that the book needs. Standard library only.

    python3 book/environment.py                 make sure that there is one, say which
    python3 book/environment.py -m book make    then run it with these arguments

It's the active environment (conda's or a virtual one) when that has what requirements.in names,
with the lock's Keras and TensorFlow; else `.venv`, made from the lock files.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NEEDS, LOCK, TORCH = "requirements.in", "requirements.txt", "requirements-torch.txt"
MADE_FROM = (TORCH, LOCK, "pyproject.toml")
OLDEST, NEWEST = (3, 11), (3, 13)  # TensorFlow 2.21 has wheels up to the second
MAIN = ("keras", "tensorflow")  # stored outputs depend on these two most

# conda-forge's name of what brings the same modules
ALSO = {"pypandoc-binary": "pypandoc"}

# What an environment is asked, by its own Python and without the user's settings
ASK = """
import importlib.metadata, json, sys
found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
print(json.dumps({"python": sys.version_info[:2], "found": found}))
"""


def say(text):
    print(f"environment: {text}", flush=True)


def stop(text):
    sys.exit(f"environment: {text}")


def run(step, *command):
    """Run one step with its time; stop with one sentence if it fails."""
    start = time.perf_counter()
    say(f"{step} …")
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        last = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in last if line.startswith("ERROR")] or last
        stop(
            f"{step} failed ({errors[-1] if errors else 'no message'}). Check that the network "
            "and pip's package index can be reached, then run the same command again."
        )
    say(f"{step}: {time.perf_counter() - start:.0f} s")


# ---- What the book needs ------------------------------------------------------------------------


def plain(name):
    """Return a package's name as the lock file writes it: `scikit_image` is `scikit-image`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needs(name=NEEDS):
    """Return the names in requirements.in and in the files that it includes, in order."""
    found = []
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r "):
            found += needs(line[3:].strip())
        elif line:
            found.append(plain(re.match(r"[\w.-]+", line)[0]))
    return found


def locked():
    """Return {name: version} of the lock file."""
    text = (ROOT / LOCK).read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([a-z0-9-]+)==([^\s;\\]+)", text))


def release(version):
    """Return the main version, the first two numbers: `3.15.1` is `3.15`."""
    return ".".join(version.split(".")[:2])


# ---- An environment that somebody has activated -------------------------------------------------


def objection(python):
    """Return why the book can't use the environment of the interpreter `python`, or None."""
    if not python.exists():
        return "it has no Python"
    try:
        asked = subprocess.run(
            [python, "-I", "-c", ASK], capture_output=True, text=True, check=True, timeout=60
        )
        answer = json.loads(asked.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return "its Python doesn't start"
    number = tuple(answer["python"])
    if not OLDEST <= number <= NEWEST:
        return "its Python is {}.{}, the book needs {}.{} to {}.{}".format(
            *number, *OLDEST, *NEWEST
        )
    found = {plain(name): version for name, version in answer["found"].items()}
    missing = [name for name in needs() if not {name, ALSO.get(name)} & set(found)]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        return f"it lacks {', '.join(missing[:3])}{more}"
    wanted = locked()
    for name in MAIN:
        if release(found[name]) != release(wanted[name]):
            return f"it has {name} {found[name]}, the book was made with {wanted[name]}"
    return None


def active():
    """Return the Python of an active environment that the book can use, or None.

    Of an environment that is active and can't be used it says why.
    """
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = os.environ.get(variable)
        if not prefix or Path(prefix).resolve() == VENV.resolve():
            continue
        python = Path(prefix) / "bin" / "python"
        why_not = objection(python)
        if why_not is None:
            say(f"the active environment, {prefix}")
            return python
        say(f"not the active environment {prefix}: {why_not}")
    return None


# ---- The book's own environment -----------------------------------------------------------------


def own():
    """Make .venv, or leave it as it is when it was made from these lock files; return its Python.

    Every package is checked against its hash in the lock file and installs without its
    dependencies, because the lock is complete. torch comes last, so that what it needs is there
    already: its own file says why it has no hash. The checkout itself is the last package, which
    lets a notebook in any folder import helpers.
    """
    found = sys.version_info[:2]
    if not OLDEST <= found <= NEWEST:
        stop(
            f"Python {found[0]}.{found[1]} can't build the book, it needs "
            f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}: install one and run "
            f"`make book PYTHON=python{OLDEST[0]}.{OLDEST[1]}`."
        )
    files = b"".join((ROOT / name).read_bytes() for name in MADE_FROM)
    wanted = f"{found[0]}.{found[1]} {hashlib.sha256(files).hexdigest()} {ROOT}"
    stamp = VENV / "made-from"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted and PYTHON.exists():
        say(".venv, up to date")
        return PYTHON
    base = sys._base_executable  # this Python may be the one in .venv, which goes now
    shutil.rmtree(VENV, ignore_errors=True)
    run("making .venv", base, "-m", "venv", VENV)
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    hashed = ("--no-deps", "--require-hashes", "--only-binary", ":all:")
    run("installing what the lock file names (some minutes)", *pip, *hashed, "-r", ROOT / LOCK)
    run("installing torch", *pip, "-r", ROOT / TORCH)
    run("making helpers importable", *pip, "--no-deps", "--no-build-isolation", "-e", ROOT)
    part = stamp.with_suffix(".part")
    part.write_text(wanted, encoding="utf-8")
    os.replace(part, stamp)
    return PYTHON


def ensure():
    """Return the Python that has all that the book needs; make `.venv` where there's none."""
    return active() or own()


def main(arguments):
    """Make sure of the environment; with arguments, become its Python and run them."""
    python = ensure()
    if not arguments:
        return
    if python != PYTHON:  # somebody else's environment: nothing is installed there
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    sys.stdout.flush()
    os.execv(python, [str(python), *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
