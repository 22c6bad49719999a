#!/usr/bin/env python3
"""bench/report.py, run as its users run it: usage: report_test.py REPORT_PY"""

import html.parser
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(HERE, "results.json")
REPORT = None


class Page(html.parser.HTMLParser):
    """The cells of every table, row by row, and how often each tag opened and closed."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.opened, self.closed, self.cell = [], {}, {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.opened[tag] = self.opened.get(tag, 0) + 1
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag):
        self.closed[tag] = self.closed.get(tag, 0) + 1
        if tag in ("td", "th"):
            self.rows[-1].append(" ".join(self.cell.split()))
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


class Report(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.output = os.path.join(self.folder.name, "page.html")

    def run_report(self, source):
        return subprocess.run([sys.executable, REPORT, source, "-o", self.output],
                              capture_output=True, text=True)

    def run_on(self, text):
        source = os.path.join(self.folder.name, "in.json")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        return self.run_report(source)

    def expect_refused(self, done):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stderr.strip().count("\n"), 0, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertFalse(os.path.exists(self.output))
        self.assertLessEqual(set(os.listdir(self.folder.name)), {"in.json"})

    def test_every_median_of_the_run_is_in_a_table(self):
        done = self.run_report(RESULTS)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.output, encoding="utf-8") as file:
            page = Page(file.read())
        with open(RESULTS, encoding="utf-8") as file:
            runs = json.load(file)["benchmarks"]
        medians = [run for run in runs if run.get("aggregate_name") == "median"]
        self.assertGreaterEqual(len(medians), 8)
        cells = [row for row in page.rows if len(row) > 5]
        for run in medians:
            _, implementation, shape = run["run_name"].split("/")[:3]
            gflops = f"{run['GFLOP/s']:.3g}"
            self.assertTrue(
                any(row[0].startswith(shape) and implementation in row and gflops in row
                    for row in cells), f"{run['run_name']} with {gflops} GFLOP/s is in no row")

    def test_the_page_is_whole_and_needs_nothing_else(self):
        self.assertEqual(self.run_report(RESULTS).returncode, 0)
        with open(self.output, encoding="utf-8") as file:
            text = file.read()
        page = Page(text)
        for tag in ("html", "table", "tr", "svg", "figure", "main"):
            self.assertGreater(page.opened.get(tag, 0), 0, tag)
            self.assertEqual(page.opened[tag], page.closed[tag], tag)
        self.assertNotIn("http://", text.replace("http://www.w3.org", ""))
        self.assertNotIn("https://", text)
        self.assertNotIn("<script", text)

    def test_names_are_text_and_not_markup(self):
        with open(RESULTS, encoding="utf-8") as file:
            document = json.load(file)
        document["context"]["cpu"] = "<script>alert(1)</script>"
        self.assertEqual(self.run_on(json.dumps(document)).returncode, 0)
        with open(self.output, encoding="utf-8") as file:
            self.assertNotIn("<script", file.read())

    def test_wrong_files_are_refused(self):
        with open(RESULTS, encoding="utf-8") as file:
            whole = file.read()
        self.expect_refused(self.run_report(os.path.join(self.folder.name, "nothing.json")))
        for text in ("", "{", whole[:len(whole) // 2], "[]", "{}", '{"context": {}, "benchmarks": 3}',
                     '{"context": {}, "benchmarks": []}'):
            self.expect_refused(self.run_on(text))

    def test_an_output_that_cannot_be_written_is_refused(self):
        self.output = os.path.join(self.folder.name, "no", "page.html")
        self.expect_refused(self.run_report(RESULTS))


if __name__ == "__main__":
    REPORT = os.path.abspath(sys.argv.pop(1))
    unittest.main()
