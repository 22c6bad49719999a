"""Chromium without a window, driven by Debian's python3-selenium; and the program beside it."""
import json
import pathlib
import subprocess
import sys

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    # CTest turns this line into a visible skip.
    print("Skipped: python3-selenium is not installed")
    sys.exit(0)

CSS = By.CSS_SELECTOR
MINUS = "\N{MINUS SIGN}"
PROBES = pathlib.Path(__file__).with_name("probes.js").read_text(encoding="utf-8")


def number(text):
    """The number at the start of a text as the page writes it: "−0.25", "12,668", "13.03%"."""
    kept = text.strip().replace(MINUS, "-").replace(",", "").rstrip("%°")
    return float(kept)


def run(program, *arguments):
    done = subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.stdout.decode("utf-8")


def run_json(program, *arguments):
    return json.loads(run(program, *arguments))


class Browser:
    def __init__(self, chromium, driver):
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        # Containers have no user namespaces and little shared memory.
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(driver), options=options)
        self.driver.set_script_timeout(600)

    def quit(self):
        self.driver.quit()

    def open(self, page, language="en", width=1280, height=900, theme="light", reduced=False):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 2 if width < 600 else 1, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced else "no-preference"}]})
        self.driver.get(f"{page.as_uri()}?lang={language}")
        self.script("try { localStorage.clear(); } catch { }")
        # A script element, so that its names last.
        self.script("""const element = document.createElement("script");
            element.textContent = arguments[0];
            document.head.append(element)""", PROBES)
        # Pictures are drawn when they have a size, which the first frame gives them.
        self.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))")

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def probe(self, name, *arguments):
        return self.script(f"return probes.{name}(...arguments)", *arguments)

    def all(self, selector):
        return self.driver.find_elements(CSS, selector)

    def one(self, selector):
        return self.driver.find_element(CSS, selector)

    def text(self, selector):
        return self.script("return document.querySelector(arguments[0]).textContent", selector)

    def texts(self, selector):
        return self.script("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)

    def click(self, selector):
        element = self.one(selector)
        self.script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()

    def set_value(self, selector, value):
        """As a reader does it: the value and the event that the browser sends."""
        self.script("""const e = document.querySelector(arguments[0]); e.value = arguments[1];
            e.dispatchEvent(new Event("input", {bubbles: true}))""", selector, value)

    def point_at(self, selector, x, y):
        """Moves the pointer to a place of an element, in its own pixels from its top left corner."""
        element = self.one(selector)
        self.script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        box = self.script("const b = arguments[0].getBoundingClientRect(); return [b.left, b.top]", element)
        for dx in (-1, 0):
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {
                "type": "mouseMoved", "x": box[0] + x + dx, "y": box[1] + y, "pointerType": "mouse"})

    def keys(self, selector, *keys):
        element = self.one(selector)
        self.script("arguments[0].focus()", element)
        for key in keys:
            element.send_keys(key)

    def log(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]
