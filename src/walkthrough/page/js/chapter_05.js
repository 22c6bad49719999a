// The embedding table: a row a token, and its neighbours.
"use strict";
(function() {
const {h, svg, t, draw} = glass;
const id = "embedding";

// The one-hot vector of a token, to scale: V places, of which one is lit.
const one_hot = (token) => draw.responsive("div.long_vector", (width) => {
  const size = glass.data.model.vocab_size;
  const x = 6 + ((token.id + 0.5) / size) * (width - 12);
  return svg("svg", {viewBox: `0 0 ${width} 46`, height: 46, "aria-hidden": "true"}, svg("rect", {
    x: 6,
    y: 20,
    width: width - 12,
    height: 10,
    rx: 2,
    fill: "var(--well)",
    stroke: "var(--line)"
  }),
    svg("rect", {x: x - 1.5, y: 15, width: 3, height: 20, fill: "var(--warm)"}),
    svg("text", {
      x: Math.max(40, Math.min(width - 40, x)),
      y: 11,
      "text-anchor": "middle",
      style: "fill:var(--warm);font-weight:600"
    },
      `1 @ ${glass.integer(token.id)}`),
    svg("text", {x: 6, y: 44}, "0"),
    svg("text", {x: width - 6, y: 44, "text-anchor": "end"}, glass.integer(size - 1)));
});

const neighbours = (place) => draw.cosine_bars(glass.data.embedding.neighbours[place].map(
  (other) => [h("span.name", {}, glass.token_span(other)), other.cosine]));

// Two principal components; the chosen token and its neighbours stand out.
const map = (current) => draw.responsive("div.map", (width) => {
  const {map: data, ids, neighbours: near} = glass.data.embedding;
  const height = Math.min(420, Math.max(280, 0.6 * width));
  const xy = glass.tensor(data.xy).values;
  const xs = xy.filter((_, i) => i % 2 === 0), ys = xy.filter((_, i) => i % 2 === 1);
  const span = (values) => [Math.min(...values), Math.max(...values)];
  const [x0, x1] = span(xs), [y0, y1] = span(ys);
  const place = current();
  const close = new Set(near[place].map((token) => token.id));
  const dots = data.tokens.map((token, i) => {
    const x = 30 + ((xs[i] - x0) / (x1 - x0 || 1)) * (width - 90),
          y = height - 18 - ((ys[i] - y0) / (y1 - y0 || 1)) * (height - 36);
    const own = data.of[i] !== null;
    const chosen = token.id === ids[place], neighbour = close.has(token.id);
    const colour = chosen ? "warm" : neighbour ? "accent" : own ? "ink" : "faint";
    return {
      z: chosen   ? 2 :
        neighbour ? 1 :
                    0,
      element: svg("g", {},
        svg("circle", {
          cx: x,
          cy: y,
          r: chosen   ? 6 :
            neighbour ? 4.5 :
            own       ? 3 :
                        2,
          fill: `var(--${colour})`,
          opacity: chosen || neighbour ? 1 : 0.55
        },
          svg("title", {}, glass.token_name(token))),
        chosen || neighbour || (own && data.tokens.length < 60) ?
          svg("text",
            {x: x + 7, y: y + 4, style: `fill:var(--${colour})${chosen ? ";font-weight:700" : ""}`},
            glass.token_label(token)) :
          null)
    };
  });
  return svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    height,
    role: "img",
    "aria-label": t("embedding.map_label")
  },
    dots.sort((a, b) => a.z - b.z).map((dot) => dot.element));
});

const figure = (root) => {
  const data = glass.data.embedding;
  const rows = glass.tensor(data.rows);
  const [count, width] = rows.shape;
  const place_of = () => data.index[glass.state.token];
  const product = h("div.lookup", {}), near = h("div", {});
  const readout = h("p.readout", {});
  const most = draw.largest(rows.values);
  const tell = (row, col) => t("embedding.cell", {
    token: glass.token_name(data.tokens[row]),
    dimension: col,
    value: glass.number(rows.row(row)[col], 4),
  });
  const matrix = glass.matrix({
    rows: count,
    cols: width,
    value: (row, col) => rows.row(row)[col],
    scale: most * 0.6,
    label: t("embedding.matrix_label"),
    row_labels: data.tokens.map(glass.token_label),
    cell: 8,
    height: count > 60 ? 4 : 15,
    row_band: true,
    at: [place_of(), 0],
    hover: (row, col) => {
      readout.textContent = tell(row, col);
    },
    say: tell,
    choose: (row) => glass.choose_token(data.index.indexOf(row)),
  });
  const same = h("p.note", {});
  const picture = map(place_of);
  const show = () => {
    const place = place_of(), token = data.tokens[place];
    glass.fill(product, one_hot(token), h("p.readout", {}, glass.rich("embedding.row", {
      token: glass.token_word(token),
      id: glass.integer(token.id),
      norm: glass.number(data.norms[place], 3),
      values:
        Array.from(rows.row(place).subarray(0, 4), (value) => glass.number(value, 3)).join(", "),
    })));
    glass.fill(near, h("h3", {}, t("embedding.neighbours", {token: glass.token_word(token)})),
      neighbours(place));
    const twins = data.index.filter((other) => other === place).length;
    same.textContent = twins > 1 ?
      t("embedding.twins", {count: twins, token: glass.token_word(token)}) :
      t("embedding.single", {token: glass.token_word(token)});
    matrix.move(place, 0);
    readout.textContent = tell(place, 0);
    picture.repaint();
  };
  root.append(glass.token_strip(), product, h("h3", {}, t("embedding.rows", {count, width})),
    matrix, readout, glass.colour_key("diverging", most * 0.6),
    h("div.columns.two.part", {}, h("div", {}, near, same),
      h("div", {}, h("h3", {}, t("embedding.map")), picture,
        h("p.note", {},
          t("embedding.map_note",
            {share: glass.percent(data.map.explained[0] + data.map.explained[1], 0)})))));
  const formation = glass.formation.part();
  if (formation) root.append(formation);
  show();
  glass.on("token", root, show);
};

// The lengths that the table names belong to the rows that are shown.
const check = () => {
  const {rows, norms} = glass.data.embedding;
  const tensor = glass.tensor(rows);
  glass.check(id, "norms", norms.map((_, i) => glass.vectors.norm(tensor.row(i))), norms,
    2e-5 + 4 * tensor.grain);
};
glass.chapter({id, figure, check, data: "embedding"});
})();
