"""The site as it was built: by `make docs`, or in the folder that RDCSOLVE_SITE names."""

import os
from pathlib import Path

import pytest

BUILT = Path(os.environ.get("RDCSOLVE_SITE", Path(__file__).parents[2] / "docs" / "_build" / "html"))


@pytest.fixture(scope="session")
def site():
    """Return the folder of the site."""
    if not (BUILT / "index.html").exists():
        pytest.skip(f"the site is not built in {BUILT}: make docs")
    return BUILT


@pytest.fixture(scope="session")
def pages(site):
    """Return the pages that people read, sources of code aside."""
    return [page for page in sorted(site.rglob("*.html")) if "_modules" not in page.parts]
