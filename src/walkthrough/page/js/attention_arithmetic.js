// Attention of one query by the page's own arithmetic, and the exported numbers beside it.
"use strict";
(function() {
const {t, vectors} = glass;
const attention = (glass.attention = {});

// What one head has of a token's q, k, v or output.
attention.head_row = (tensor, layer, head, token) => {
  const size = glass.data.model.head_dim;
  return tensor.row(layer, token).subarray(head * size, (head + 1) * size);
};
// Everything about one query.
attention.by_hand = (layer, head, query) => {
  const data = glass.data.attention;
  const [q, k, v] = ["q", "k", "v"].map((name) => glass.tensor(data[name]));
  const own = attention.head_row(q, layer, head, query);
  const seen = Array.from({length: query + 1}, (_, j) => j);
  const keys = seen.map((j) => attention.head_row(k, layer, head, j));
  const values = seen.map((j) => attention.head_row(v, layer, head, j));
  const dots = keys.map((key) => vectors.dot(own, key));
  const scores = dots.map((dot) => dot * data.scale);
  const weights = vectors.softmax(scores);
  const most = Math.max(...scores);
  const sum = scores.reduce((total, score) => total + Math.exp(score - most), 0);
  const out =
    Array.from(own, (_, d) => values.reduce((total, value, j) => total + weights[j] * value[d], 0));
  return {own, keys, values, dots, scores, weights, most, sum, out};
};

// The exported score or weight of a cell; null where it is masked.
attention.exported = (stage, state, row, col) => col > row ?
  null :
  glass.tensor(glass.data.attention[stage]).row(state.layer, state.head, row)[col];

attention.tell = (view, row, col) => {
  const names = {query: view.words[row], key: view.words[col]};
  // No digits that half precision does not have.
  const digits = glass.tensor(glass.data.attention.scores).dtype === "f16" ? 2 : 3;
  if (col > row) return t("attention.masked", names);
  return t("attention.cell", {
    ...names,
    weight: glass.percent(attention.exported("weights", view.state, row, col), digits - 1),
    score: glass.number(attention.exported("scores", view.state, row, col), digits),
  });
};
})();
