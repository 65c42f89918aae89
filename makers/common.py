"""What the makers of data files share: source check, packages, atomic writing, list of hashes."""

import io
import json
import os
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from support import files

DATA = files.DATA
LECTURES = DATA.parent / "lectures"


def check_source(path, sha256):
    """Return the bytes of the file at `path`; raise unless they have this SHA-256 (hex)."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"source {path} not found: see the head of the maker")
    raw = Path(path).read_bytes()
    if (found := files.sha256(raw)) != sha256:
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
    path = DATA / name
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(raw)
    os.replace(part, path)
    list_hash(path)


def save_npz(name, arrays):
    """Write arrays to a compressed .npz; the same arrays give the same bytes. Lists its hash."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    save_bytes(name, packed.getvalue())


def save_checkpoint(name, weights, **notes):
    """Write a list of weights as float16 to data/`name`, a safetensors file, with its notes.

    `notes` are JSON values: where it was made from (see book/definitions.py), the training log.
    """
    arrays = {f"{i:02d}": np.asarray(w).astype("float16") for i, w in enumerate(weights)}
    save_bytes(name, save(arrays, {"notes": json.dumps(notes, ensure_ascii=False)}))


def list_hash(path):
    """Enter the SHA-256 of the file `path` in data/SHA256SUMS (the format of `sha256sum -c`) and,
    with the size, in the file's card in data/README.md.
    """
    name = Path(path).relative_to(DATA).as_posix()
    raw = Path(path).read_bytes()
    digest, size = files.sha256(raw), f"{len(raw):,} bytes"
    hashes = files.listed(DATA) | {name: digest}
    lines = "".join(f"{value}  {key}\n" for key, value in sorted(hashes.items()))
    replace_text(DATA / "SHA256SUMS", lines)

    readme = DATA / "README.md"
    head, heading, rest = readme.read_text(encoding="utf-8").partition(f"## {name}\n")
    if heading:
        card, mark, others = rest.partition("\n## ")
        card = re.sub(r"(?m)^- \*\*Size:\*\*.*$", f"- **Size:** {size}", card)
        card = re.sub(r"(?m)^- \*\*SHA-256:\*\*.*$", f"- **SHA-256:** `{digest}`", card)
        replace_text(readme, head + heading + card + mark + others)
    print(f"{name}: {size}, SHA-256 {digest}")


def replace_text(path, text):
    """Write a text file in one step."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
