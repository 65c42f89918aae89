"""Environments beside the book's own: other versions of what lectures import, in .scratch/."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from book import ROOT, BookError

FOLDER = ROOT / ".scratch"


def answers(python):
    """Say whether `python` is an interpreter that starts."""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def find_python(version):
    """Return an interpreter of Python `version`, such as "3.13", or None.

    From the PATH, or among those that pyenv has installed.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = shutil.which(f"python{version}")
    found = [named] if named else []
    found += sorted(pyenv.glob(f"{version}*/bin/python{version}"))
    return next((str(python) for python in found if answers(python)), None)


def pip(python, *arguments):
    """Let the pip of `python` install; raises BookError with its last line where it can't."""
    command = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    command += ["--only-binary", ":all:", *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no message"]
        raise BookError(
            f"pip can't install {' '.join(map(str, arguments))} ({errors[-1]}): see that the "
            "package index can be reached, then run the same command again"
        )


def environment(name, version, *steps):
    """Return the Python of .scratch/`name`, made where there's none yet from the same `steps`.

    `version` is the Python wanted, such as "3.13"; without it the book's own is taken, with a
    notice. Each step are arguments of `pip install`; a file named there counts by its content.
    Raises BookError where packages can't be installed.
    """
    own = ".".join(map(str, sys.version_info[:2]))
    base = find_python(version) if version != own else None
    if base is None:
        if version != own:
            print(f"scratch: no Python {version} here; {name} is made with {own}", flush=True)
        base = getattr(sys, "_base_executable", sys.executable)
    files = [Path(part) for step in steps for part in step if Path(part).is_file()]
    said = "\n".join([base, *(" ".join(map(str, step)) for step in steps)]).encode()
    wanted = hashlib.sha256(said + b"".join(file.read_bytes() for file in files)).hexdigest()
    folder = FOLDER / name
    python, stamp = folder / "bin" / "python", folder / "made-from"
    if stamp.is_file() and stamp.read_text() == wanted and answers(python):
        return python
    print(f"scratch: installing {name} into {folder} (some minutes) …", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([base, "-m", "venv", folder], check=True)
    for step in steps:
        pip(python, *step)
    stamp.write_text(wanted)
    return python


def versions(python):
    """Return {package: version} of the environment of `python`."""
    ask = (
        "import importlib.metadata as m\n"
        "print('\\n'.join(f\"{d.metadata['Name']}=={d.version}\" for d in m.distributions()))"
    )
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    return dict(line.split("==") for line in done.stdout.split())
