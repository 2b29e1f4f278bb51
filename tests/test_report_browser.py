"""The page of figures in a real browser: no error, no request, no wider than a phone, printable."""

import re
import shutil
import subprocess

import pytest

from rhoflow import experiments

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium here: install it to open the page"),
]

MEASURE = """<script>document.title = [...document.images].map(i => i.naturalWidth).join()
    + " widths, page " + document.documentElement.scrollWidth + " of " + window.innerWidth
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("figures")
    experiments.reproduce("dyn-3", "tiny", root)
    return experiments.write_report(root)


def opened(file, *options):
    """What the browser prints and what it complains of; names of hosts lead nowhere."""
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--host-resolver-rules=MAP * ~NOTFOUND", *options, file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_it_opens_without_an_error_and_shows_every_verdict(page):
    shown, complaints = opened(page, "--dump-dom")
    assert not complaints
    assert shown.count('<section id="') == 1
    assert 'class="undecided"' in shown


@pytest.mark.parametrize("width", [390, 1200])
def test_it_is_no_wider_than_the_screen(page, width, tmp_path):
    measured = tmp_path / "measured.html"
    measured.write_text(page.read_text().replace("</body>", MEASURE + "</body>"))
    shown, _ = opened(measured, "--dump-dom", f"--window-size={width},800")
    images, wide, screen = re.search(r"<title>(.*) widths, page (\d+) of (\d+)", shown).groups()
    assert all(int(image) > 100 for image in images.split(","))
    assert int(wide) <= int(screen)


def test_it_prints(page, tmp_path):
    opened(page, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.pdf").stat().st_size > 20_000
