"""CITATION.cff names this version and the documents that the README names."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def squeezed(text):
    return " ".join(text.split())


def test_the_citation_is_of_this_version_and_names_the_five_documents():
    cited = squeezed((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"version: {project['version']} " in cited
    assert f"name: {project['authors'][0]['name']} " in cited
    documents = re.findall(
        r"^- \*\*\[(\w+)\]\*\*.*?\*([^*]+)\*", (ROOT / "README.md").read_text(), re.M | re.S
    )
    assert [name for name, _ in documents] == ["Dyn", "M117", "M112", "NCWD", "Wide"]
    for name, title in documents:
        assert f"abbreviation: {name} " in cited
        assert squeezed(title) in cited
