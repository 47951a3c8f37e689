"""The site of the documents, as scripts/docs builds it, in a real browser: no fault in it, and each kind of fault would be seen."""

import os
import pathlib
import shutil
import subprocess

import pytest
from browser import chromium
from inspection import inspect

ROOT = pathlib.Path(__file__).parents[2]
SITE = ROOT / "target/site"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="4"/></svg>'
BOOK = {
    "book.toml": '[book]\ntitle = "Gnomon"\n\n[output.html.print]\nenable = false\n',
    "src/SUMMARY.md": "[Start](index.md)\n\n- [Further](docs/further.md)\n",
    "src/index.md": "# Start\n\nGo [further](docs/further.md#last).\n",
    "src/docs/further.md": "# Further\n\n![A circle](circle.svg)\n\n## Last\n\nBack to the [start](../index.md).\n",
    "src/docs/circle.svg": PICTURE,
}


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small site that mdbook has made."""
    folder = tmp_path_factory.mktemp("book")
    for path, text in BOOK.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    settings = {"MDBOOK_LOG": "warn", "MDBOOK_OUTPUT__HTML__INPUT_404": ""}
    subprocess.run([os.environ["MDBOOK"], "build", folder], check=True, env=os.environ | settings)
    return folder / "book"


def test_the_site_has_no_faults(browser):
    inspection = inspect(SITE, browser)
    assert inspection.faults == [], "\n".join(inspection.faults)
    listed = {found.stem for found in (ROOT / "docs").glob("*.md")} - {"SUMMARY"}
    assert listed and {"index.html", *(f"docs/{page}.html" for page in listed)} <= inspection.titles.keys()


def added(text):
    """Puts something at the end of what the page docs/further.html shows."""
    return lambda site: replace(site / "docs/further.html", "</main>", f"{text}</main>")


def replace(path, old, new):
    text = path.read_text()
    assert old in text, f"{path} has no {old}"
    path.write_text(text.replace(old, new))


def remove(pattern):
    """Removes the one file that is called so."""

    def change(site):
        [path] = site.glob(pattern)
        path.unlink()

    return change


PAGE = "docs/further.html"
FAULTS = {
    "a link to a page that is not there": (added('<a href="nowhere.html">x</a>'), f"{PAGE}: docs/nowhere.html is not there"),
    "a link to a part that is not there": (
        added('<a href="../index.html#nowhere">x</a>'),
        f"{PAGE}: links to index.html#nowhere, and there is no such part",
    ),
    "a link to a part of the page itself": (added('<a href="#lost">x</a>'), f"{PAGE}: links to {PAGE}#lost, and there is no such part"),
    "a page that is not there": (remove(PAGE), f"index.html: {PAGE} is not there"),
    "a picture that is not there": (remove("docs/circle.svg"), f"{PAGE}: docs/circle.svg is not there"),
    "a picture that can't be read": (
        lambda site: (site / "docs/circle.svg").write_text(PICTURE[:60]),
        f"{PAGE}: the picture circle.svg is not shown",
    ),
    "a picture from outside": (added('<img src="https://example.org/x.png">'), f"{PAGE}: asks for https://example.org/x.png"),
    "an error in the console": (added("<script>console.error('bad')</script>"), f"{PAGE}: the console says: bad"),
    "a script that fails": (added("<script>throw new Error('bad')</script>"), f"{PAGE}: a script fails: bad"),
    "a page without a heading": (lambda site: replace(site / PAGE, '<h1 id="', '<h2 id="'), f"{PAGE}: has no heading"),
    "a page without a title": (
        lambda site: replace(site / PAGE, "<title>Further - Gnomon", "<title>"),
        f"{PAGE}: has the title '' and is called 'Further' in the sidebar",
    ),
    "a page without a sidebar": (lambda site: replace(site / PAGE, 'id="mdbook-sidebar"', ""), f"{PAGE}: has no sidebar"),
    "a page that the sidebar lacks": (
        lambda site: shutil.copy(site / PAGE, site / "docs/more.html"),
        "docs/more.html: has no place in the sidebar, or several: []",
    ),
    "a search that finds nothing": (remove("searchindex-*.js"), "index.html: the search for 'Further' does not find docs/further.html"),
}


def test_a_small_site_has_no_faults(browser, built):
    assert inspect(built, browser).faults == []


@pytest.mark.parametrize("kind", FAULTS)
def test_each_kind_of_fault_is_seen(kind, browser, built, tmp_path):
    change, fault = FAULTS[kind]
    site = shutil.copytree(built, tmp_path / "site")
    change(site)
    faults = inspect(site, browser).faults
    assert fault in faults, faults
