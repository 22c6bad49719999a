// Self-attention: all heads as small pictures, one head down to the products of one cell.
"use strict";
(function() {
const {h, t, draw, attention} = glass;
const id = "attention";

const initial = () => {
  const {layer, head} = glass.data.attention.start;
  return {layer, head, key: Math.max(0, glass.state.token - 1), dimension: 0, stage: "weights"};
};

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const tokens = glass.tokens();
  const view =
    {state, tokens, labels: tokens.map(glass.token_label), words: tokens.map(glass.token_word)};
  const matrix = attention.matrix_part(view), stages = attention.stages_part(view);
  const products = attention.products_part(view), mixing = attention.mixing_part(view);
  const heading = h("h3", {}), numbers = h("p.note", {});

  let shown = "";
  view.look = (query, from_table) => {
    const wanted = `${state.layer}.${state.head}.${query}`;
    if (wanted !== shown) {
      shown = wanted;
      view.hand = attention.by_hand(state.layer, state.head, query);
      stages.show(query);
      mixing.show(query);
    }
    stages.mark(!from_table);
    products.show(query);
    if (from_table) matrix.move(query);
  };
  const show_head = () => {
    const {layer, head} = state;
    heading.textContent = t("attention.head", {layer, head});
    // Means over the tokens from the second on: of one token there are none.
    numbers.hidden = tokens.length < 2;
    numbers.textContent =
      t("attention.head_numbers", attention.percents(glass.data.attention.summary[layer][head]));
    matrix.show();
    matrix.move(glass.state.token);
    view.look(glass.state.token);
  };
  const stage = glass.choice(t("attention.stage"),
    ["scores", "weights"].map((name) => [name, t(`attention.stage.${name}`)]), state.stage,
    (name) => {
      state.stage = name;
      matrix.show();
    });
  root.append(h("h3", {}, t("attention.heads")), attention.heads_grid(state, show_head),
    h("p.warning", {}, glass.rich("attention.warning")),
    h("div.part", {}, heading, numbers, h("div.tools", {}, stage, matrix.key),
      h("div.columns.attention", {}, matrix.element,
        h("div", {}, h("h3", {}, t("attention.stages")), stages.element)),
      h("p.note", {}, t("attention.query")), glass.token_strip(t("attention.query"))),
    h("div.part", {}, products.element), h("div.part", {}, mixing.element));
  show_head();
  // Once there is a layout, the row in question is scrolled into its box.
  requestAnimationFrame(() => stages.mark(true));
  glass.on("token", root, (token) => {
    state.key = Math.min(state.key, token);
    matrix.move(token);
    view.look(token);
  });
};

// Scores, weights and sums of every head for a few queries; of the first head for all.
const check = () => {
  const {attention: data, model, text} = glass.data;
  const [scores, weights, heads] = [data.scores, data.weights, data.heads].map(glass.tensor);
  const own = {scores: [], weights: [], heads: []}, theirs = {scores: [], weights: [], heads: []};
  const few = Math.max(1, Math.floor(text.ids.length / 4));
  const compare = (layer, head, query) => {
    const hand = attention.by_hand(layer, head, query);
    own.scores.push(...hand.scores);
    theirs.scores.push(...scores.row(layer, head, query));
    own.weights.push(...hand.weights);
    theirs.weights.push(...weights.row(layer, head, query));
    if (!heads) return;
    own.heads.push(...hand.out);
    theirs.heads.push(...attention.head_row(heads, layer, head, query));
  };
  for (let layer = 0; layer < model.n_layer; layer++) {
    for (let head = 0; head < model.n_head; head++) {
      const step = layer === data.start.layer && head === data.start.head ? 1 : few;
      for (let query = 0; query < text.ids.length; query += step) compare(layer, head, query);
    }
  }
  // Shortened numbers give shortened results; what the page computes from them is no better.
  const given = Math.max(...["q", "k", "v"].map((name) => glass.tensor(data[name]).grain));
  const grain = (tensor) => 2e-5 + 4 * (given + tensor.grain);
  // A score's rounding moves a weight by as much times the score's size.
  const spread = 1 + draw.largest(theirs.scores);
  glass.check(id, "scores", own.scores, theirs.scores, grain(scores));
  glass.check(id, "weights", own.weights, theirs.weights, grain(weights) * spread);
  if (heads) glass.check(id, "heads", own.heads, theirs.heads, grain(heads) * spread);
};
glass.chapter({id, figure, check, data: "attention"});
})();
