"""What stands in the built pages: nothing from elsewhere, no raw formulas, no picture or link that leads nowhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

_LOADED = {("img", "src"), ("script", "src"), ("link", "href"), ("source", "src"), ("iframe", "src")}
_NOT_LOADED = {"canonical", "search", "index", "next", "prev", "author", "genindex"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_RAW = re.compile(r"\$[^$\s][^$]*\$|\\(?:frac|mathbb|sum|log|lambda|le|ge|min|max)\b|\\[\[(]")


class Page(HTMLParser):
    """What a page loads, where it links, the names of its places, and its text outside code and formulas."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.places, self.text, self.images = [], [], set(), [], []
        self._open = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        have = dict(attrs)
        if "id" in have:
            self.places.add(have["id"])
        for name in ("src", "href"):
            if (tag, name) in _LOADED and have.get(name) and have.get("rel") not in _NOT_LOADED:
                self.loads.append(have[name])
        if tag == "img":
            self.images.append(have)
        if tag == "a" and have.get("href"):
            self.links.append(have["href"])
        if tag not in _VOID:
            shown = tag not in {"pre", "code", "script", "style", "title"} and "math" not in (have.get("class") or "")
            self._open.append((tag, shown))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if all(shown for _, shown in self._open):
            self.text.append(data)


@pytest.fixture(scope="session")
def read(pages):
    """Return every page, read once."""
    return {page: Page(page) for page in pages}


def target(page, link, site):
    """Return the file that a link of a page leads to."""
    where = unquote(urlsplit(link).path)
    found = page if not where else (site / where[1:] if where.startswith("/") else page.parent / where)
    return (found / "index.html" if found.is_dir() else found).resolve()


def test_nothing_is_loaded_from_elsewhere(read):
    assert not {(page.name, load) for page, one in read.items() for load in one.loads if urlsplit(load).netloc}


def test_what_is_loaded_is_there(read, site):
    missing = {
        (page.name, load)
        for page, one in read.items()
        for load in one.loads
        if not urlsplit(load).netloc and not load.startswith("data:") and not target(page, load, site).exists()
    }
    assert not missing


def test_every_picture_says_what_it_shows(read):
    # thumbnails of the gallery stand above their titles, and say so by an empty text
    shown = [(page.name, image) for page, one in read.items() for image in one.images]
    assert shown
    assert not [(name, image["src"]) for name, image in shown if not image.get("alt") and "_thumb" not in image["src"]]


def test_links_inside_the_site_lead_somewhere(read, site):
    lost = set()
    for page, one in read.items():
        for link in one.links:
            split = urlsplit(link)
            if split.scheme or split.netloc:
                continue
            goal = target(page, link, site)
            place = unquote(split.fragment)
            if not goal.exists() or (place and goal in read and place not in read[goal].places):
                lost.add((page.name, link))
    assert not lost


def test_no_formula_is_left_as_it_was_typed(read):
    raw = {page.name: found for page, one in read.items() if (found := _RAW.findall(" ".join(one.text)))}
    assert not raw


def test_the_landing_page_says_what_it_is_and_how_to_install(read, site):
    page = read[Path(site / "index.html")]
    assert any("label_entropy_surface" in image["src"] for image in page.images)
    assert "Ten lines" in " ".join(page.text)


def test_faults_are_seen(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here">$x$ and <code>$y$</code><img src="no.png"><script src="https://cdn.example/x.js"></script>'
        '<a href="#there">t</a><span class="math">\\(z\\)</span></p>'
    )
    page = Page(tmp_path / "a.html")
    assert page.loads == ["no.png", "https://cdn.example/x.js"]
    assert _RAW.findall(" ".join(page.text)) == ["$x$"]
    assert page.links == ["#there"]
    assert page.places == {"here"}
