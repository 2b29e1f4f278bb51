"""One page of all reproduced figures: claims, pictures, verdicts; self-contained, for any browser.

Beside it, ``verdicts.md`` has the verdicts as a table. Everything on both was stored by
`experiments.reproduce`; nothing is computed here.
"""

import base64
from pathlib import Path
from typing import Any

from . import storage
from .reproductions import ROOT, counts, stored_figures

REPORT, VERDICTS, TEMPLATE = "report.html", "verdicts.md", "report_page.html"
BAR = r"\|"
"""A bar in a cell of a table."""


def write_report(root: str | Path = ROOT, output: str | Path | None = None) -> Path:
    """Writes the page of the figures in a folder, and their verdicts beside it.

    Args:
        root: The folder that `experiments.reproduce` has filled.
        output: The page's file; ``report.html`` in the folder unless given.

    Returns:
        The page's file.

    Raises:
        UsageError: If the folder holds no figures, one cannot be read, or the page not be written.
    """
    page = Path(root) / REPORT if output is None else Path(output)
    figures = stored_figures(root)
    content, verdicts = page_of(figures, page.parent), verdicts_of(figures)
    try:
        page.write_text(content)
        page.with_name(VERDICTS).write_text(verdicts)
    except OSError as error:
        raise storage.cannot_write(page.parent, error) from error
    return page


def page_of(figures: list[dict[str, Any]], beside: Path) -> str:
    """The page as text.

    Args:
        figures: From `stored_figures`.
        beside: The folder where it will be. Runs are links from there if it lies among them, else
            they are only named: a page elsewhere is read without them.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    outcomes = [verdict["outcome"] for figure in figures for verdict in figure["verdicts"]]
    return environment.get_template(TEMPLATE).render(
        figures=[figure | _shown(figure, beside) for figure in figures],
        summary=counts(outcomes),
        hours=sum(run["seconds"] for run in _runs(figures)) / 3600,
    )


def verdicts_of(figures: list[dict[str, Any]]) -> str:
    """The verdicts as a table in Markdown.

    Args:
        figures: From `stored_figures`.
    """
    lines = ["| figure | claim | measured | expected | verdict |", "|---|---|---|---|---|"]
    for figure in figures:
        for verdict in figure["verdicts"]:
            cells = (
                figure["name"], _sentence(verdict), f"{verdict['measured']}: {verdict['told']}",
                verdict["expected"], verdict["outcome"],
            )  # fmt: skip
            lines.append(f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _sentence(verdict: dict[str, Any]) -> str:
    """What is claimed, with what was written or changed after a first run."""
    after = verdict["afterwards"]
    return f"{verdict['sentence']} (after a first run: {after})" if after else verdict["sentence"]


def _shown(figure: dict[str, Any], beside: Path) -> dict[str, str]:
    """The picture, as text that stands in the page itself, and where the run's data are."""
    picture = (figure["folder"] / "picture.png").read_bytes()
    folder = (figure["folder"] / figure["run"]).resolve()
    near = beside.resolve() == figure["folder"].parent.resolve()
    link = folder.relative_to(beside.resolve()).as_posix() if near else ""
    return {"image": base64.b64encode(picture).decode(), "data": folder.name, "link": link}


def _runs(figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Provenances, each run once however many figures look at it."""
    return list({figure["run"]: figure["provenance"] for figure in figures}.values())
