"""Execute lectures in fresh kernels and store their outputs, whole or not at all."""

import base64
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from importlib.metadata import version
from pathlib import Path

import nbformat
import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from PIL import Image, ImageChops

from book import ROOT, BookError, fingerprint, notebooks

THREADS = 2
CELL_SECONDS = 1200
MEMORY_BYTES = 8_000_000_000  # of a kernel with its children; lectures need half of it
OUTPUT_BYTES = 20_000_000
TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")  # colours and cursor moves of a terminal


class OwnPython(AsyncKernelManager):
    """A kernel of the Python that runs the book, or of `python`, whatever kernels there are."""

    python = sys.executable

    @property
    def kernel_spec(self):
        argv = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


class Watch(threading.Thread):
    """Looks twice a second at the memory of a kernel and its children; ends it over the limit."""

    def __init__(self, pid, limit):
        super().__init__(daemon=True)
        self.process, self.limit, self.peak = psutil.Process(pid), limit, 0
        self.over, self.done = False, threading.Event()
        self.start()

    def run(self):
        while True:
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [self.process, *self.process.children(recursive=True)]
                used = sum(process.memory_info().rss for process in family)
                self.peak = max(self.peak, used)
                if used > self.limit:
                    self.over = True
                    self.process.kill()
            if self.over or self.done.wait(0.5):
                return


def end_left_behind(mark):
    """End every process that bears `mark` in its environment: what a lecture's cells started."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("BOOK_RUN") == mark:
                process.kill()


@contextlib.contextmanager
def scratch_folder():
    """Give an empty temporary folder; also remove those that killed runs have left."""
    for old in Path(tempfile.gettempdir()).glob("book-lecture-*"):
        owner = old.name.split("-")[2]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"book-lecture-{os.getpid()}-") as folder:
        yield folder


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
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(root), str(ROOT)])),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "BOOK_SEED": str(seed),
        "BOOK_DATA_LOG": str(Path(scratch) / "data-read"),
    }


def quantised(png):
    """Return a PNG (base64) with at most 64 greys or 256 colours and no metadata; same look."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    image = Image.new("RGB", picture.size, "white")  # a light ground where it's transparent
    image.paste(picture, mask=picture.getchannel("A"))
    small = io.BytesIO()
    red, green, blue = image.split()
    differ = ImageChops.lighter(ImageChops.difference(red, green), ImageChops.difference(red, blue))
    grey = differ.getbbox() is None
    image.quantize(64 if grey else 256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def tidy(notebook):
    """Make outputs compact and alike from run to run: last state of progress lines, small PNGs.

    Terminal colours go; text beyond OUTPUT_BYTES in one lecture is cut with a sentence.
    """
    left = OUTPUT_BYTES
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
                text = TERMINAL.sub("", output.text)
                lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))
                output.text = "\n".join(lines)
                if len(output.text) > left:
                    output.text = output.text[:left] + (
                        f"\n[cut here: a lecture's text outputs have at most {OUTPUT_BYTES:,} "
                        "characters]\n"
                    )
                left = max(0, left - len(output.text))
            elif "image/png" in output.get("data", {}):
                output.data["image/png"] = quantised(output.data["image/png"])
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def seconds_allowed(cell, default):
    """Return a cell's time limit in seconds: its tag timeout-N, or the `default`."""
    for tag in cell.metadata.get("tags", []):
        if found := re.fullmatch(r"timeout-(\d+)", tag):
            return int(found[1])
    return default


def check_cells(notebook, name):
    """Raise BookError for a cell that can't run or be shown, before the first one runs."""
    for i, _, code, _ in notebooks.code_cells(notebook):
        try:
            fingerprint.parse(code)
        except BookError as error:
            raise BookError(f"{name}: cell {i}: {error}; nothing was executed") from error
        if "raises-exception" in notebook.cells[i].metadata.get("tags", []):
            raise BookError(
                f"{name}: cell {i} is tagged raises-exception, but pages show no tracebacks: "
                "catch the error in the cell and print what it says"
            )


def run(
    path, *, seed=1, env=None, cwd=None, python=None, quiet=False, root=ROOT, timeout=CELL_SECONDS
):
    """Execute the notebook at `path` in a fresh kernel; return it with outputs and metadata.

    Nothing is written. `env` replaces the kernel's environment, `cwd` its scratch folder and
    `python` its Python (for Colab notebooks); `timeout` is a cell's limit in seconds. Raises
    BookError naming the cell when it raises, takes too long or too much memory, or when its kernel
    dies.
    """
    path = Path(path)
    notebook = notebooks.read(path)
    check_cells(notebook, path.name)
    before = fingerprint.fingerprint(path, [], root) if env is None else {}
    total = sum(cell.cell_type == "code" for cell in notebook.cells)
    start, n, where, mark = time.perf_counter(), 0, "start", uuid.uuid4().hex
    watch = None

    def failed(what):
        return BookError(f"{path.name}: code cell {n} (under “{where}”) {what}")

    with scratch_folder() as scratch:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            kernel_manager_class=OwnPython,
            timeout=timeout,
            resources={"metadata": {"path": str(cwd or scratch)}},
        )
        client.create_kernel_manager().python = str(python or sys.executable)
        variables = (env or environment(scratch, seed, root)) | {"BOOK_RUN": mark}
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            with client.setup_kernel(env=variables, **silent):
                watch = Watch(client.km.provisioner.pid, MEMORY_BYTES)
                for i, cell in enumerate(notebook.cells):
                    if cell.cell_type != "code":
                        continue
                    n, where = n + 1, notebooks.heading_before(notebook, i)
                    if not quiet:
                        seconds = time.perf_counter() - start
                        print(f"  {path.stem} {n}/{total} {seconds:5.0f} s  {where}", flush=True)
                    client.timeout = seconds_allowed(cell, timeout)
                    client.execute_cell(cell, i)
        except CellExecutionError as error:
            shown = [o for o in cell.outputs if o.output_type == "error"]
            said = (
                f"{shown[-1].ename}: {shown[-1].evalue}" if shown else str(error).splitlines()[-1]
            )
            raise failed(
                f"raised {TERMINAL.sub('', said)}. Stored outputs are unchanged."
            ) from error
        except DeadKernelError as error:
            if watch and watch.over:
                gigabytes = MEMORY_BYTES / 1e9
                raise failed(
                    f"took more than {gigabytes:.0f} GB of memory, so the kernel was ended. Stored "
                    "outputs are unchanged; work on fewer examples at a time."
                ) from error
            raise BookError(
                f"{path.name}: the kernel died in code cell {n} (killed, or out of memory). "
                "Stored outputs are unchanged; close other programs and run again."
            ) from error
        except TimeoutError as error:
            raise failed(
                f"ran over {client.timeout} s. Stored outputs are unchanged; `--timeout` or the "
                "cell's tag timeout-SECONDS allows more."
            ) from error
        finally:
            if watch:
                watch.done.set()
            end_left_behind(mark)
        log = Path(scratch) / "data-read"
        data = sorted(set(log.read_text(encoding="utf-8").split())) if log.exists() else []
    tidy(notebook)
    read = fingerprint.fingerprint(path, data, root)["data"] if env is None else {}
    notebook.metadata["book"] = {
        "made_from": before | {"data": read} if env is None else {},
        "seed": seed,
        "seconds": round(time.perf_counter() - start, 1),
        "peak_memory_mb": round(watch.peak / 1e6),
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


def sources(notebook):
    """Return what the author wrote: kinds and texts of all cells."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def execute(paths, *, force=False, seed=1, root=ROOT, timeout=CELL_SECONDS):
    """Execute the stale lectures among `paths` (all with `force`); return {name: seconds}.

    A notebook that was edited while it ran keeps its new text: the outputs are stored beside it.
    """
    done = {}
    for path in paths:
        why = "asked for" if force else fingerprint.stale(path, root)
        if not why:
            continue
        print(f"execute: {path.name} ({why})", flush=True)
        before = sources(notebooks.read(path))
        notebook = run(path, seed=seed, root=root, timeout=timeout)
        target = path
        if sources(notebooks.read(path)) != before:
            target = path.with_name(f"{path.stem}.executed.ipynb")
            print(
                f"execute: {path.name} was edited while it ran and is left as it is; the outputs "
                f"of its former text are in {target.name}. Run it again."
            )
        write(notebook, target)
        done[path.stem] = notebook.metadata["book"]["seconds"]
    return done
