"""The site in a headless browser, on a desk and on a phone: needs playwright, and Chromium of the system or its own."""

import shutil

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
PLACES = (
    "index.html",
    "explanation/certificates.html",
    "how-to/choose-a-problem.html",
    "how-to/state-a-problem.html",
    "reference/problems.html",
    "gallery/index.html",
    "gallery/plot_perception.html",
)


@pytest.fixture(scope="module")
def browser():
    """Return Chromium, the system's own where there is one."""
    with sync_api.sync_playwright() as playwright:
        own = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        try:
            started = playwright.chromium.launch(
                executable_path=own, args=["--no-sandbox", "--allow-file-access-from-files"]
            )
        except sync_api.Error as error:
            pytest.skip(f"no browser: {error}".splitlines()[0])
        yield started
        started.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", PLACES)
def test_a_page_is_whole(browser, site, place, size):
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    context.set_default_timeout(120_000)  # of slow machines: formulas of a long page take seconds
    page = context.new_page()
    told = []
    page.on("console", lambda message: told.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("requestfailed", lambda request: told.append(f"not loaded: {request.url}"))
    page.goto((site / place).as_uri())
    page.wait_for_load_state("networkidle")
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container", state="attached")
        page.evaluate("MathJax.startup.promise")
    assert told == []
    assert page.locator(".math:not(:has(mjx-container))").count() == 0, "formulas as they were typed"
    assert page.locator("mjx-merror").count() == 0, "formulas that MathJax does not understand"
    for image in page.locator("article img").all():
        image.scroll_into_view_if_needed()
        assert image.evaluate("one => one.decode().then(() => one.naturalWidth)") > 0, image.get_attribute("src")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"the page is {wide} pixels wide"
    context.close()
