// Self-attention: all heads as small pictures, one head down to the products of one cell.
"use strict";
(function() {
const {h, t, vectors, draw} = glass;
const id = "attention";

const initial = () => {
  const {layer, head} = glass.data.attention.start;
  return {layer, head, key: null, dimension: 0, stage: "weights"};
};
const head_row = (tensor, layer, head, token) => {
  const size = glass.data.model.head_dim;
  return tensor.row(layer, token).subarray(head * size, (head + 1) * size);
};
// Everything about one query, by the page's own arithmetic.
const by_hand = (layer, head, query) => {
  const {attention} = glass.data;
  const [q, k, v] = ["q", "k", "v"].map((name) => glass.tensor(attention[name]));
  const own = head_row(q, layer, head, query);
  const keys = Array.from({length: query + 1}, (_, j) => head_row(k, layer, head, j));
  const values = Array.from({length: query + 1}, (_, j) => head_row(v, layer, head, j));
  const dots = keys.map((key) => vectors.dot(own, key));
  const scores = dots.map((dot) => dot * attention.scale);
  const weights = vectors.softmax(scores);
  const most = Math.max(...scores);
  const sum = scores.reduce((total, score) => total + Math.exp(score - most), 0);
  const out =
    Array.from(own, (_, d) => values.reduce((total, value, j) => total + weights[j] * value[d], 0));
  return {own, keys, values, dots, scores, weights, most, sum, out};
};

const heads_grid = (state, choose) => {
  const {n_layer, n_head} = glass.data.model;
  const weights = glass.tensor(glass.data.attention.weights);
  const count = weights.shape[2], {summary} = glass.data.attention;
  const grid = h("div.heads", {
    role: "radiogroup",
    "aria-label": t("attention.heads"),
    style: {"--heads": n_head},
  });
  const buttons = [];
  const name = (layer, head) => {
    const numbers = summary[layer][head];
    return t("attention.head_label", {
      layer,
      head,
      self: glass.percent(numbers.self, 0),
      previous: glass.percent(numbers.previous, 0),
      first: glass.percent(numbers.first, 0),
      entropy: glass.number(numbers.entropy_bits, 2),
    });
  };
  // Many tokens: as many pixels as the picture has, the largest weight of each.
  const size = Math.min(count, 96), step = count / size;
  const mark = () => buttons.forEach(([button, layer, head]) => {
    const on = layer === state.layer && head === state.head;
    button.setAttribute("aria-checked", on);
    button.tabIndex = on ? 0 : -1;
  });
  grid.append(
    h("span", {}), ...Array.from({length: n_head}, (_, head) => h("span.at", {}, String(head))));
  for (let layer = 0; layer < n_layer; layer++) {
    grid.append(h("span.at", {}, String(layer)));
    for (let head = 0; head < n_head; head++) {
      const rows = Array.from({length: count}, (_, row) => weights.row(layer, head, row));
      const value = (row, col) => {
        const r = Math.floor(row * step), c = Math.floor(col * step);
        return c > r ? null : rows[r][c];
      };
      const button = h("button.thumb", {
        type: "button",
        role: "radio",
        title: name(layer, head),
        "aria-label": name(layer, head),
        "data-head": `${layer}.${head}`,
        onclick: () => {
          state.layer = layer;
          state.head = head;
          mark();
          choose();
        },
      },
        draw.raster(size, size, value, "share", 1));
      buttons.push([button, layer, head]);
      grid.append(button);
    }
  }
  grid.addEventListener("keydown", (event) => {
    const move = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -n_head, ArrowDown: n_head}[event.key];
    if (!move) return;
    event.preventDefault();
    const next = state.layer * n_head + state.head + move;
    if (!buttons[next]) return;
    buttons[next][0].focus();
    buttons[next][0].click();
  });
  mark();
  return grid;
};

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const {attention} = glass.data;
  const tokens = glass.tokens(), labels = tokens.map(glass.token_label);
  const words = tokens.map(glass.token_word);
  const count = tokens.length;
  const size = glass.data.model.head_dim;
  if (state.key === null) state.key = Math.max(0, glass.state.token - 1);
  let hand = null;

  const holder = h("div.big", {}), readout = h("p.readout.cell_readout", {"aria-live": "polite"});
  const heading = h("h3", {}), numbers = h("p.note", {});
  const key_of = h("div", {});
  const stages =
    h("div.stages", {tabindex: 0, role: "region", "aria-label": t("attention.stages")});
  const products = h("div.products", {}), mixing = h("div.mixing", {});
  let matrix = null;

  const stage_value = {
    weights: (row, col) =>
      (col > row ? null : glass.tensor(attention.weights).row(state.layer, state.head, row)[col]),
    scores: (row, col) =>
      (col > row ? null : glass.tensor(attention.scores).row(state.layer, state.head, row)[col]),
  };
  const tell = (row, col) =>
    col > row ? t("attention.masked", {query: words[row], key: words[col]}) : t("attention.cell", {
      query: words[row],
      key: words[col],
      weight: glass.percent(stage_value.weights(row, col), 2),
      score: glass.number(stage_value.scores(row, col), 3),
    });
  const show_matrix = () => {
    const share = state.stage === "weights", value = stage_value[state.stage];
    const scale = share ?
      1 :
      draw.largest(Array
                     .from({length: count},
                       (_, row) => Array.from(
                         glass.tensor(attention.scores).row(state.layer, state.head, row)))
                     .flat());
    matrix = glass.matrix({
      rows: count,
      cols: count,
      value,
      kind: share ? "share" : "diverging",
      scale,
      cell: 30,
      row_labels: labels,
      col_labels: labels,
      at: [glass.state.token, state.key],
      row_band: true,
      label: t("attention.matrix_label", {layer: state.layer, head: state.head, count}),
      hover: (row, col) => {
        state.key = col;
        readout.textContent = tell(row, col);
        look(row);
      },
      choose: (row) => glass.choose_token(row),
      say: tell,
    });
    glass.fill(holder, matrix);
    glass.fill(key_of, glass.colour_key(share ? "share" : "diverging", scale, share ? 0 : 1));
  };

  // The five stages of one row. The table is made once; a new query changes its numbers.
  let shown_query = -1;
  const columns = ["dot", "scaled", "mask", "power", "weight"];
  const rows = tokens.map((token, j) => {
    const cells = columns.map(() => h("td", {})), bar = h("i", {});
    const row = h("tr", {
      "data-key": j,
      onpointerenter: () => {
        state.key = j;
        look(shown_query, true);
      },
    },
      h("th", {scope: "row"}, glass.token_span(token)), cells, h("td.share", {}, bar));
    return {row, cells, bar};
  });
  const sums = columns.map(() => h("td", {}));
  stages.append(h("table", {},
    h("thead", {},
      h("tr", {}, h("th.text", {scope: "col"}, t("attention.key")),
        columns.map((name) => h("th", {scope: "col"}, t(`attention.column.${name}`))),
        h("th.share", {}))),
    h("tbody", {}, rows.map(({row}) => row)),
    h("tfoot", {},
      h("tr", {}, h("th", {scope: "row"}, t("attention.sum")), sums, h("td.share", {})))));
  const show_stages = (query) => {
    rows.forEach(({row, cells, bar}, j) => {
      const seen = j <= query;
      const texts = seen ?
        [
          glass.number(hand.dots[j], 3), glass.number(hand.scores[j], 3), "+ 0",
          glass.number(Math.exp(hand.scores[j] - hand.most), 4), glass.percent(hand.weights[j], 2)
        ] :
        ["", "", "− ∞", "0", "0%"];
      texts.forEach((text, i) => {
        cells[i].textContent = text;
      });
      bar.style.width = `${seen ? 100 * hand.weights[j] : 0}%`;
      row.classList.toggle("hidden", !seen);
    });
    sums[3].textContent = glass.number(hand.sum, 4);
    sums[4].textContent = "100%";
    shown_query = query;
  };
  const mark_key = (from_table) => {
    stages.querySelectorAll("tr.on").forEach((row) => row.classList.remove("on"));
    const row = stages.querySelector(`tr[data-key="${state.key}"]`);
    if (!row) return;
    row.classList.add("on");
    if (!from_table) {
      // Inside its own box only: the page must not move.
      const head = stages.querySelector("thead").offsetHeight;
      if (row.offsetTop < stages.scrollTop + head)
        stages.scrollTop = row.offsetTop - head;
      else if (row.offsetTop + row.offsetHeight > stages.scrollTop + stages.clientHeight) {
        stages.scrollTop = row.offsetTop + row.offsetHeight - stages.clientHeight;
      }
    }
  };

  // q, k and their products, number by number.
  const show_products = (query) => {
    const j = state.key;
    if (j > query) {
      glass.fill(products, h("p.warning", {}, tell(query, j)));
      return;
    }
    const q = hand.own, k = hand.keys[j];
    const product = Array.from(q, (x, d) => x * k[d]);
    const scale = Math.max(draw.largest(q), draw.largest(k)), most = draw.largest(product);
    const line = h("p.readout.product", {});
    const say = (row, col) => `q[${col}] × k[${col}] = ${glass.number(q[col], 3)} × ${
      glass.number(k[col], 3)} = ${glass.number(product[col], 3)}`;
    const values = [q, k, product];
    const strip = glass.matrix({
      rows: 3,
      cols: size,
      value: (row, col) => (row === 2 ? (product[col] / most) * scale : values[row][col]),
      scale,
      cell: 26,
      height: 24,
      row_labels: ["q", "k", "q × k"],
      label: t("attention.products_label", {query: words[query], key: words[j]}),
      at: [2, state.dimension],
      hover: (row, col) => {
        line.textContent = say(row, col);
      },
      say,
    });
    line.textContent = say(2, state.dimension);
    glass.fill(products, h("h3", {}, t("attention.products", {query: words[query], key: words[j]})),
      strip, line,
      h("p.formula", {}, `q · k = ${glass.number(hand.dots[j], 4)}`,
        h("span.then", {}, `× 1/√${size} = ${glass.number(hand.scores[j], 4)}`),
        h("span.then", {},
          `e^(${glass.number(hand.scores[j], 3)} − ${glass.number(hand.most, 3)}) = ${
            glass.number(Math.exp(hand.scores[j] - hand.most), 4)}`),
        h("span.then", {},
          `÷ ${glass.number(hand.sum, 4)} = ${glass.percent(hand.weights[j], 2)}`)));
  };
  // The weighted sum: the heaviest keys, dimension by dimension.
  const show_mixing = (query) => {
    const order =
      Array.from(hand.weights.keys()).sort((a, b) => hand.weights[b] - hand.weights[a]).slice(0, 6);
    const rest = hand.weights.length - order.length;
    const line = h("p.readout", {});
    const part = (j, d) => hand.weights[j] * hand.values[j][d];
    const rows = [
      ...order.map((j) => (d) => part(j, d)),
      ...(rest ? [(d) => hand.out[d] - order.reduce((sum, j) => sum + part(j, d), 0)] : []),
      (d) => hand.out[d]
    ];
    const say = (row, d) => {
      state.dimension = d;
      const terms = order.slice(0, 3).map(
        (j) => `${glass.number(hand.weights[j], 3)} × ${glass.number(hand.values[j][d], 3)}`);
      const more = hand.weights.length > 3 ? " + …" : "";
      return t("attention.mix_cell",
        {dimension: d, terms: terms.join(" + ") + more, value: glass.number(hand.out[d], 4)});
    };
    const names = [
      ...order.map((j) => `${glass.percent(hand.weights[j], 0)} ${words[j]}`),
      ...(rest ? [t("attention.rest", {count: rest})] : []), t("attention.out")
    ];
    line.textContent = say(0, state.dimension);
    glass.fill(mixing, h("h3", {}, t("attention.mixing", {query: words[query]})), glass.matrix({
      rows: rows.length,
      cols: size,
      value: (row, d) => rows[row](d),
      scale: draw.largest(hand.out),
      cell: 26,
      height: 20,
      row_labels: names,
      label: t("attention.mixing_label"),
      at: [rows.length - 1, state.dimension],
      hover: (row, d) => {
        line.textContent = say(row, d);
      },
      say,
    }),
      line);
  };

  let hand_of = "";
  const look = (query, from_table) => {
    const wanted = `${state.layer}.${state.head}.${query}`;
    if (wanted !== hand_of) {
      hand = by_hand(state.layer, state.head, query);
      hand_of = wanted;
      shown_query = -1;
    }
    if (shown_query !== query) {
      show_stages(query);
      show_mixing(query);
    }
    mark_key(from_table);
    show_products(query);
    if (from_table) {
      matrix.move(query, state.key);
      readout.textContent = tell(query, state.key);
    }
  };
  const show_head = () => {
    const summary = attention.summary[state.layer][state.head];
    heading.textContent = t("attention.head", {layer: state.layer, head: state.head});
    numbers.textContent = t("attention.head_numbers", {
      self: glass.percent(summary.self, 0),
      previous: glass.percent(summary.previous, 0),
      first: glass.percent(summary.first, 0),
      entropy: glass.number(summary.entropy_bits, 2),
    });
    show_matrix();
    readout.textContent = tell(glass.state.token, state.key);
    look(glass.state.token);
  };
  root.append(h("h3", {}, t("attention.heads")), heads_grid(state, show_head),
    h("p.warning", {}, glass.rich("attention.warning")),
    h("div.part", {}, heading, numbers,
      h("div.tools", {},
        glass.choice(t("attention.stage"),
          ["scores", "weights"].map((name) => [name, t(`attention.stage.${name}`)]), state.stage,
          (stage) => {
            state.stage = stage;
            show_matrix();
          }),
        key_of),
      h("div.columns.attention", {}, h("div", {}, holder, readout),
        h("div", {}, h("h3", {}, t("attention.stages")), stages)),
      h("p.note", {}, t("attention.query")), glass.token_strip(t("attention.query"))),
    h("div.part", {}, products), h("div.part", {}, mixing));
  show_head();
  // Once there is a layout, the row in question is scrolled into its box.
  requestAnimationFrame(() => mark_key(false));
  glass.on("token", root, (token) => {
    if (state.key > token) state.key = token;
    matrix.move(token, state.key);
    readout.textContent = tell(token, state.key);
    look(token);
  });
};

// Scores, weights and sums of every head for a few queries; of the first head for all.
const check = () => {
  const {attention, model, text} = glass.data;
  const count = text.ids.length;
  const [scores, weights, heads] =
    [attention.scores, attention.weights, attention.heads].map(glass.tensor);
  // Shortened numbers give shortened results; what the page computes from them is no better.
  const given = ["q", "k", "v"].map((name) => glass.tensor(attention[name]).grain);
  const grain = (tensor) => 2e-5 + 4 * (Math.max(...given) + tensor.grain);
  const own = {scores: [], weights: [], heads: []}, theirs = {scores: [], weights: [], heads: []};
  for (let layer = 0; layer < model.n_layer; layer++) {
    for (let head = 0; head < model.n_head; head++) {
      const all = layer === attention.start.layer && head === attention.start.head;
      for (let query = 0; query < count; query += all ? 1 : Math.max(1, Math.floor(count / 4))) {
        const hand = by_hand(layer, head, query);
        own.scores.push(...hand.scores);
        theirs.scores.push(...scores.row(layer, head, query));
        own.weights.push(...hand.weights);
        theirs.weights.push(...weights.row(layer, head, query));
        if (!heads) continue;
        own.heads.push(...hand.out);
        theirs.heads.push(...head_row(heads, layer, head, query));
      }
    }
  }
  glass.check(id, "scores", own.scores, theirs.scores, grain(scores));
  // A score's rounding moves a weight by as much times the score's size.
  glass.check(
    id, "weights", own.weights, theirs.weights, grain(weights) * (1 + draw.largest(theirs.scores)));
  if (heads)
    glass.check(
      id, "heads", own.heads, theirs.heads, grain(heads) * (1 + draw.largest(theirs.scores)));
};
glass.chapter({id, figure, check, data: "attention"});
})();
