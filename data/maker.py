"""What the makers of data files share: source check, atomic writing, the list of hashes."""

import hashlib
import os
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def check_source(path, sha256):
    """Raise unless the file at `path` has this SHA-256 (hex)."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"source {path} not found: see the head of the maker")
    found = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(f"source {path} has SHA-256 {found}, expected {sha256}: fetch it again")


def save_npz(path, arrays):
    """Write arrays to a compressed .npz; the same arrays give the same bytes. Lists its hash."""
    path = Path(path)
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, **arrays)
    os.replace(part, path)
    list_hash(path)


def list_hash(path):
    """Enter the SHA-256 of data/`path` in data/SHA256SUMS (the format of `sha256sum -c`)."""
    sums = HERE / "SHA256SUMS"
    lines = sums.read_text().splitlines() if sums.exists() else []
    hashes = dict(reversed(line.split("  ", 1)) for line in lines)
    hashes[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    text = "".join(f"{sha}  {name}\n" for name, sha in sorted(hashes.items()))
    part = sums.with_suffix(".part")
    part.write_text(text)
    os.replace(part, sums)
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, SHA-256 {hashes[path.name]}")
