"""Executes the chapters and writes each down with its pictures, as `make notebooks` does.

    python notebooks/render.py            all chapters
    python notebooks/render.py 1 7        those with these numbers

A chapter's page is ``rendered/NAME.md``, its pictures are ``rendered/NAME_files/``. The seconds
of a core that each took are printed, for the table of ``README.md``.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from nbconvert.writers import FilesWriter
from traitlets.config import Config

from rhoflow.experiments.plotting import small_png

HERE = Path(__file__).resolve().parent
SECONDS_PER_CELL = 600


def chapters() -> list[Path]:
    """The chapters' sources, in order."""
    return sorted(HERE.glob("[0-9]_*.py"))


def execute(chapter: Path) -> nbformat.NotebookNode:
    """The chapter with its outputs.

    Raises:
        RuntimeError: If a cell wrote to the error stream, where warnings go.
        CellExecutionError: If a cell failed.
    """
    notebook = jupytext.read(chapter)
    # What a kernel keeps goes to a folder of its own, where nobody else can listen to its sockets.
    with tempfile.TemporaryDirectory() as own:
        sockets = {
            "transport": "ipc",
            "ip": f"{own}/socket",
            "connection_file": f"{own}/kernel.json",
        }
        client = NotebookClient(
            notebook,
            timeout=SECONDS_PER_CELL,
            coalesce_streams=True,
            config=Config({"KernelManager": sockets}),
        )
        client.execute(env={**os.environ, "IPYTHONDIR": own})
    told = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]
    if told:
        raise RuntimeError(f"{chapter.name} warns: {''.join(told)}")
    return notebook


def render(chapter: Path) -> None:
    """Executes a chapter and writes its page and its pictures."""
    notebook = execute(chapter)
    folder, name = HERE / "rendered", chapter.stem
    shutil.rmtree(folder / f"{name}_files", ignore_errors=True)
    resources = {"unique_key": name, "output_files_dir": f"{name}_files"}
    page, resources = MarkdownExporter().from_notebook_node(notebook, resources)
    pictures = resources["outputs"]
    resources["outputs"] = {path: small_png(data) for path, data in pictures.items()}
    FilesWriter(build_directory=str(folder)).write(_tidy(page), resources, notebook_name=name)


def _tidy(page: str) -> str:
    """Without spaces at the ends of lines, and with one empty line between parts; code is kept.

    Links lead from the page's folder, one below that of the chapters.
    """
    lines = "\n".join(line.rstrip() for line in page.splitlines())
    parts = re.split(r"(?ms)(^```python$.*?^```$)", lines)
    parts[::2] = [
        re.sub(r"\n{3,}", "\n\n", prose).replace("](../", "](../../") for prose in parts[::2]
    ]
    return "".join(parts).strip() + "\n"


def main(numbers: list[str]) -> None:
    """Renders the chapters with these numbers, or all."""
    for chapter in chapters():
        if not numbers or chapter.stem[0] in numbers:
            before = os.times()
            render(chapter)
            after = os.times()
            spent = sum(after[2:4]) - sum(before[2:4])
            print(f"{chapter.stem}: {spent:.0f} seconds of a core", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
