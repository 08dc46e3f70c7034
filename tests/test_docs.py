"""The site: what its pages run and print is so, every public name is in the reference, and no link leads to nowhere."""

import contextlib
import io
import pkgutil
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

import vmfcore as vmf

ROOT = Path(__file__).resolve().parents[1]
PAGES = [path for path in sorted((ROOT / "docs").glob("howto/*.md")) if "```python" in path.read_text()]
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_how_to_pages_print_what_they_say(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {"__name__": "page"}
    blocks = BLOCK.findall(path.read_text())
    printed = ""
    for kind, text in blocks:
        if kind == "python":
            assert not printed, f"{printed} is printed and not shown"
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(text, scope)
            printed = output.getvalue()
        else:
            assert [line.split() for line in printed.splitlines()] == [line.split() for line in text.splitlines()]
            printed = ""
    assert not printed


NAME = re.compile(r"`(vmf|vmfcore)\.([\w.]+)`")


def test_the_table_of_equations_names_functions_that_there_are():
    page = (ROOT / "docs" / "fidelity.md").read_text()
    found = NAME.findall(page)
    assert len(found) > 40
    for _, name in found:
        pkgutil.resolve_name(f"vmfcore.{name}")
    # every row has where it is in the paper, or says that this was not seen
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in page.splitlines() if line[:2] == "| "]
    for what, number, *others in rows:
        if what not in ("what", "figure", "the whole algorithm"):
            assert re.search(r"\(\d\).*\\\*|number not seen|not in the paper", number), what
        if len(others) == 3 and what != "what" and "labels" not in what:
            assert NAME.search(others[1]), what


def test_the_start_page_shows_what_the_ten_lines_print():
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(example, {})
    number = re.compile(r"(?<![\w.])-?\d+\.\d+")
    shown = (ROOT / "docs" / "ten_lines.txt").read_text()
    assert number.sub("", output.getvalue()) == number.sub("", shown)
    # last digits differ between processors
    np.testing.assert_allclose(*([float(x) for x in number.findall(text)] for text in (output.getvalue(), shown)), 1e-6)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built pages; warnings are errors."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-d", target / "doctrees", ROOT / "docs", target / "html"]
    done = subprocess.run(command, cwd=target, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return target / "html"


class _Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.names = [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.names |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        self.links += [attributes[key] for key in ("href", "src") if attributes.get(key)]


def test_no_link_of_the_site_is_dead_and_nothing_is_fetched(site):
    pages = {path: _Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    checked = 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto", "data") or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.relative_to(site)} links to {link}"
            if parts.fragment and target in pages:
                names = pages[target].names
                assert unquote(parts.fragment) in names, f"{path.relative_to(site)} links to {link}"
            checked += 1
        fetched = re.findall(r"<(?:script|img|link)[^>]*(?:src|href)=\"(https?:)?//[^\"]*", path.read_text())
        assert not fetched, path
    assert checked > 1000


def test_every_public_name_is_in_the_reference_with_its_signature(site):
    text = {path.stem: path.read_text() for path in (site / "reference").glob("*.html")}
    everything = "".join(text.values())
    for module, prefix in ((vmf, "vmfcore"), (vmf.theory, "vmfcore.theory")):
        for name in module.__all__:
            value = getattr(module, name)
            if name == "__version__" or type(value).__name__ == "module":
                continue
            # a name that two modules export is described under the shorter one
            assert re.search(rf'id="(vmfcore|{re.escape(prefix)})\.{name}"', everything), name
    signature = re.search(r'id="vmfcore\.overlap">(.*?)</dt>', everything, re.DOTALL).group(1)
    assert "np.ndarray" in re.sub(r"<[^>]+>", "", signature)
    assert (site / "notebooks" / "02_overlap_vs_density.html").is_file()
    assert (site / "_static" / "mathjax" / "tex-chtml.js").is_file()
