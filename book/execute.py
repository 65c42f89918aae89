"""Execute lectures in fresh kernels and store their outputs, whole or not at all."""

import base64
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from PIL import Image

from book import ROOT, BookError, fingerprint, notebooks

THREADS = 2
CELL_SECONDS = 1200


class PeakMemory(threading.Thread):
    """Watches the memory of a process, kernel and children, twice a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.process, self.peak, self.done = psutil.Process(pid), 0, threading.Event()
        self.start()

    def run(self):
        while True:
            try:
                self.peak = max(self.peak, self.process.memory_info().rss)
            except psutil.NoSuchProcess:
                return
            if self.done.wait(0.5):
                return


def environment(scratch, seed, root=ROOT):
    """Return the environment variables of a lecture's kernel."""
    threads = {
        name: str(THREADS)
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS")
    }
    return {
        **os.environ,
        **threads,
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(root),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "BOOK_SEED": str(seed),
        "BOOK_DATA_LOG": str(Path(scratch) / "data-read"),
    }


def quantised(png):
    """Return a PNG (base64) with at most 256 colours and no metadata; smaller, same look."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    small = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def tidy(notebook):
    """Make outputs compact and alike from run to run: last state of progress lines, small PNGs."""
    for _, _, _, outputs in notebooks.code_cells(notebook):
        kept = []
        for output in outputs:
            if output.output_type != "stream":
                kept.append(output)
            elif output.name == "stdout" and kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
            elif output.name == "stdout":
                kept.append(output)
        outputs[:] = kept
        for output in outputs:
            if output.output_type == "stream":
                lines = output.text.split("\n")
                output.text = "\n".join(line.rsplit("\r", 1)[-1] for line in lines)
            elif "image/png" in output.get("data", {}):
                output.data["image/png"] = quantised(output.data["image/png"])
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def run(path, *, seed=1, env=None, cwd=None, quiet=False, root=ROOT):
    """Execute the notebook at `path` in a fresh kernel; return it with outputs and metadata.

    Nothing is written. `env` replaces the kernel's environment and `cwd` its scratch folder (for
    Colab notebooks). Raises BookError naming the cell when it raises or its kernel dies.
    """
    path = Path(path)
    notebook = notebooks.read(path)
    total = sum(cell.cell_type == "code" for cell in notebook.cells)
    start, n, where = time.perf_counter(), 0, "start"

    with tempfile.TemporaryDirectory(prefix="lecture-") as scratch:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=CELL_SECONDS,
            resources={"metadata": {"path": str(cwd or scratch)}},
        )
        memory = None
        try:
            quiet_start = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            with client.setup_kernel(env=env or environment(scratch, seed, root), **quiet_start):
                memory = PeakMemory(client.km.provisioner.pid)
                for i, cell in enumerate(notebook.cells):
                    if cell.cell_type != "code":
                        continue
                    n, where = n + 1, notebooks.heading_before(notebook, i)
                    if not quiet:
                        seconds = time.perf_counter() - start
                        print(f"  {path.stem} {n}/{total} {seconds:5.0f} s  {where}", flush=True)
                    client.execute_cell(cell, i)
        except CellExecutionError as error:
            raise BookError(
                f"{path.name}: code cell {n} (under “{where}”) raised {error.ename}: "
                f"{error.evalue}. Stored outputs are unchanged."
            ) from error
        except DeadKernelError as error:
            raise BookError(
                f"{path.name}: the kernel died in code cell {n} (killed, or out of memory). "
                "Stored outputs are unchanged; close other programs and run again."
            ) from error
        except TimeoutError as error:
            raise BookError(
                f"{path.name}: code cell {n} ran over {CELL_SECONDS} s. "
                "Stored outputs are unchanged."
            ) from error
        finally:
            if memory:
                memory.done.set()
        log = Path(scratch) / "data-read"
        data = sorted(set(log.read_text().split())) if log.exists() else []
    tidy(notebook)
    notebook.metadata["book"] = {
        "made_from": fingerprint.fingerprint(path, data, root) if env is None else {},
        "seed": seed,
        "seconds": round(time.perf_counter() - start, 1),
        "peak_memory_mb": round(memory.peak / 1e6),
        "executed": time.strftime("%Y-%m-%d"),
        "versions": {name: version(name) for name in ("keras", "tensorflow", "numpy")}
        | {"python": sys.version.split()[0]},
    }
    return notebook


def write(notebook, path):
    """Replace the notebook at `path` in one step."""
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python"
    }  # fmt: skip
    part = Path(path).with_suffix(".part")
    nbformat.write(notebook, part)
    os.replace(part, path)


def execute(paths, *, force=False, seed=1, root=ROOT):
    """Execute the stale lectures among `paths` (all with `force`); return {name: seconds}."""
    done = {}
    for path in paths:
        why = "asked for" if force else fingerprint.stale(path, root)
        if not why:
            continue
        print(f"execute: {path.name} ({why})", flush=True)
        notebook = run(path, seed=seed, root=root)
        write(notebook, path)
        done[path.stem] = notebook.metadata["book"]["seconds"]
    return done
