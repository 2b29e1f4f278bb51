"""The page of a run in a real browser: the slider moves every view, nothing comes from outside."""

import json
import re

import pytest

from rhoflow import experiments
from test_report_browser import BROWSER, opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium here: install it to open the page"),
]

VIEWS = ["rho", "loss", "margins", "singular_values", "class_means"]

# What each view's picture and caption are, before and after something happens; told by the title.
SEEN = """<script>
const seen = () => Object.fromEntries([...document.querySelectorAll("figure")].map(
    f => [f.id.slice(5), f.querySelector("g").innerHTML + f.querySelector("ul").innerHTML]));
const tell = told => { document.title = JSON.stringify(told); };
const changed = before => Object.keys(before).filter(name => seen()[name] !== before[name]);
%s
</script>"""

MOVED = (
    SEEN
    % """
const before = seen(), first = document.getElementById("now").textContent;
slider.value = 2; slider.dispatchEvent(new Event("input"));
tell({changed: changed(before), times: [first, document.getElementById("now").textContent],
      asked: performance.getEntriesByType("resource").map(entry => entry.name)});
"""
)

CHOSEN = (
    SEEN
    % """
const before = seen();
choice.value = String(runs.length - 1); choice.dispatchEvent(new Event("change"));
tell({changed: changed(before), options: [...choice.options].map(option => option.textContent)});
"""
)

PLAYED = (
    SEEN
    % """
const before = seen();
document.getElementById("play").click();
tell({changed: changed(before), rows: [slider.max, slider.value]});
setInterval(() => tell({changed: changed(before), rows: [slider.max, slider.value]}), 50);
"""
)

MEASURED = (
    SEEN
    % """
tell({wide: document.documentElement.scrollWidth, screen: window.innerWidth,
      figures: [...document.querySelectorAll("svg")].map(s => s.getBoundingClientRect().width)});
"""
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explored") / "run"
    experiments.run(experiments.preset("quickstart", "tiny"), folder, pictures=False)
    return experiments.write_page(folder)


def said(page, script, folder, *options):
    """What a copy of the page with a script says in its title, and the browser's complaints."""
    copy = folder / "copy.html"
    copy.write_text(page.read_text().replace("</body>", script + "</body>"))
    shown, complaints = opened(copy, "--dump-dom", *options)
    title = re.search(r"<title>(.*?)</title>", shown, re.DOTALL)[1]
    return json.loads(title), complaints


def test_the_slider_moves_every_view_and_nothing_comes_from_outside(page, tmp_path):
    told, complaints = said(page, MOVED, tmp_path)
    assert told["changed"] == VIEWS
    assert told["times"] == ["time 20", "time 4"]
    assert told["asked"] == []
    assert not complaints


def test_another_run_is_chosen(page, tmp_path):
    told, complaints = said(page, CHOSEN, tmp_path)
    assert told["changed"] == VIEWS
    assert len(told["options"]) == 8
    assert told["options"][0] == "flow: decay 0.002, initial_rho 2, seed 0"
    assert told["options"][-1] == "sgd: decay 0, initial_rho 20, seed 0"
    assert not complaints


def test_it_plays_from_the_start_to_the_end(page, tmp_path):
    told, complaints = said(page, PLAYED, tmp_path, "--virtual-time-budget=400")
    assert told["changed"] == VIEWS
    assert 0 < int(told["rows"][1]) < int(told["rows"][0])
    assert not complaints


@pytest.mark.parametrize("width", [390, 1200])
def test_it_is_no_wider_than_the_screen(page, width, tmp_path):
    told, _ = said(page, MEASURED, tmp_path, f"--window-size={width},800")
    assert told["wide"] <= told["screen"]
    assert all(250 < drawn < told["screen"] for drawn in told["figures"])


def test_the_page_names_no_address(page):
    addresses = set(re.findall(r"https?://[^\"\s]+", page.read_text()))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of SVG, which nobody asks
