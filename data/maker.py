"""What the makers of data files share: source check, packages, atomic writing, list of hashes."""

import hashlib
import io
import os
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def check_source(path, sha256):
    """Return the bytes of the file at `path`; raise unless they have this SHA-256 (hex)."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"source {path} not found: see the head of the maker")
    raw = Path(path).read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise ValueError(f"source {path} has SHA-256 {found}, expected {sha256}: fetch it again")
    return raw


def open_wheel(path, sha256):
    """Return the checked wheel at `path` as a ZipFile."""
    return zipfile.ZipFile(io.BytesIO(check_source(path, sha256)))


def open_deb(path, sha256):
    """Return the files of the checked Debian package at `path` as a TarFile (names start "./")."""
    raw = check_source(path, sha256)
    at = len(b"!<arch>\n")  # an `ar` archive: after this line, members of a 60-byte head and a body
    while at < len(raw):
        name, size = raw[at : at + 16].strip(), int(raw[at + 48 : at + 58])
        if name.startswith(b"data.tar"):
            return tarfile.open(fileobj=io.BytesIO(raw[at + 60 : at + 60 + size]))
        at += 60 + size + size % 2
    raise ValueError(f"source {path} is no Debian package: it has no data.tar")


def debian_terms(raw):
    """Return the upstream terms in a Debian copyright file: its `Files: *` and licence texts."""
    parts = raw.decode().strip().split("\n\n")
    return "\n\n".join(p for p in parts if p.startswith(("Files: *", "License:"))).encode() + b"\n"


def save_bytes(name, raw):
    """Write data/`name` in one step, list its hash."""
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(raw)
    os.replace(part, path)
    list_hash(path)


def save_npz(path, arrays):
    """Write arrays to a compressed .npz; the same arrays give the same bytes. Lists its hash."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    save_bytes(Path(path).name, packed.getvalue())


def list_hash(path):
    """Enter the SHA-256 of the file `path` in data/SHA256SUMS (the format of `sha256sum -c`) and,
    with the size, in the file's card in data/README.md.
    """
    name = Path(path).relative_to(HERE).as_posix()
    raw = Path(path).read_bytes()
    sha = hashlib.sha256(raw).hexdigest()
    size = f"{len(raw):,} bytes"

    sums = HERE / "SHA256SUMS"
    lines = sums.read_text().splitlines() if sums.exists() else []
    hashes = dict(reversed(line.split("  ", 1)) for line in lines) | {name: sha}
    replace_text(sums, "".join(f"{value}  {key}\n" for key, value in sorted(hashes.items())))

    readme = HERE / "README.md"
    head, heading, rest = readme.read_text().partition(f"## {name}\n")
    if heading:
        card, mark, others = rest.partition("\n## ")
        card = re.sub(r"(?m)^- \*\*Size:\*\*.*$", f"- **Size:** {size}", card)
        card = re.sub(r"(?m)^- \*\*SHA-256:\*\*.*$", f"- **SHA-256:** `{sha}`", card)
        replace_text(readme, head + heading + card + mark + others)
    print(f"{name}: {size}, SHA-256 {sha}")


def replace_text(path, text):
    """Write a text file in one step."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)
