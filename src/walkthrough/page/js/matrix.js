// A matrix on a canvas: pointer, arrow keys, and a name for each cell.
"use strict";
(function() {
const {h, draw} = glass;

// options: rows, cols, value(row, col), kind, scale, label, say(row, col) -> text,
// hover(row, col), choose(row, col), cell (largest size), height (of a cell, if not square), at,
// row_labels, col_labels (drawn where cells are large enough), row_band (outlines the row).
glass.matrix = (options) => {
  const {rows, cols, kind = "diverging", label} = options;
  let value = options.value, scale = options.scale;
  let pixels = draw.raster(rows, cols, value, kind, scale);
  const canvas = h("canvas", {
    tabindex: 0,
    role: "application",
    "aria-roledescription": "matrix",
    "aria-label": label,
  });
  const element = h("div.matrix", {}, canvas);
  let width = 0, height = 0, left = 0, above = 0;
  let at = options.at || [0, 0];

  const paint = () => {
    if (!width) return;
    const ratio = window.devicePixelRatio || 1;
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = false;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    write_labels(context);
    context.translate(left, above);
    context.drawImage(pixels, 0, 0, width, height);
    const w = width / cols, t = height / rows;
    if (w >= 9 && t >= 9) {
      context.strokeStyle = draw.colour("card");
      context.lineWidth = 1;
      context.beginPath();
      for (let row = 1; row < rows; row++) {
        context.moveTo(0, row * t);
        context.lineTo(width, row * t);
      }
      for (let col = 1; col < cols; col++) {
        context.moveTo(col * w, 0);
        context.lineTo(col * w, height);
      }
      context.stroke();
    }
    const [row, col] = at;
    context.strokeStyle = draw.colour("faint");
    context.lineWidth = 1;
    if (options.row_band) context.strokeRect(0.5, row * t + 0.5, width - 1, Math.max(2, t - 1));
    context.strokeStyle = draw.colour("ink");
    context.lineWidth = 2;
    const size = Math.max(6, w), tall = Math.max(6, t);
    context.strokeRect(Math.max(1, col * w + (w - size) / 2 + 0.5),
      Math.max(1, row * t + (t - tall) / 2 + 0.5), size - 1, tall - 1);
  };
  const font = () => `12px ${draw.colour("mixed")}`;
  const write_labels = (context) => {
    context.font = font();
    context.textBaseline = "middle";
    const place = (i, size) => (i + 0.5) * size;
    const tint = (on) => {
      context.fillStyle = draw.colour(on ? "ink" : "soft");
    };
    if (left) {
      context.textAlign = "right";
      options.row_labels.forEach((text, row) => {
        tint(row === at[0]);
        context.fillText(text, left - 6, above + place(row, height / rows), left - 8);
      });
    }
    if (above) {
      context.textAlign = "left";
      options.col_labels.forEach((text, col) => {
        tint(col === at[1]);
        context.save();
        context.translate(left + place(col, width / cols), above - 5);
        context.rotate(-Math.PI / 3);
        context.fillText(text, 0, 0, above);
        context.restore();
      });
    }
  };
  // Labels have room where cells are as high as a line of text.
  const make_room = (room) => {
    left = above = 0;
    const context = canvas.getContext("2d");
    context.font = font();
    const longest = (labels) => Math.max(...labels.map((text) => context.measureText(text).width));
    if (options.row_labels) {
      const wanted = Math.min(96, longest(options.row_labels) + 10);
      const tall = options.height || Math.min(options.cell || 22, (room - wanted) / cols);
      if (tall >= 12) left = wanted;
    }
    if (options.col_labels && Math.min(options.cell || 22, (room - left) / cols) >= 12) {
      above = Math.min(84, longest(options.col_labels) * 0.87 + 14);
    }
  };
  const resize = () => {
    const all = element.clientWidth;
    if (!all) return;
    make_room(all);
    // The last slanted label leans out to the right.
    const room = all - left - (above ? 24 : 0);
    const cell = Math.min(options.cell || 22, room / cols);
    width = Math.max(1, cols * cell);
    height = rows * (options.height || cell);
    if (cell >= 3) {
      width = cols * Math.floor(cell);
      if (!options.height) height = rows * Math.floor(cell);
    }
    const ratio = window.devicePixelRatio || 1;
    const whole = [left + width + (above ? 24 : 0), above + height];
    canvas.style.width = `${whole[0]}px`;
    canvas.style.height = `${whole[1]}px`;
    canvas.width = Math.round(whole[0] * ratio);
    canvas.height = Math.round(whole[1] * ratio);
    paint();
  };
  new ResizeObserver(resize).observe(element);

  const move = (row, col, quiet) => {
    row = Math.max(0, Math.min(rows - 1, row));
    col = Math.max(0, Math.min(cols - 1, col));
    if (row === at[0] && col === at[1]) return false;
    at = [row, col];
    paint();
    if (!quiet && options.hover) options.hover(row, col);
    return true;
  };
  const cell_of = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      Math.floor(((event.clientY - box.top - above) / height) * rows),
      Math.floor(((event.clientX - box.left - left) / width) * cols)
    ];
  };
  canvas.addEventListener("pointermove", (event) => move(...cell_of(event)));
  canvas.addEventListener("pointerdown", (event) => {
    move(...cell_of(event));
    if (options.choose) options.choose(...at);
  });
  canvas.addEventListener("keydown", (event) => {
    const steps = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
    const page = event.shiftKey ? 10 : 1;
    if (event.key === "Home")
      move(at[0], 0);
    else if (event.key === "End")
      move(at[0], cols - 1);
    else if (event.key === "Enter" || event.key === " ") {
      if (options.choose) options.choose(...at);
    } else if (steps[event.key])
      move(at[0] + page * steps[event.key][0], at[1] + page * steps[event.key][1]);
    else
      return;
    event.preventDefault();
    if (options.say) glass.say(options.say(...at));
  });
  // New numbers of the same shape.
  element.show = (new_value, new_scale) => {
    value = new_value;
    scale = new_scale;
    pixels = draw.raster(rows, cols, value, kind, scale);
    paint();
  };
  element.move = (row, col) => move(row, col, true);
  // Where the cells are inside the canvas.
  element.geometry = () => ({left, above, width, height});
  return element;
};

// The key to the colours, with the numbers at its ends.
glass.colour_key = (kind, scale, decimals = 2) => {
  const stops = kind === "share" ? ["zero", "plus"] : ["minus", "zero", "plus"];
  return h("div.colour_key", {"aria-hidden": "true"},
    h("span", {}, kind === "share" ? "0" : glass.number(-scale, decimals)), h("i", {
      style:
        {background: `linear-gradient(90deg, ${stops.map((stop) => `var(--${stop})`).join(", ")})`}
    }),
    h("span", {}, glass.number(scale, decimals)));
};
})();
