"""Reproduced figures: every one runs at its tiny preset, is judged, drawn again, and reported."""

import json
import re

import pytest

from rhoflow import experiments
from rhoflow.experiments import report, reproductions, runs
from rhoflow.experiments.__main__ import main
from rhoflow.experiments.figures import registry
from rhoflow.experiments.figures.claims import Claim, Outcome, above, decide

QUICK = ("dyn-3",)
"""Figures whose tiny runs are quick; the others are slow tests."""

IDS = [
    pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow)
    for name in registry.REGISTRY
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def made(root):
    """One figure, with what it has stored."""
    return experiments.reproduce("dyn-3", "tiny", root)


@pytest.mark.parametrize("name", IDS)
def test_every_figure_is_made_from_its_tiny_run(name, root):
    figure = experiments.reproduce(name, "tiny", root)
    told = json.loads((figure.folder / "figure.json").read_text())
    assert told["name"] == name
    assert len(told["verdicts"]) == len(figure.figure.claims)
    for verdict in told["verdicts"]:
        assert verdict["outcome"] in [one.value for one in Outcome]
        assert verdict["seeds"] > 0, verdict["sentence"]
    assert (figure.folder / "picture.png").stat().st_size > 5_000
    assert (figure.folder / "picture.svg").is_file()


@pytest.mark.parametrize("name", registry.REGISTRY)
def test_every_figure_says_what_it_is(name):
    figure = registry.find(name)
    assert set(figure.presets) == {"tiny", "laptop", "paper"}
    assert re.match(r"\[(Dyn|M117|M112|NCWD|Wide)\]", figure.document)
    for text in (figure.caption, figure.setup):
        assert text.endswith(".")
    sentences = [claim.sentence for claim in figure.claims]
    assert len(set(sentences)) == len(sentences)


def test_a_run_that_is_there_is_drawn_again_and_not_computed(made, root, monkeypatch):
    (made.folder / "picture.png").unlink()
    monkeypatch.setattr(runs, "_compute", lambda *_: pytest.fail("computed again"))
    again = experiments.reproduce("dyn-3", "tiny", root)
    assert [repr(verdict) for verdict in again.verdicts] == [
        repr(verdict) for verdict in made.verdicts
    ]
    assert (made.folder / "picture.png").is_file()


@pytest.mark.usefixtures("made")
def test_the_report_is_one_page_that_needs_nothing_else(root, tmp_path):
    page = experiments.write_report(root).read_text()
    assert "data:image/png;base64," in page
    assert not re.search(r"(src|href)=\"https?://", page)
    assert "<script" not in page
    links = re.findall(r'<a href="(shared/.*?)">', page)
    assert links
    assert all((root / link / "config.json").is_file() for link in links)
    elsewhere = experiments.write_report(root, tmp_path / "page.html").read_text()
    assert all(link.removeprefix("shared/") in elsewhere for link in links)
    assert all(target.startswith("#") for target in re.findall(r'href="(.*?)"', elsewhere))
    verdicts = (root / "verdicts.md").read_text()
    for claim in registry.find("dyn-3").claims:
        assert claim.sentence.replace(">", "&gt;") in page
        assert f"| dyn-3 | {claim.sentence} | {claim.measured}: " in verdicts


@pytest.mark.usefixtures("made")
def test_the_report_escapes_what_it_is_told(root):
    told = reproductions.stored_figures(root)[0]
    page = report.page_of([told | {"caption": 'a < b & "c"'}], root)
    assert "a &lt; b &amp; &#34;c&#34;" in page
    told["verdicts"][0]["sentence"] = "mean |f| grows"
    assert r"| mean \|f\| grows |" in report.verdicts_of([told])


@pytest.mark.usefixtures("made")
def test_what_was_changed_after_a_first_run_is_told_everywhere(root):
    (told, *_) = reproductions.stored_figures(root)
    told["verdicts"][0] |= {"sentence": "rho grows", "afterwards": "the range was widened"}
    assert "after a first run: the range was widened" in report.page_of([told], root)
    assert "| rho grows (after a first run: the range was widened) |" in report.verdicts_of([told])
    claim = Claim("rho grows", "its rise", lambda _: [1.0, 2.0], above(0), afterwards="added")
    made = reproductions.Reproduced("x", None, None, root, (decide(claim, {}),))
    assert made.table().endswith("after a first run: added")


@pytest.mark.usefixtures("made")
def test_the_command_line_reproduces_and_reports(root, capsys):
    assert main(["run", "dyn-3", "--preset", "tiny", "--output", str(root)]) == 0
    said = capsys.readouterr().out
    assert "rho reaches a plateau" in said
    assert "undecided" in said
    assert main(["report", str(root), "--output", str(root / "page.html")]) == 0
    assert (root / "page.html").is_file()
    assert main(["list"]) == 0
    assert "dyn-3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "dyn-33"], "did you mean 'dyn-3'"),
        (["run", "dyn-3", "--preset", "huge"], "unknown preset 'huge' of dyn-3"),
        (["run", "dyn-3", "--preset", "tiny", "--seds", "2"], "did you mean '--seeds'"),
        (["run", "all", "--seeds", "2"], "unknown option '--seeds'"),
        (["sweep", "dyn-3", "--grid", "seeds=1,2"], "'rhoflow run dyn-3' makes it"),
        (["report", "nowhere"], "holds no figures"),
    ],
)
def test_requests_that_cannot_be_met_are_one_line(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_a_damaged_figure_says_what_to_do(tmp_path):
    (tmp_path / "dyn-3").mkdir()
    (tmp_path / "dyn-3" / "figure.json").write_text("{")
    with pytest.raises(experiments.UsageError, match="run the figure again"):
        experiments.write_report(tmp_path)
