"""Make .venv from the lock files. Standard library only: the system's Python runs this."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = ("requirements-torch.txt", "requirements.txt")
OLDEST, NEWEST = (3, 11), (3, 13)  # TensorFlow 2.21 has wheels up to the second


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


def ensure():
    """Make .venv, or leave it as it is when it was made from these lock files."""
    found = sys.version_info[:2]
    if not OLDEST <= found <= NEWEST:
        stop(
            f"Python {found[0]}.{found[1]} can't build the book, it needs "
            f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}: install one and run "
            f"`make book PYTHON=python{OLDEST[0]}.{OLDEST[1]}`."
        )
    lock = b"".join((ROOT / name).read_bytes() for name in LOCKS)
    wanted = f"{found[0]}.{found[1]} {hashlib.sha256(lock).hexdigest()}"
    stamp = VENV / "made-from"
    if stamp.exists() and stamp.read_text() == wanted and PYTHON.exists():
        say("up to date")
        return
    shutil.rmtree(VENV, ignore_errors=True)
    run("making .venv", sys.executable, "-m", "venv", VENV)
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run("installing torch", *pip, "-r", ROOT / LOCKS[0])
    run("installing the rest (some minutes)", *pip, "--no-deps", "-r", ROOT / LOCKS[1])
    part = stamp.with_suffix(".part")
    part.write_text(wanted)
    os.replace(part, stamp)


if __name__ == "__main__":
    ensure()
