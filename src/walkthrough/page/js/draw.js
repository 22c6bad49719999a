// Colours of numbers, pictures that follow their width, and line charts.
"use strict";
(function() {
const {h, svg} = glass;
const draw = (glass.draw = {});

draw.colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const rgb = (name) => {
  const text = draw.colour(name).slice(1);
  return [0, 2, 4].map((at) => parseInt(text.slice(at, at + 2), 16));
};
const mix = (from, to, share) => from.map((low, i) => Math.round(low + (to[i] - low) * share));

// 256 colours. "diverging": minus, zero, plus; "share": nothing to everything.
draw.palette = (kind) => {
  const zero = rgb("zero"), plus = rgb("plus"), minus = rgb("minus");
  return Array.from({length: 256}, (_, i) => {
    if (kind === "share") return mix(zero, plus, i / 255);
    const at = (i - 127.5) / 127.5;
    return at < 0 ? mix(zero, minus, -at) : mix(zero, plus, at);
  });
};
const place = {
  diverging: (value, scale) => Math.round(127.5 + 127.5 * Math.max(-1, Math.min(1, value / scale))),
  // The square root lets small shares be seen; numbers are always given beside the colours.
  share: (value, scale) => Math.round(255 * Math.sqrt(Math.max(0, Math.min(1, value / scale)))),
};
// One pixel a cell; null and NaN are cells that do not exist.
draw.raster = (rows, cols, value, kind, scale) => {
  const canvas = h("canvas", {width: cols, height: rows});
  const context = canvas.getContext("2d");
  const image = context.createImageData(cols, rows);
  const palette = draw.palette(kind), none = rgb("void"), index = place[kind];
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const number = value(row, col);
      const colour = number === null || Number.isNaN(number) ? none : palette[index(number, scale)];
      image.data[at++] = colour[0];
      image.data[at++] = colour[1];
      image.data[at++] = colour[2];
      image.data[at++] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
};
draw.largest = (values) => {
  let most = 0;
  for (const value of values)
    if (Math.abs(value) > most) most = Math.abs(value);
  return most || 1;
};

// An element that `paint(width)` fills again whenever its width changes.
draw.responsive = (name, paint) => {
  const element = h(name, {});
  let painted = 0;
  element.repaint = () => {
    if (!painted) return;
    glass.fill(element, paint(painted));
  };
  new ResizeObserver(() => {
    const width = Math.floor(element.clientWidth);
    if (width > 0 && width !== painted) {
      painted = width;
      element.repaint();
    }
  }).observe(element);
  return element;
};

// Round numbers that cover [low, high].
draw.ticks = (low, high, about = 5) => {
  const raw = (high - low || 1) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i++) {
    ticks.push(i * step);
  }
  ticks.decimals =
    Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0));
  return ticks;
};

// Lines over places 0..n-1. The pointer or the arrow keys move a cursor: `moved(place)`.
draw.chart = (options) => {
  const {series, labels, label, height = 220, unit = "", moved, y_label, x_label} = options;
  const count = labels.length;
  const values = series.flatMap((line) => Array.from(line.values)).filter(Number.isFinite);
  const low = options.low ?? Math.min(...values), high = options.high ?? Math.max(...values);
  const ticks = draw.ticks(low, high === low ? low + 1 : high);
  const bottom = Math.min(low, ticks[0]), top = Math.max(high, ticks[ticks.length - 1]);
  const left = 46, right = 14, above = 14, below = 34;
  let at = options.at ?? count - 1, width = 0;
  const x = (place) => left + (count > 1 ? (place / (count - 1)) * (width - left - right) : 0);
  const y = (value) => above + ((top - value) / (top - bottom || 1)) * (height - above - below);
  const cursor = svg("line.cursor", {y1: above, y2: height - below});
  const dots = series.map((line) => svg("circle", {r: 4, fill: `var(--${line.colour})`}));
  const show = () => {
    cursor.setAttribute("x1", x(at));
    cursor.setAttribute("x2", x(at));
    series.forEach((line, i) => {
      const value = line.values[at];
      dots[i].setAttribute("visibility", Number.isFinite(value) ? "visible" : "hidden");
      if (Number.isFinite(value)) {
        dots[i].setAttribute("cx", x(at));
        dots[i].setAttribute("cy", y(value));
      }
    });
  };
  const path = (line) => {
    let started = false, text = "";
    line.values.forEach((value, place) => {
      if (!Number.isFinite(value)) {
        started = false;
        return;
      }
      text += `${started ? "L" : "M"}${x(place).toFixed(1)} ${y(value).toFixed(1)}`;
      started = true;
    });
    return svg("path.curve", {
      d: text,
      stroke: `var(--${line.colour})`,
      "stroke-dasharray": line.dashed ? "2 5" : null,
    });
  };
  const paint = (now) => {
    width = now;
    // Names below the axis: as many as fit.
    const least = (count * (options.label_width || 34)) / (width - left - right);
    const every = [1, 2, 5, 10, 20, 50, 100].find((step) => step >= least) || count;
    const picture = svg("svg", {viewBox: `0 0 ${width} ${height}`, height, "aria-hidden": "true"},
      ticks.map(
        (tick) => [svg("line.axis", {x1: left, x2: width - right, y1: y(tick), y2: y(tick)}),
          svg("text", {x: left - 7, y: y(tick) + 4, "text-anchor": "end"},
            glass.number(tick, ticks.decimals) + unit),
    ]),
      labels.map((text, place) => place % every ? null :
                                                  svg("text", {
                                                    x: x(place),
                                                    y: height - below + 17,
                                                    "text-anchor": "middle",
                                                  },
                                                    text)),
      x_label ?
        svg("text", {x: (left + width) / 2, y: height - 1, "text-anchor": "middle"}, x_label) :
        null,
      cursor, series.map(path), dots);
    show();
    return picture;
  };
  const element = draw.responsive("div.chart", paint);
  const move = (to) => {
    const next = Math.max(0, Math.min(count - 1, to));
    if (next === at) return;
    at = next;
    show();
    if (moved) moved(at);
  };
  element.tabIndex = 0;
  element.setAttribute("role", "application");
  element.setAttribute("aria-label", label);
  element.addEventListener("pointermove", (event) => {
    const box = element.getBoundingClientRect();
    move(Math.round(((event.clientX - box.left - left) / (width - left - right)) * (count - 1)));
  });
  element.addEventListener("keydown", (event) => {
    const step = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    move(at + step);
    glass.say(labels[at] + ": " +
      series.map((line) => `${line.name} ${glass.number(line.values[at], 2)}${unit}`).join(", "));
  });
  element.move = move;
  if (y_label) return h("div", {}, h("div.note", {}, y_label), element);
  return element;
};
// Each cosine as a bar, with its angle: pairs of a name (an element) and a cosine.
draw.cosine_bars = (pairs) => h("div.bars.neighbours", {},
  pairs.map(([name, cosine]) => [name,
              h("span.track", {}, h("i.eased", {style: {width: `${100 * Math.max(0, cosine)}%`}})),
              h("span.value", {},
                `${glass.number(cosine, 3)}  ${glass.degrees(glass.vectors.degrees(cosine))}`),
]));
draw.legend = (series) => h("div.legend", {},
  series.map(
    (line) => h("span", {},
      h("i" + (line.dashed ? ".dashed" : ""), {style: {"border-color": `var(--${line.colour})`}}),
      line.name)));
})();
