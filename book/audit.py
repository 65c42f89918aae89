"""What the locked packages are: their licences, and whether they are installed as they came.

Works from what is installed, without a network. Known weaknesses are in a database on the web:
`pip-audit -r requirements.txt` asks it.
"""

import base64
import hashlib
import importlib.metadata
import re

from book import environment

# Licences under which a package may be used beside the book's MIT and CC BY 4.0
FREE = re.compile(
    r"MIT(-0|-CMU)?|(0|2-Clause |3-Clause )?BSD(-[23]-Clause)?|Apache([- ]2\.0)?|ISC( ISCL)?|"
    r"PSF(-2\.0)?|Python Foundation|MPL[- ]2\.0|Mozilla Public 2\.0( MPL 2\.0)?|Zlib|CC0-1\.0|"
    r"CNRI-Python|BSL-1\.0|Public Domain|Apache-2\.0 WITH LLVM-exception"
)
# What metadata don't say, read in the package's own licence file
BY_HAND = {
    "axe-playwright-python": "MIT",
    "namex": "Apache-2.0",
    "pypandoc-binary": "MIT",  # Pandoc inside it is GPL-2.0-or-later, and run as a program
}


def licence(name, metadata):
    """Return the licence of a package in words, "" where it says none."""
    classes = [c.split(" :: ")[-1] for c in metadata.get_all("Classifier") or []
               if c.startswith("License :: ") and not c.endswith("OSI Approved")]  # fmt: skip
    given = (metadata.get("License") or "").strip().split("\n")[0]
    said = metadata.get("License-Expression") or " AND ".join(classes) or given
    return BY_HAND.get(name, said)


def is_free(said):
    """Say whether every licence of `said`, or one of each choice, is in FREE."""
    said = re.sub(r"\b(The|Software|License|Version|Licence)\b,?|[(),]", " ", said)
    parts = [part.split(" OR ") for part in re.split(r" AND |;", " ".join(said.split()))]
    names = [[FREE.fullmatch(name.strip()) for name in choice] for choice in parts]
    return all(any(choice) for choice in names)


def packages():
    """Return [(name, locked versions, distribution or None)] of the lock file and torch.

    A package may have several versions, for several versions of Python.
    """
    text = (environment.ROOT / environment.LOCK).read_text(encoding="utf-8")
    versions = {"torch": []}
    for name, version in re.findall(r"(?m)^([a-z0-9-]+)==([^\s;\\]+)", text):
        versions.setdefault(name, []).append(version)
    found = []
    for name in sorted(versions):
        try:
            found.append((name, versions[name], importlib.metadata.distribution(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append((name, versions[name], None))  # another system's, or left out by somebody
    return found


def table():
    """Return the Markdown table of installed locked packages, versions and licences."""
    lines = ["| package | version | licence |", "|:--|:--|:--|"]
    for name, _, package in packages():
        if package:
            lines.append(f"| {name} | {package.version} | {licence(name, package.metadata)} |")
    return "\n".join(lines)


def changed_files(package):
    """Yield the files of an installed package that differ from the hash in its own list."""
    for file in package.files or []:
        if file.hash and file.hash.mode == "sha256":
            path = file.locate()
            raw = path.read_bytes() if path.is_file() else b""
            found = base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
            if found != file.hash.value:
                yield str(file)


def audit(found=None):
    """Return what is wrong with the installed packages, as a list of sentences."""
    problems = []
    for name, versions, package in packages() if found is None else found:
        if package is None:
            continue
        if versions and package.version not in versions:
            lock = " or ".join(versions)
            problems.append(f"{name} {package.version} is installed, the lock has {lock}")
        if not is_free(said := licence(name, package.metadata)):
            problems.append(f"{name} has the licence {said or '(none given)'!r}: see book/audit.py")
        if files := list(changed_files(package)):
            problems.append(
                f"{name}: {len(files)} files differ from their hash, such as {files[0]}"
            )
    return problems
