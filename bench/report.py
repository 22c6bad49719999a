#!/usr/bin/env python3
"""Makes one HTML page of a file that glassgpt_bench wrote: a roofline plot and a table per operation.

    glassgpt_bench --benchmark_out=results.json
    bench/report.py results.json -o results.html

The page needs nothing beside itself. Python's standard library is enough to make it.
"""

import argparse
import collections
import html
import json
import math
import os
import re
import statistics
import sys
import tempfile

HINT = "make one with glassgpt_bench --benchmark_out=FILE"


class ReportError(Exception):
    """What is wrong with the input, in one line."""


# --- reading ---------------------------------------------------------------------------------------

Roof = collections.namedtuple("Roof", "kind name threads value")  # kind: a number type or a traffic

Result = collections.namedtuple(
    "Result",
    "operation implementation shape hot threads isa number_type level median low high repetitions "
    "gflops gbps roof_percent max_error intensity comparison failure",
)

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror or error}; {HINT}") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: is not JSON ({error}); {HINT}") from error
    if not isinstance(document, dict) or not isinstance(document.get("context"), dict):
        raise ReportError(f"{path}: has no object 'context', so it is not Google Benchmark's; {HINT}")
    if not isinstance(document.get("benchmarks"), list):
        raise ReportError(f"{path}: has no list 'benchmarks', so it is not Google Benchmark's; {HINT}")
    return document


def number(text, where):
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ReportError(f"{where} is {text!r}, expected a number")
    return value


def read_roofs(context, path):
    """roof_gflops/TYPE/ISA/1t and roof_gbps/read/LEVEL/1t, as lists of Roof."""
    found = {"roof_gflops": [], "roof_gbps": []}
    for key, text in context.items():
        match = re.fullmatch(r"(roof_gflops|roof_gbps)/([^/]+)/([^/]+)/(\d+)t", key)
        if not match:
            continue
        value = number(text, f"{path}: context '{key}'")
        if value <= 0:
            raise ReportError(f"{path}: context '{key}' is {text!r}, expected more than 0")
        found[match[1]].append(Roof(match[2], match[3], int(match[4]), value))
    if not all(found.values()):
        raise ReportError(f"{path}: has no roofs (context 'roof_gflops/…', 'roof_gbps/…'): not from "
                          f"glassgpt_bench, or from an old one; {HINT}")
    return found["roof_gflops"], found["roof_gbps"]


def parse_name(name, path):
    parts = name.split("/")
    if len(parts) < 3:
        raise ReportError(f"{path}: benchmark '{name}' is not named operation/implementation/shape")
    threads = 1
    for part in parts[3:]:
        if re.fullmatch(r"\d+t", part):
            threads = int(part[:-1])
    return parts[0], parts[1], parts[2], threads, "hot" in parts[3:]


def read_result(name, runs, path):
    """One Result of the repetitions of a benchmark."""
    operation, implementation, shape, threads, hot = parse_name(name, path)
    label = dict(word.split("=", 1) for word in str(runs[0].get("label", "")).split() if "=" in word)
    fields = dict(operation=operation, implementation=implementation, shape=shape, hot=hot,
                  threads=threads, isa=label.get("isa", implementation),
                  number_type=label.get("type", "float32"), level=label.get("level", ""),
                  repetitions=len(runs))
    failed = [run for run in runs if run.get("error_occurred")]
    if failed:
        empty = dict.fromkeys(Result._fields)
        return Result(**{**empty, **fields, "failure": str(failed[0].get("error_message", "failed"))})

    def values(key):
        return [number(run.get(key), f"{path}: '{key}' of '{name}'") for run in runs]

    unit = runs[0].get("time_unit")
    if unit not in SECONDS:
        raise ReportError(f"{path}: 'time_unit' of '{name}' is {unit!r}, expected one of "
                          f"{', '.join(SECONDS)}")
    times = [SECONDS[unit] * value for value in values("real_time")]
    gflops, gbps = (statistics.median(values(key)) for key in ("GFLOP/s", "GB/s"))
    if min(times) <= 0 or gflops <= 0 or gbps <= 0:
        raise ReportError(f"{path}: '{name}' has a time or a rate that is not above 0")
    reference = statistics.median(values("x_reference")) if "x_reference" in runs[0] else None
    return Result(**fields, median=statistics.median(times), low=min(times), high=max(times),
                  gflops=gflops, gbps=gbps, roof_percent=statistics.median(values("%roof")),
                  max_error=max(values("max_error")), intensity=gflops / gbps,
                  comparison=reference, failure=None)


def read_results(document, path):
    repetitions = collections.OrderedDict()
    for run in document["benchmarks"]:
        if not isinstance(run, dict) or not isinstance(run.get("name"), str):
            raise ReportError(f"{path}: an entry of 'benchmarks' has no name; {HINT}")
        if run.get("run_type", "iteration") == "iteration":
            repetitions.setdefault(run["name"], []).append(run)
    if not repetitions:
        raise ReportError(f"{path}: has no results; did --benchmark_filter select nothing?")
    return [read_result(name, runs, path) for name, runs in repetitions.items()]


# --- the plot --------------------------------------------------------------------------------------

WIDTH, HEIGHT = 760, 480
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 16, 46


class Axes:
    """Logarithmic axes over decades: from data to the picture."""

    def __init__(self, points, roofs, bandwidths):
        x = [point.intensity for point in points]
        y = [point.gflops for point in points] + [roof.value for roof in roofs]
        ridge = max(roof.value for roof in roofs) / min(roof.value for roof in bandwidths)
        self.x = (math.log10(min(x)) - 0.15, max(math.log10(max(x)), math.log10(ridge)) + 0.3)
        self.y = (math.log10(min(y)) - 0.15, math.log10(max(y)) + 0.15)

    def px(self, value):
        low, high = self.x
        return LEFT + (math.log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def py(self, value):
        low, high = self.y
        return HEIGHT - BOTTOM - (math.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    @staticmethod
    def ticks(limits):
        """1, 2 and 5 times powers of ten within the limits, with a label for not too many."""
        dense = limits[1] - limits[0] < 2.5
        for decade in range(math.floor(limits[0]), math.ceil(limits[1]) + 1):
            for factor in (1, 2, 5):
                value = factor * 10.0**decade
                if limits[0] <= math.log10(value) <= limits[1]:
                    yield value, factor == 1 or dense


def grid(axes):
    out = []
    for value, labelled in axes.ticks(axes.x):
        x = axes.px(value)
        out.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        if labelled:
            out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:g}</text>')
    for value, labelled in axes.ticks(axes.y):
        y = axes.py(value)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if labelled:
            out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    out.append(f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
               "FLOP per byte</text>")
    out.append(f'<text x="14" y="{HEIGHT / 2:.0f}" text-anchor="middle" '
               f'transform="rotate(-90 14 {HEIGHT / 2:.0f})">GFLOP/s</text>')
    return out


def spread(wanted, least, low, high):
    """Positions near the wanted ones (descending) and at least `least` apart, within the limits."""
    placed = []
    for value in wanted:
        placed.append(min(value, placed[-1] - least) if placed else min(value, high))
    if placed and placed[-1] < low:
        placed = [max(value, low + least * (len(placed) - 1 - i)) for i, value in enumerate(placed)]
    return placed


def roof_lines(axes, roofs, bandwidths):
    out = []
    top = max(roof.value for roof in roofs)
    right = 10 ** axes.x[1]
    # A roof begins where the fastest memory meets it.
    fastest = max(roof.value for roof in bandwidths)
    for roof in roofs:
        x, y = axes.px(max(roof.value / fastest, 10 ** axes.x[0])), axes.py(roof.value)
        kind = "bf16" if roof.kind == "bf16" else "peak"
        name = html.escape(f"{roof.kind} {roof.name}")
        out.append(f'<line class="{kind}" x1="{x:.1f}" x2="{axes.px(right):.1f}" y1="{y:.1f}" '
                   f'y2="{y:.1f}"><title>{name}: {roof.value:.1f} GFLOP/s</title></line>')
    ordered = sorted(roofs, key=lambda roof: roof.value)
    heights = spread([axes.py(roof.value) - 4 for roof in ordered], 12, TOP + 10, HEIGHT - BOTTOM)
    for roof, y in zip(ordered, heights):
        out.append(f'<text class="roof" x="{WIDTH - RIGHT - 4}" y="{y:.1f}" text-anchor="end">'
                   f'{html.escape(roof.kind)} {html.escape(roof.name)} {roof.value:.0f}</text>')
    ordered = sorted(bandwidths, key=lambda roof: -roof.value)
    for roof in ordered:
        x1 = max(10 ** axes.x[0], 10 ** axes.y[0] / roof.value)
        x2 = top / roof.value
        out.append(f'<line class="memory" x1="{axes.px(x1):.1f}" y1="{axes.py(x1 * roof.value):.1f}" '
                   f'x2="{axes.px(x2):.1f}" y2="{axes.py(top):.1f}"><title>{html.escape(roof.name)}: '
                   f"{roof.value:.1f} GB/s read</title></line>")
    edge = 10 ** axes.x[0]
    heights = spread([-(axes.py(max(edge * roof.value, 10 ** axes.y[0])) - 4) for roof in ordered], 12,
                     -(HEIGHT - BOTTOM - 4), -(TOP + 10))
    for roof, y in zip(ordered, heights):
        out.append(f'<text class="roof" x="{LEFT + 4}" y="{-y:.1f}">{html.escape(roof.name)} '
                   f"{roof.value:.0f} GB/s</text>")
    return out


def group_of(result):
    """The class of a point: gemm by who multiplies, attention, the rest."""
    if result.operation.startswith("gemm"):
        return "gemm-blas" if result.implementation == "blas" else result.operation.replace("_", "-")
    return "attention" if result.operation.startswith("attention") else "elementwise"


GROUPS = {"gemm": "gemm", "gemm-bf16": "gemm, bf16", "gemm-blas": "gemm, OpenBLAS",
          "attention": "attention", "elementwise": "elementwise and rows"}


def marker(group, x, y):
    size = 4.2
    if group == "gemm":
        return f'<rect x="{x - 3.6:.1f}" y="{y - 3.6:.1f}" width="7.2" height="7.2"'
    if group == "gemm-blas":
        return (f'<path d="M{x - size:.1f} {y - size:.1f}L{x + size:.1f} {y + size:.1f}'
                f'M{x - size:.1f} {y + size:.1f}L{x + size:.1f} {y - size:.1f}"')
    if group == "attention":
        return f'<path d="M{x:.1f} {y - 5:.1f}l5 8.6h-10z"'
    if group == "gemm-bf16":
        return f'<path d="M{x:.1f} {y - 5.4:.1f}l5.4 5.4l-5.4 5.4l-5.4 -5.4z"'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}"'


def describe(result):
    where = ", inputs stay in cache" if result.hot else ""
    return (f"{result.operation}, {result.implementation}, {result.shape}{where}: "
            f"{result.gflops:.3g} GFLOP/s, {result.gbps:.3g} GB/s, {result.roof_percent:.0f}% of its roof")


# Slowest first, as the kernels are built.
ISAS = ("scalar", "neon64", "sse2", "avx2", "avx512", "avx512bf16", "amx")


def best_measured_isa(results, wanted):
    """What the plot shows: the instruction set in use, or the best one that the filter left."""
    measured = {result.implementation for result in results}
    if wanted in measured:
        return wanted
    return next((isa for isa in reversed(ISAS) if isa in measured), wanted)


def plot(results, roofs, bandwidths, threads, best_isa):
    """The SVG of one number of threads, or nothing where nothing was timed on so many."""
    shown = {best_isa, "blas", "avx512bf16", "amx"}
    points = [r for r in results
              if r.failure is None and r.threads == threads and r.implementation in shown]
    roofs = [roof for roof in roofs if roof.threads == threads]
    bandwidths = [roof for roof in bandwidths if roof.threads == threads and roof.kind == "read"]
    if not points or not roofs or not bandwidths:
        return ""
    axes = Axes(points, roofs, bandwidths)
    count = f"{threads} thread{'s' if threads > 1 else ''}"
    out = [f'<figure><figcaption>Roofline, {count}: {html.escape(best_isa)} and OpenBLAS against the '
           "roofs measured in this run. Point at a mark for its name; the tables have every number."
           f'</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
           f'aria-label="Roofline plot for {count}: {len(points)} results, whose numbers are in the '
           'tables below">']
    out += grid(axes) + roof_lines(axes, roofs, bandwidths)
    for result in sorted(points, key=lambda r: list(GROUPS).index(group_of(r)), reverse=True):
        group = group_of(result)
        out.append(marker(group, axes.px(result.intensity), axes.py(result.gflops)) +
                   f' class="point {group}{" hot" if result.hot else ""}">'
                   f"<title>{html.escape(describe(result))}</title>" +
                   {"<r": "</rect>", "<c": "</circle>", "<p": "</path>"}[marker(group, 0, 0)[:2]])
    out.append("</svg>" + legend(points) + "</figure>")
    return "".join(out)


def legend(points):
    present = {group_of(point) for point in points}
    items = [f'<li><svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">'
             f'{marker(group, 8, 8)} class="point {group}"/></svg>{name}</li>'
             for group, name in GROUPS.items() if group in present]
    if any(point.hot for point in points):
        items.append("<li>filled: inputs stay in cache; hollow: they rotate beyond it</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


# --- the tables ------------------------------------------------------------------------------------

def duration(seconds):
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def natural(shape):
    return [int(part) if part.isdigit() else part for part in re.findall(r"\d+|\D+", shape)]


def compared(result, by_key):
    """Times OpenBLAS where it did the same, else times the scalar reference."""
    blas = by_key.get((result.operation, "blas", result.shape, result.threads, result.hot))
    if blas is not None and blas.failure is None and blas is not result:
        return f"{blas.median / result.median:.2f} × OpenBLAS"
    if result.comparison is not None and result.implementation != "reference":
        return f"{result.comparison:.1f} × reference"
    return ""


def row(result, by_key):
    shape = html.escape(result.shape) + (" <span class=hot>hot</span>" if result.hot else "")
    head = (f'<th scope="row">{shape}</th><td>{html.escape(result.implementation)}</td>'
            f"<td>{html.escape(result.isa)}</td><td class=n>{result.threads}</td>")
    if result.failure is not None:
        return f'<tr>{head}<td colspan="8" class="failure">{html.escape(result.failure)}</td></tr>'
    width = min(max(result.roof_percent, 0), 100)
    cells = [f"{result.gflops:.3g}" if result.gflops < 1000 else f"{result.gflops:.0f}",
             f"{result.gbps:.3g}",
             f'<span class="bar" style="--w:{width:.0f}%">{result.roof_percent:.0f}%</span>',
             html.escape(result.level), duration(result.median),
             f"{duration(result.low)} – {duration(result.high)}" if result.repetitions > 1 else "once",
             f"{result.max_error:.1e}", compared(result, by_key)]
    return f"<tr>{head}" + "".join(f"<td class=n>{cell}</td>" for cell in cells) + "</tr>"


COLUMNS = ("shape", "implementation", "ISA", "threads", "GFLOP/s", "GB/s", "of its roof", "data in",
           "median", "fastest – slowest", "max error", "compared")


def table(operation, results, by_key):
    results = sorted(results, key=lambda r: (natural(r.shape), r.threads, r.hot))
    name = html.escape(operation)
    head = "".join(f'<th scope="col"{" class=n" if i > 2 else ""}>{column}</th>'
                   for i, column in enumerate(COLUMNS))
    body = "".join(row(result, by_key) for result in results)
    return (f'<section id="{name}"><h2>{name}</h2><div class="scroll" role="region" tabindex="0" '
            f'aria-label="{name}, {len(results)} results">'
            f"<table><caption>{name}: {len(results)} results</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>")


# --- the page --------------------------------------------------------------------------------------

STYLE = """
:root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--soft:#57606a;--line:#d0d7de;--band:#f6f8fa;
--bar:#cfe3f7;--gemm:#0969da;--bf16:#8250df;--blas:#57606a;--attention:#bf3989;--elementwise:#b35900;
--peak:#1a7f37;--memory:#6e7781}
@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--bg:#0d1117;--soft:#9aa4af;--line:#30363d;
--band:#161b22;--bar:#1f3a5a;--gemm:#58a6ff;--bf16:#bc8cff;--blas:#9aa4af;--attention:#f778ba;
--elementwise:#f0a04b;--peak:#3fb950;--memory:#8b949e}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:75rem;font:1rem/1.5 system-ui,sans-serif;color:var(--fg);
background:var(--bg)}
h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0 .5rem}
h2{font-size:1.15rem;margin:2rem 0 .5rem}
a{color:var(--gemm)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;font-size:.9rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
nav ul,.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1rem}
nav a{display:inline-block;padding:.2rem 0}
figure{margin:1.5rem 0}figcaption{color:var(--soft);font-size:.9rem;margin-bottom:.25rem}
figure>svg{width:100%;height:auto;display:block}
.legend{font-size:.85rem;margin:.25rem 0}.legend li{display:flex;align-items:center;gap:.35rem}
svg text{font-size:11px;fill:var(--soft)}svg text.roof{fill:var(--fg)}
.grid{stroke:var(--line);stroke-width:.6}
.peak{stroke:var(--peak);stroke-width:1.6}.bf16{stroke:var(--bf16);stroke-width:1.6}
.memory{stroke:var(--memory);stroke-width:1.3;stroke-dasharray:5 3}
.point{--c:var(--elementwise);stroke:var(--c);fill:none;stroke-width:1.4}
.point.hot,.legend .point{fill:var(--c);fill-opacity:.55}
.gemm{--c:var(--gemm)}.gemm-bf16{--c:var(--bf16)}.gemm-blas{--c:var(--blas)}
.attention{--c:var(--attention)}.point:hover{stroke-width:3}
.scroll{overflow-x:auto;max-height:40rem;overflow-y:auto;border:1px solid var(--line);border-radius:6px}
.scroll:focus-visible,a:focus-visible{outline:3px solid var(--gemm);outline-offset:2px}
table{border-collapse:collapse;font-size:.85rem;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:.4rem .6rem;color:var(--soft)}
th,td{padding:.25rem .6rem;text-align:left;white-space:nowrap;border-top:1px solid var(--line)}
thead th{position:sticky;top:0;background:var(--band);z-index:2}
tbody th{position:sticky;left:0;background:var(--bg);font-weight:600}
.n{text-align:right}span.hot{color:var(--elementwise);font-weight:400}
.bar{display:inline-block;min-width:4.5rem;padding:0 .3rem;border-radius:3px;
background:linear-gradient(to right,var(--bar) var(--w),transparent var(--w))}
.failure{color:var(--attention)}
p.note{color:var(--soft);font-size:.9rem;max-width:45rem}
@media(max-width:40rem){body{padding:.75rem}figure>svg{min-width:34rem}
figure{overflow-x:auto}figcaption,.legend{position:sticky;left:0;max-width:calc(100vw - 1.5rem)}
dl{grid-template-columns:1fr}dt{margin-top:.3rem}th,td{padding:.25rem .4rem}}
"""

NOTE = """<p class="note">Medians of the repetitions. The roof of a result is the longer of two times:
its arithmetic at the peak of its instruction set, and its traffic out of the memory that holds its
data, both measured in this run; the percentage is that time over the median. Operations that are
counted with few bytes or run out of a cache may pass 100% where memory was faster than when the roofs
were measured. The error is the largest seen, in parts of the sum of the terms' absolute values for a
matrix product, of 1 + |expected| elsewhere. A result that disagrees with its reference is not timed.
</p>"""


def page(document, path):
    context = document["context"]
    roofs, bandwidths = read_roofs(context, path)
    results = read_results(document, path)
    by_key = {(r.operation, r.implementation, r.shape, r.threads, r.hot): r for r in results}
    by_operation = collections.OrderedDict()
    for result in sorted(results, key=lambda r: list(GROUPS).index(group_of(r))):
        by_operation.setdefault(result.operation, []).append(result)

    known = ("cpu", "isa", "glassgpt", "compiler", "xsimd", "google_benchmark", "blas",
             "blas_threads", "date", "host_name", "num_cpus", "executable")
    facts = "".join(f"<dt>{html.escape(key.replace('_', ' '))}</dt><dd>{html.escape(str(context[key]))}</dd>"
                    for key in known if key in context)
    best_isa = best_measured_isa(results, str(context.get("isa", "")))
    plots = "".join(plot(results, roofs, bandwidths, threads, best_isa)
                    for threads in sorted({result.threads for result in results}))
    links = "".join(f'<li><a href="#{html.escape(name)}">{html.escape(name)}</a></li>'
                    for name in by_operation)
    tables = "".join(table(name, some, by_key) for name, some in by_operation.items())
    title = html.escape(f"glassgpt_bench, {context.get('cpu', 'unknown CPU')}")
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>"
            f"<dl>{facts}</dl>{plots}{NOTE}<nav aria-label=\"operations\"><ul>{links}</ul></nav>"
            f"{tables}</main></body></html>\n")


def write_whole(path, text):
    """The file appears whole or not at all."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".report-")
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror}; does its folder exist?") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except OSError as error:
        os.unlink(temporary)
        raise ReportError(f"{path}: {error.strerror}") from error


def main():
    parser = argparse.ArgumentParser(
        prog="report.py", description="Makes one HTML page of a JSON file of glassgpt_bench.")
    parser.add_argument("input", metavar="IN.json", help="written with --benchmark_out=IN.json")
    parser.add_argument("-o", "--output", metavar="OUT.html", required=True)
    arguments = parser.parse_args()
    try:
        write_whole(arguments.output, page(load(arguments.input), arguments.input))
    except ReportError as error:
        print(f"report.py: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
