"""Configuration of the documentation site: `make docs`."""

import logging
import os
import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "Agg"
logging.getLogger("rdcsolve").setLevel(logging.WARNING)  # a theme's package sets up logging for all at INFO

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for figure_check, which sphinx-gallery imports

project = "rdcsolve"
author = "rdcsolve authors"
copyright = "rdcsolve authors"  # noqa: A001
release = installed_version("rdcsolve")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # after mathjax: its own copy, so that formulas need no network
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/**/*.py", "gallery/**/*.ipynb", "gallery/**/*.md5"]

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "none"  # the docstrings give types together with shapes and units
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": re.escape(os.sep) + "plot_",
    "abort_on_example_error": True,
    "image_scrapers": ("figure_check.checked",),
    "download_all_examples": False,
    "min_reported_time": 1e9,
    "show_memory": False,
    "write_computation_times": False,
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Links into the documentation of others need their inventories, so there are some only where there is a network.
if os.environ.get("READTHEDOCS"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "matplotlib": ("https://matplotlib.org/stable", None),
        "xarray": ("https://docs.xarray.dev/en/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
    }

html_theme = "furo"
html_title = "rdcsolve"
html_copy_source = False
