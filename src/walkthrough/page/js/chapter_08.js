// The residual stream: what each layer adds, what each layer would predict, the path.
"use strict";
(function() {
const {h, svg, t, draw} = glass;
const id = "layers";
const initial = () => ({pca: "direction", layer: glass.data.model.n_layer});

const stream = () => {
  const {layers} = glass.data;
  const residual = glass.tensor(layers.residual), final = glass.tensor(layers.final);
  const depth = layers.keys.length;
  const row = (layer) =>
    (layer + 1 === depth ? final.row(glass.state.token) : residual.row(layer, glass.state.token));
  const width = residual.shape[2];
  const value = (layer, col) => row(layer)[col];
  // Streams grow from layer to layer: each row by its own largest number.
  const shown = () => {
    const most = layers.keys.map((_, layer) => draw.largest(row(layer)));
    return (layer, col) => value(layer, col) / most[layer];
  };
  const readout = h("p.readout", {});
  const tell = (layer, col) => t("layers.cell", {
    layer: glass.layer_name(layers.keys[layer]),
    dimension: col,
    value: glass.number(value(layer, col), 4),
  });
  let at = [0, 0];
  const matrix = glass.matrix({
    rows: depth,
    cols: width,
    value: shown(),
    scale: 0.7,
    cell: 8,
    height: 20,
    label: t("layers.matrix_label"),
    row_labels: layers.keys.map(glass.layer_mark),
    hover: (row, col) => {
      at = [row, col];
      readout.textContent = tell(row, col);
    },
    say: tell,
  });
  const show = () => {
    matrix.show(shown(), 0.7);
    readout.textContent = tell(...at);
  };
  readout.textContent = tell(0, 0);
  return {element: h("div.stream", {}, matrix, readout), show};
};

const norms = () => {
  const holder = h("div", {});
  const show = () => {
    const {norms: data, turn} = glass.data.layers, token = glass.state.token;
    const pick = (rows) => rows.map((row) => row[token]);
    const series = [
      {name: t("layers.stream"), values: pick(data.residual), colour: "accent"},
      {name: t("layers.attention"), values: [NaN, ...pick(data.attention_out)], colour: "warm"},
      {name: t("layers.mlp"), values: [NaN, ...pick(data.mlp_out)], colour: "violet"},
    ];
    const line = h("p.readout", {});
    const say = (layer) => glass.fill(line,
      layer === 0 ? t("layers.norm_0", {
        layer: glass.layer_name("0"),
        norm: glass.number(series[0].values[0], 2),
      }) :
                    t("layers.norm", {
                      layer: glass.layer_name(String(layer)),
                      norm: glass.number(series[0].values[layer], 2),
                      attention: glass.number(series[1].values[layer], 2),
                      mlp: glass.number(series[2].values[layer], 2),
                      attention_cosine: glass.number(turn.attention[layer - 1][token], 2),
                      mlp_cosine: glass.number(turn.mlp[layer - 1][token], 2),
                    }));
    say(series[0].values.length - 1);
    glass.fill(holder, draw.legend(series), draw.chart({
      series,
      labels: series[0].values.map((_, k) => String(k)),
      label: t("layers.norms"),
      low: 0,
      moved: say,
      x_label: t("layers.layer"),
    }),
      line);
  };
  return {element: holder, show};
};

// The model's last norm and output matrix on every layer.
const lens = () => {
  const {lens: data, keys} = glass.data.layers;
  if (!data) return null;
  const holder =
    h("div.lens.scroll", {tabindex: 0, role: "region", "aria-label": t("layers.lens")});
  const show = () => {
    const token = glass.state.token;
    const next = glass.tokens()[token + 1];
    glass.fill(holder,
      h("table", {},
        h("thead", {},
          h("tr", {}, h("th", {scope: "col"}, t("layers.layer")),
            Array.from({length: data.k}, (_, i) => h("th", {scope: "col"}, String(i + 1))),
            h("th", {scope: "col"}, t("layers.entropy")),
            next ? h("th", {scope: "col"}, t("layers.next", {token: glass.token_label(next)})) :
                   null)),
        h("tbody", {},
          data.top
            .map(
              (rows, layer) => h("tr", {"data-layer": layer}, h("th", {scope: "row"}, keys[layer]),
                rows[token].map(([other,
                  probability]) => h(`td.guess${next && other === next.id ? ".right" : ""}`, {
                  style: {"--share": `${Math.round(48 * Math.sqrt(probability))}%`},
                  "data-id": other,
                },
                                  glass.token_span(data.tokens[other]),
                                  h("small", {}, glass.percent(probability)))),
                h("td", {}, glass.number(data.entropy_bits[layer][token], 2)),
                next ? h("td", {}, t("layers.rank", {
                  share: glass.percent(data.next[layer][token][0], 2),
                  rank: glass.integer(data.next[layer][token][1]),
                })) :
                       null))
            .reverse())));
  };
  return {element: holder, show};
};

const path = (state) => {
  const holder = h("div", {});
  const picture = draw.responsive("div.plane", (width) => {
    const data = glass.data.layers.pca[state.pca];
    const xyz = glass.tensor(data.xyz);
    const [depth, count] = xyz.shape;
    const height = Math.min(440, Math.max(280, width * 0.6));
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    for (let i = 0; i < xyz.values.length; i += 3) {
      for (const axis of [0, 1]) {
        low[axis] = Math.min(low[axis], xyz.values[i + axis]);
        high[axis] = Math.max(high[axis], xyz.values[i + axis]);
      }
    }
    const at = (layer, token) => {
      const point = xyz.row(layer, token);
      return [
        20 + ((point[0] - low[0]) / (high[0] - low[0] || 1)) * (width - 80),
        height - 16 - ((point[1] - low[1]) / (high[1] - low[1] || 1)) * (height - 32)
      ];
    };
    const line = (token) => "M" +
      Array.from({length: depth}, (_, layer) => at(layer, token).map((x) => x.toFixed(1)).join(" "))
        .join("L");
    const labels = glass.tokens().map(glass.token_label), chosen = glass.state.token;
    const far = Array.from({length: count}, (_, token) => at(state.layer, token));
    return svg("svg", {
      viewBox: `0 0 ${width} ${height}`,
      height,
      role: "img",
      "aria-label": t("layers.path_label")
    },
      svg("path", {
        d: Array.from({length: count}, (_, token) => line(token)).join(""),
        fill: "none",
        stroke: "var(--faint)",
        "stroke-width": 0.7,
        opacity: 0.35
      }),
      svg("path", {
        d: line(chosen),
        fill: "none",
        stroke: "var(--warm)",
        "stroke-width": 2.4,
        "stroke-linejoin": "round"
      }),
      far.map(([x, y], token) => svg("circle", {
        cx: x,
        cy: y,
        r: token === chosen ? 6 : 3,
        fill: token === chosen ? "var(--warm)" : "var(--accent)"
      })),
      count <= 48 ? far.map(([x, y], token) => svg("text", {
        x: x + 6,
        y: y + 4,
        style: token === chosen ? "fill:var(--warm);font-weight:700" : null
      },
                              labels[token])) :
                    null,
      Array.from({length: depth}, (_, layer) => {
        const [x, y] = at(layer, chosen);
        return [
          svg("circle", {cx: x, cy: y, r: 3, fill: "var(--warm)"}),
          svg("text",
            {x: x - 6, y: y - 6, "text-anchor": "end", style: "fill:var(--warm);font-size:11px"},
            String(layer))
        ];
      }));
  });
  const note = h("p.note", {});
  const show = () => {
    picture.repaint();
    const {explained} = glass.data.layers.pca[state.pca];
    note.textContent =
      t(`layers.path_note.${state.pca}`, {share: glass.percent(explained[0] + explained[1], 0)});
  };
  holder.append(h("div.tools", {},
                  glass.choice(t("layers.pca"),
                    ["direction", "raw"].map((name) => [name, t(`layers.pca.${name}`)]), state.pca,
                    (name) => {
                      state.pca = name;
                      show();
                    }),
                  glass.slider(t("layers.dots"),
                    {min: 0, max: glass.data.model.n_layer, value: state.layer}, String,
                    (layer) => {
                      state.layer = layer;
                      picture.repaint();
                    })),
    picture, note);
  return {element: holder, show};
};

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const parts = [
    ["layers.lens", lens()], ["layers.norms", norms()], ["layers.stream_title", stream()],
    ["layers.path", path(state)]
  ].filter((part) => part[1]);
  root.append(glass.token_strip(),
    ...parts.map(([key, part]) => h("div.part", {}, h("h3", {}, t(key)), part.element)));
  const show = () => parts.forEach(([, part]) => part.show());
  show();
  glass.on("token", root, show);
};

// The sum that the chapter is about, and the lengths.
const check = () => {
  const {residual, attention_out, mlp_out, norms: data} = glass.data.layers;
  const stream_of = glass.tensor(residual);
  const [depth, count] = stream_of.shape;
  const lengths = [];
  for (let layer = 0; layer < depth; layer++) {
    for (let token = 0; token < count; token++)
      lengths.push(glass.vectors.norm(stream_of.row(layer, token)));
  }
  glass.check(id, "norms", lengths, data.residual.flat(), 2e-5 + 2 * stream_of.grain);
  if (!attention_out || !mlp_out) return;
  const [a, m] = [glass.tensor(attention_out), glass.tensor(mlp_out)];
  const size = a.values.length / a.shape[0];
  const sums = a.values.map((value, i) => stream_of.values[i] + value + m.values[i]);
  glass.check(id, "sums", sums, stream_of.values.subarray(size),
    2e-6 + 3 * (stream_of.grain + a.grain + m.grain));
};
glass.chapter({id, figure, check, data: "layers"});
})();
