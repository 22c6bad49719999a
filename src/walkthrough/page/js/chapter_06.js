// Positions: sinusoids, their dot products by distance, and a learned table beside them.
"use strict";
(function() {
const {h, t, vectors, draw} = glass;
const id = "positions";
const initial = () => ({position: 20, cell: [20, 4]});

// PE(p) . PE(p + k) is a sum of cosines of k: it does not depend on p.
const dot_at = (distance, width) => {
  let sum = 0;
  for (let i = 0; 2 * i < width; i++) sum += Math.cos(distance / 10000 ** ((2 * i) / width));
  return sum;
};

const source_of = (name) => {
  const {source} = glass.data.positions[name];
  return source === "formula" ? t("positions.formula") : source;
};

// The learned table's own numbers, in the same form as the waves above it.
const learned_rows = () => {
  const table = glass.tensor(glass.data.positions.learned.rows);
  const [rows, cols] = table.shape, scale = 0.6 * draw.largest(table.values);
  const readout = h("p.readout", {});
  const tell = (row, col) => t("positions.learned_cell",
    {position: row, dimension: col, value: glass.number(table.row(row)[col], 4)});
  readout.textContent = tell(0, 0);
  return h("div", {}, h("h3", {}, t("positions.learned_rows", {source: source_of("learned")})),
    glass.matrix({
      rows,
      cols,
      value: (row, col) => table.row(row)[col],
      scale,
      label: t("positions.learned_rows", {source: source_of("learned")}),
      cell: 8,
      height: rows > 100 ? 2 : 4,
      at: [0, 0],
      row_band: true,
      hover: (row, col) => {
        readout.textContent = tell(row, col);
      },
      say: tell,
    }),
    readout, glass.colour_key("diverging", scale));
};

const tables = () => ["sinusoidal", "learned"].filter((name) => glass.data.positions[name]);

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const data = glass.data.positions;
  const own = glass.tensor(data.sinusoidal.rows);
  const [count, width] = own.shape;
  state.position = Math.min(state.position, count - 1);
  state.cell = state.cell.map((at, axis) => Math.min(at, own.shape[axis] - 1));
  const computed = Array.from({length: count}, (_, p) => vectors.sinusoid(p, width));
  const readout = h("p.readout", {"aria-live": "polite"});
  const tell = (row, col) => t("positions.cell", {
    position: row,
    dimension: col,
    wave: col % 2 ? "cos" : "sin",
    turn: glass.number(row / 10000 ** ((2 * Math.floor(col / 2)) / width), 4),
    value: glass.number(computed[row][col], 4),
    length: glass.number(2 * Math.PI * 10000 ** ((2 * Math.floor(col / 2)) / width), 1),
  });
  const waves = glass.matrix({
    rows: count,
    cols: width,
    value: (row, col) => own.row(row)[col],
    scale: 1,
    label: t("positions.matrix_label"),
    cell: 8,
    height: count > 100 ? 2 : 4,
    at: state.cell,
    row_band: true,
    hover: (row, col) => {
      readout.textContent = tell(row, col);
    },
    choose: (row, col) => {
      state.cell = [row, col];
      set(row);
    },
    say: tell,
  });

  const products = h("div", {});
  const slider =
    glass.slider(t("positions.position"), {min: 0, max: count - 1, value: state.position},
      (value) => String(value), (value) => set(value));
  const product_line = h("p.readout", {"aria-live": "polite"});
  const say_product = (q) => {
    const p = state.position;
    glass.fill(product_line, glass.rich("positions.product", {
      p,
      q,
      distance: Math.abs(p - q),
      product: glass.number(vectors.dot(computed[p], computed[q]), 3),
    }));
  };
  const show_products = () => {
    const p = state.position;
    const series = [{
      name: t("positions.sinusoidal"),
      colour: "accent",
      values: computed.map((row) => vectors.dot(computed[p], row))
    }];
    glass.fill(products, draw.chart({
      series,
      labels: computed.map((_, q) => String(q)),
      label: t("positions.products_label", {p}),
      at: p,
      height: 190,
      moved: say_product,
      x_label: t("positions.axis"),
    }));
    say_product(p);
  };
  const set = (position) => {
    state.position = position;
    slider.set(position);
    show_products();
  };

  const maps = h("div.columns.two", {}, tables().map((name) => {
    const dots = glass.tensor(data[name].cosines);
    const line = h("p.note", {}, "\u00a0");
    const say = (row, col) =>
      t("positions.cosine", {p: row, q: col, cosine: glass.number(dots.row(row)[col], 3)});
    return h("div", {}, h("h3", {}, t(`positions.${name}_of`, {source: source_of(name)})),
      glass.matrix({
        rows: dots.shape[0],
        cols: dots.shape[1],
        value: (row, col) => dots.row(row)[col],
        scale: 1,
        cell: 5,
        label: t("positions.map_label", {table: t(`positions.${name}`)}),
        at: [state.position, state.position].map((at) => Math.min(at, dots.shape[0] - 1)),
        hover: (row, col) => {
          line.textContent = say(row, col);
        },
        say,
      }),
      line);
  }),
    data.learned ? null : h("p.note", {}, t("positions.no_learned")));

  // Both tables by distance, as cosines: their lengths differ.
  const reach = Math.min(...tables().map((name) => data[name].mean_cosine.length), 129);
  const series = tables().map((name, i) => ({
    name: t(`positions.${name}`),
    colour: i ? "warm" : "accent",
    dashed: i === 1,
    values: data[name].mean_cosine.slice(0, reach),
  }));
  const distance_line = h("p.readout", {});
  const say_distance = (k) => glass.fill(distance_line, [
    t("positions.at_distance", {k}),
    series.map((line) => [" ", line.name, " ", h("b", {}, glass.number(line.values[k], 3)), " "])
  ].flat(2));
  root.append(h("h3", {}, t("positions.sinusoidal_rows", {source: source_of("sinusoidal")})), waves,
    readout, glass.colour_key("diverging", 1, 0),
    h("div", {}, data.learned ? learned_rows() : null),
    h("div.part.products_of", {}, h("h3", {}, t("positions.products")), h("div.tools", {}, slider),
      products, product_line),
    h("div.part", {}, maps),
    h("div.part", {}, h("h3", {}, t("positions.by_distance")), draw.legend(series), draw.chart({
      series,
      labels: series[0].values.map((_, k) => String(k)),
      label: t("positions.by_distance"),
      at: 1,
      moved: say_distance,
      height: 200,
      x_label: t("positions.distance"),
    }),
      distance_line));
  readout.textContent = tell(...state.cell);
  show_products();
  say_distance(1);
};

const check = () => {
  const {sinusoidal} = glass.data.positions;
  const rows = glass.tensor(sinusoidal.rows), [count, width] = rows.shape;
  const computed = Array.from({length: count}, (_, p) => vectors.sinusoid(p, width));
  // A model's file may hold its table in half precision: 2^-11 of the largest number, 1.
  glass.check(
    id, "rows", computed.flatMap((row) => Array.from(row)), rows.values, 2 ** -11 + 2 * rows.grain);
  const exported = sinusoidal.mean_dot;
  glass.check(
    id, "dots", exported.map((_, k) => dot_at(sinusoidal.distance[k], width)), exported, 1e-4);
};
glass.chapter({id, figure, check, data: "positions"});
})();
