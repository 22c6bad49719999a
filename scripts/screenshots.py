#!/usr/bin/env python3
"""Pictures of the walkthrough's page by a browser without a window: those of the README, or every chapter to look at.

    scripts/screenshots.py                 # docs/walkthrough-attention-en.png and -zh.png
    scripts/screenshots.py --all DIR       # each chapter in both languages, on a phone and a desktop, light and dark

Needs a built program and Debian's chromium, chromium-driver and python3-selenium.
"""
import argparse
import base64
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "walkthrough"))
from browser import Browser, run  # noqa: E402

README_TEXT = "She sat on the bank of the river, and 猫坐在河岸上。"
ALL_TEXT = "The bank lent him the money to buy a boat, and he rowed to the other bank of the river. 他把钱存进了银行，然后坐在河岸上。"
SIZES = {"desktop": (1280, 900), "phone": (375, 780)}
# What the README shows of chapter 7: from one element's top to another's bottom.
README_PART = ("#chapter-7 figure > .part", "#chapter-7 .products")
MARGIN = 14


def picture(browser, first, last, file, margin=MARGIN):
    """The page from the top of one element to the bottom of another, as wide as the wider one."""
    browser.script("window.scrollTo(0, 0)")
    box = browser.script("""const [a, b] = [...arguments].map((selector) =>
            document.querySelector(selector).getBoundingClientRect());
        return [Math.min(a.left, b.left), a.top + scrollY, Math.max(a.right, b.right), b.bottom + scrollY]""", first, last)
    left, top, right, bottom = box
    clip = {"x": max(0, left - margin), "y": top - margin, "width": right - left + 2 * margin,
            "height": bottom - top + 2 * margin, "scale": 1}
    shot = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {
        "format": "png", "clip": clip, "captureBeyondViewport": True})
    file.write_bytes(base64.b64decode(shot["data"]))
    print(file)


def settle(browser):
    """Pictures are drawn when they know their width."""
    browser.driver.execute_async_script("""const done = arguments[0];
        document.fonts.ready.then(() => requestAnimationFrame(() => requestAnimationFrame(() => done())))""")


def readme_pictures(browser, page):
    for language in ("en", "zh"):
        browser.open(page, language, 1280, 900, "light", True)
        settle(browser)
        picture(browser, *README_PART, ROOT / "docs" / f"walkthrough-attention-{language}.png")


def all_pictures(browser, page, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for size, (width, height) in SIZES.items():
        for language in ("en", "zh"):
            for theme in ("light", "dark"):
                browser.open(page, language, width, height, theme, True)
                settle(browser)
                name = f"{size}-{language}-{theme}"
                picture(browser, ".bar", ".opening", folder / f"{name}-00.png", 0)
                for chapter in range(1, len(browser.all(".chapter")) + 1):
                    selector = f"#chapter-{chapter}"
                    picture(browser, selector, selector, folder / f"{name}-{chapter:02}.png", 6)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--all", metavar="DIR", type=pathlib.Path, help="every chapter, into this folder")
    parser.add_argument("--page", type=pathlib.Path, help="a page that is there, instead of one made for this")
    options = parser.parse_args()
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if not all(programs):
        parser.error("Debian's chromium and chromium-driver are needed")
    with tempfile.TemporaryDirectory() as folder:
        page = options.page.resolve() if options.page else pathlib.Path(folder) / "page.html"
        if not options.page:
            run(str(options.build / "bin" / "glassgpt"), "walkthrough", "-q", "-o", str(page), "--",
                ALL_TEXT if options.all else README_TEXT)
        browser = Browser(*programs)
        try:
            if options.all:
                all_pictures(browser, page, options.all)
            else:
                readme_pictures(browser, page)
        finally:
            browser.quit()


main()
