// The pictures of chapter 7. Each is made for a `view`: {state, tokens, labels, words, hand, look};
// `hand` is the query's arithmetic, `look(query, from_table)` shows another query or key in all of
// them.
"use strict";
(function() {
const {h, t, draw, attention} = glass;

const thumbnail = (weights, layer, head) => {
  const count = weights.shape[2];
  // Many tokens: no more pixels than the picture has, in each the largest of its weights. A sample
  // of them would lose a head's narrow stripes.
  const size = Math.min(count, 96);
  const largest = new Float32Array(size * size),
        block = Array.from({length: count}, (_, token) => Math.floor((token * size) / count));
  for (let row = 0; row < count; row++) {
    weights.row(layer, head, row).forEach((weight, col) => {
      const at = block[row] * size + block[col];
      if (weight > largest[at]) largest[at] = weight;
    });
  }
  return draw.raster(
    size, size, (row, col) => (col > row ? null : largest[row * size + col]), "share", 1);
};
const percents = ({self, previous, first, entropy_bits}) => ({
  self: glass.percent(self, 0),
  previous: glass.percent(previous, 0),
  first: glass.percent(first, 0),
  entropy: glass.number(entropy_bits, 2),
});
attention.percents = percents;

attention.heads_grid = (state, choose) => {
  const {n_layer, n_head} = glass.data.model;
  const {summary, weights} = glass.data.attention;
  const buttons = [];
  const mark = () => buttons.forEach((button, i) => {
    const on = i === state.layer * n_head + state.head;
    button.setAttribute("aria-checked", on);
    button.tabIndex = on ? 0 : -1;
  });
  const take = (layer, head) => {
    state.layer = layer;
    state.head = head;
    mark();
    choose();
  };
  const make_button = (layer, head) => {
    const name = t("attention.head_label", {layer, head, ...percents(summary[layer][head])});
    const onclick = () => take(layer, head);
    return h("button.thumb", {
      type: "button",
      role: "radio",
      title: name,
      "aria-label": name,
      "data-head": `${layer}.${head}`,
      onclick,
    },
      thumbnail(glass.tensor(weights), layer, head));
  };
  const heads = Array.from({length: n_head}, (_, head) => head);
  const grid = h("div.heads",
    {role: "radiogroup", "aria-label": t("attention.heads"), style: {"--heads": n_head}},
    h("span", {}), heads.map((head) => h("span.at", {}, String(head))));
  for (let layer = 0; layer < n_layer; layer++) {
    const row = heads.map((head) => make_button(layer, head));
    buttons.push(...row);
    grid.append(h("span.at", {}, String(layer)), ...row);
  }
  grid.addEventListener("keydown", (event) => {
    const move = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -n_head, ArrowDown: n_head}[event.key];
    const next = buttons[state.layer * n_head + state.head + move];
    if (!move) return;
    event.preventDefault();
    if (!next) return;
    next.focus();
    next.click();
  });
  mark();
  return grid;
};

// One head's scores or weights.
attention.matrix_part = (view) => {
  const {state, labels} = view, count = labels.length;
  const holder = h("div.big", {}), key = h("div", {});
  const readout = h("p.readout.cell_readout", {"aria-live": "polite"});
  const tell = (row, col) => attention.tell(view, row, col);
  let matrix = null;
  const largest_score = () => {
    const scores = glass.tensor(glass.data.attention.scores);
    return Math.max(
      ...labels.map((_, row) => draw.largest(scores.row(state.layer, state.head, row))));
  };
  const show = () => {
    const share = state.stage === "weights", kind = share ? "share" : "diverging";
    const scale = share ? 1 : largest_score();
    matrix = glass.matrix({
      rows: count,
      cols: count,
      kind,
      scale,
      cell: 30,
      row_labels: labels,
      col_labels: labels,
      row_band: true,
      value: (row, col) => attention.exported(state.stage, state, row, col),
      at: [glass.state.token, state.key],
      label: t("attention.matrix_label", {layer: state.layer, head: state.head, count}),
      hover: (row, col) => {
        state.key = col;
        readout.textContent = tell(row, col);
        view.look(row);
      },
      choose: (row) => glass.choose_token(row),
      say: tell,
    });
    glass.fill(holder, matrix);
    glass.fill(key, glass.colour_key(kind, scale, share ? 0 : 1));
  };
  const move = (row) => {
    matrix.move(row, state.key);
    readout.textContent = tell(row, state.key);
  };
  return {element: h("div", {}, holder, readout), key, show, move};
};

// The five stages of one row. The table is made once; a new query changes its numbers.
attention.stages_part = (view) => {
  const {state, tokens} = view;
  const columns = ["dot", "scaled", "mask", "power", "weight"];
  let query = -1;
  const rows = tokens.map((token, j) => {
    const cells = columns.map(() => h("td", {})), bar = h("i", {});
    const onpointerenter = () => {
      state.key = j;
      view.look(query, true);
    };
    const row = h("tr", {"data-key": j, onpointerenter},
      h("th", {scope: "row"}, glass.token_span(token)), cells, h("td.share", {}, bar));
    return {row, cells, bar};
  });
  const sums = columns.map(() => h("td", {}));
  const head = h("thead", {},
    h("tr", {}, h("th.text", {scope: "col"}, t("attention.key")),
      columns.map((name) => h("th", {scope: "col"}, t(`attention.column.${name}`))),
      h("th.share", {})));
  const foot = h(
    "tfoot", {}, h("tr", {}, h("th", {scope: "row"}, t("attention.sum")), sums, h("td.share", {})));
  const element =
    h("div.stages", {tabindex: 0, role: "region", "aria-label": t("attention.stages")},
      h("table", {}, head, h("tbody", {}, rows.map(({row}) => row)), foot));
  const numbers = (j) => {
    const {dots, scores, weights, most} = view.hand;
    return [
      glass.number(dots[j], 3), glass.number(scores[j], 3), "+ 0",
      glass.number(Math.exp(scores[j] - most), 4), glass.percent(weights[j], 2)
    ];
  };
  const show = (of) => {
    query = of;
    rows.forEach(({row, cells, bar}, j) => {
      const seen = j <= query;
      const texts = seen ? numbers(j) : ["", "", "− ∞", "0", "0%"];
      texts.forEach((text, i) => {
        cells[i].textContent = text;
      });
      bar.style.width = `${seen ? 100 * view.hand.weights[j] : 0}%`;
      row.classList.toggle("hidden", !seen);
    });
    sums[3].textContent = glass.number(view.hand.sum, 4);
    sums[4].textContent = "100%";
  };
  let marked = rows[0].row;
  const mark = (scroll) => {
    marked.classList.remove("on");
    marked = rows[state.key].row;
    marked.classList.add("on");
    if (scroll) glass.scroll_inside(element, marked, head.offsetHeight, foot.offsetHeight);
  };
  return {element, show, mark};
};

const strip = (options) => {
  const line = h(`p.readout${options.line || ""}`, {});
  const matrix = glass.matrix({
    ...options,
    cell: 26,
    hover: (row, col) => {
      line.textContent = options.say(row, col);
    },
  });
  line.textContent = options.say(...options.at);
  return [matrix, line];
};

// q, k and their products, number by number, and what becomes of their sum.
attention.products_part = (view) => {
  const element = h("div.products", {});
  // What is taken away stands in brackets where it is negative.
  const minus = (value) => value < 0 ? `(${glass.number(value, 3)})` : glass.number(value, 3);
  const formula = ({dots, scores, weights, most, sum}, j) => {
    const power = glass.number(Math.exp(scores[j] - most), 4);
    const steps = [
      `× 1/√${glass.data.model.head_dim} = ${glass.number(scores[j], 4)}`,
      `e^(${glass.number(scores[j], 3)} − ${minus(most)}) = ${power}`,
      `÷ ${glass.number(sum, 4)} = ${glass.percent(weights[j], 2)}`
    ];
    return h("p.formula", {}, `q · k = ${glass.number(dots[j], 4)}`,
      steps.map((step) => h("span.then", {}, step)));
  };
  const show = (query) => {
    const {state, hand, words} = view, j = state.key;
    if (j > query) {
      glass.fill(element, h("p.warning", {}, attention.tell(view, query, j)));
      return;
    }
    const q = hand.own, k = hand.keys[j], product = Array.from(q, (x, d) => x * k[d]);
    const scale = Math.max(draw.largest(q), draw.largest(k)), most = draw.largest(product);
    const names = {query: words[query], key: words[j]};
    const say = (_, d) =>
      `q[${d}] × k[${d}] = ${glass.number(q[d], 3)} × ${glass.number(k[d], 3)} = ` +
      glass.number(product[d], 3);
    glass.fill(element, h("h3", {}, t("attention.products", names)), strip({
      rows: 3,
      cols: q.length,
      scale,
      height: 24,
      row_labels: ["q", "k", "q × k"],
      at: [2, state.dimension],
      value: (row, d) => (row === 2 ? (product[d] / most) * scale : [q, k][row][d]),
      say,
      line: ".product",
      label: t("attention.products_label", names),
    }),
      formula(hand, j));
  };
  return {element, show};
};

// The weighted sum: the heaviest keys, dimension by dimension.
attention.mixing_part = (view) => {
  const element = h("div.mixing", {});
  const show = (query) => {
    const {state, hand, words} = view, {weights, values, out} = hand;
    const order = [...weights.keys()].sort((a, b) => weights[b] - weights[a]).slice(0, 6);
    const rest = weights.length - order.length;
    const part = (j, d) => weights[j] * values[j][d];
    const left_over = (d) => out[d] - order.reduce((sum, j) => sum + part(j, d), 0);
    const product = (j, d) => `${glass.number(weights[j], 3)} × ${glass.number(values[j][d], 3)}`;
    // Each row: its name, its numbers, and where one of them comes from.
    const rows = order.map((j) => ({
      name: `${glass.percent(weights[j], 0)} ${words[j]}`,
      value: (d) => part(j, d),
      terms: (d) => product(j, d),
    }));
    if (rest) {
      const name = t("attention.rest", {count: rest});
      rows.push({name, value: left_over, terms: () => t("attention.sum")});
    }
    rows.push({
      name: t("attention.out"),
      value: (d) => out[d],
      terms: (d) => {
        const heaviest = order.slice(0, 3).map((j) => product(j, d));
        return [...heaviest, ...(weights.length > 3 ? ["…"] : [])].join(" + ");
      },
    });
    const say = (row, d) => {
      state.dimension = d;
      const {name, value, terms} = rows[row];
      return t("attention.mix_cell",
        {row: name, dimension: d, terms: terms(d), value: glass.number(value(d), 4)});
    };
    glass.fill(element, h("h3", {}, t("attention.mixing", {query: words[query]})), strip({
      rows: rows.length,
      cols: out.length,
      value: (row, d) => rows[row].value(d),
      scale: draw.largest(out),
      height: 20,
      row_labels: rows.map((row) => row.name),
      label: t("attention.mixing_label"),
      at: [rows.length - 1, state.dimension],
      say,
    }));
  };
  return {element, show};
};
})();
