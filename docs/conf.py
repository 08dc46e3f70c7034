"""The site: make site.  Pages of this folder, the committed notebooks as they were executed, and the docstrings."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import reference

import vmfcore

project = "vmfcore"
author = copyright = "the vmfcore authors"
version = release = vmfcore.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # equations without a network
]
exclude_patterns = ["_build"]

# notebooks as they are in the repository: nothing is executed here
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # scripts from elsewhere, for widgets that are not shown
nb_mime_priority_overrides = [("*", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]  # sliders need a kernel: their first picture stays

# docstrings: numpydoc, a name in single quotes is a link where there is such a name
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 88
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "pydata_sphinx_theme"
html_title = "vmfcore"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
# no column of links beside pages that have no neighbours
html_sidebars = {name: [] for name in ("claims", "fidelity", "notation", "why", "copied/*", "search", "genindex")}
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "github-light",
    "pygments_dark_style": "github-dark",
}


def setup(app):
    app.connect("builder-inited", reference.write_pages)
    app.connect("autodoc-process-signature", reference.signature_as_written)
    app.connect("autodoc-process-docstring", reference.docstring_as_rst, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", reference.skip_fields)
