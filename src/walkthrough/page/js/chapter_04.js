// Byte-pair encoding: bytes, merges, tokens; of the reader's text and of what is typed here.
"use strict";
(function() {
const {h, t} = glass;
const id = "bpe";
const initial = () => ({text: glass.data.text.text, place: Infinity});

// The tokenizer from its merges: rank and result of each pair, and the bytes of each token.
let rules = null;
const make_rules = () => {
  const {merges, byte_ids, regex} = glass.data.bpe;
  if (rules || !merges || !regex) return rules;
  const tensor = glass.tensor(merges), pairs = new Map(), hex = new Map();
  byte_ids.forEach((token, byte) => {
    if (token >= 0) hex.set(token, byte.toString(16).padStart(2, "0"));
  });
  for (let rank = 0; rank < tensor.shape[0]; rank++) {
    const [left, right, merged] = tensor.row(rank);
    pairs.set(left * 65536 + right, [rank, merged]);
    if (!hex.has(merged)) hex.set(merged, hex.get(left) + hex.get(right));
  }
  rules = {pairs, hex, byte_ids, regex: new RegExp(regex, "gu")};
  return rules;
};
// As `tokenize --merges` has it: the lowest rank first, the leftmost of equals.
const encode_piece = (piece) => {
  const {pairs, byte_ids} = rules;
  const start = Array.from(new TextEncoder().encode(piece), (byte) => byte_ids[byte]);
  const now = start.slice(), steps = [];
  for (;;) {
    let best = null;
    for (let i = 0; i + 1 < now.length; i++) {
      const rule = pairs.get(now[i] * 65536 + now[i + 1]);
      if (rule && (!best || rule[0] < best.rank)) {
        best = {position: i, left: now[i], right: now[i + 1], merged: rule[1], rank: rule[0]};
      }
    }
    if (!best) return {piece, start, steps};
    now.splice(best.position, 2, best.merged);
    steps.push(best);
  }
};
const encode = (text) => (text.match(make_rules().regex) || []).map(encode_piece);
const tokens_of = (piece, limit) => {
  const now = piece.start.slice(), fresh = new Set();
  for (const step of piece.steps) {
    if (step.rank > limit) break;
    now.splice(step.position, 2, step.merged);
    if (step.rank === limit) fresh.add(step.merged);
  }
  return {now, fresh};
};

const token_object = (token) => {
  const known = glass.data.bpe.tokens[token];
  if (known) return known;
  const hex = rules.hex.get(token);
  const text = glass.text_of_bytes(hex);
  return {id: token, text, hex, fragment: text.includes("\ufffd")};
};

// The tokens after the merges up to a rank, and what the last merge was.
const board_part = () => {
  const board = h("div.board", {}), counts = h("div.facts", {});
  const readout = h("p.readout", {"aria-live": "polite"});
  const shown_token = (token, fresh) => {
    const object = token_object(token);
    const title = `${glass.token_name(object)}, ${t("bpe.id", {id: token})}`;
    return h(
      `span.token${fresh ? ".fresh" : ""}`, {title, "data-id": token}, glass.token_span(object));
  };
  const name = (token) => glass.token_label(token_object(token));
  const show = (pieces, ranks, place) => {
    const limit = place > 0 ? ranks[place - 1] : -1;
    const states = pieces.map((piece) => tokens_of(piece, limit));
    glass.fill(board, states.map(({now,
      fresh}) => h("span.piece", {}, now.map((token) => shown_token(token, fresh.has(token))))));
    const bytes = pieces.reduce((sum, piece) => sum + piece.start.length, 0);
    const tokens = states.reduce((sum, {now}) => sum + now.length, 0);
    const fact = (key, value) => h("span", {}, h("b", {}, value), ` ${t(key)}`);
    glass.fill(counts, fact("bpe.bytes", glass.integer(bytes)),
      fact("bpe.tokens", glass.integer(tokens)),
      fact("bpe.per_token", tokens ? glass.number(bytes / tokens, 2) : "–"));
    const merge = pieces.flatMap((piece) => piece.steps).find((step) => step.rank === limit);
    glass.fill(readout,
      merge ? glass.rich("bpe.merge", {
        number: place,
        total: ranks.length,
        rank: glass.integer(limit),
        left: name(merge.left),
        right: name(merge.right),
        merged: name(merge.merged),
      }) :
              t(ranks.length ? "bpe.start" : "bpe.none"));
  };
  return {elements: [board, readout, counts], show};
};

// Where text is typed, or an example taken.
const typing_part = (text, load) => {
  const input = h("textarea", {
    rows: 2,
    "aria-label": t("bpe.type"),
    spellcheck: "false",
    placeholder: t("bpe.type"),
    oninput: () => load(input.value),
  });
  input.value = text;
  const chip = (shown, example, attributes) => h("button.chip", {
    type: "button",
    ...attributes,
    onclick: () => {
      input.value = example;
      load(example);
    },
  },
    shown);
  const examples = glass.data.bpe.examples.map(
    (example) => chip(example.text, example.text, {lang: example.lang === "zh" ? "zh-CN" : "en"}));
  return [
    h("div.typing", {}, input),
    h("div.tools", {}, h("span.label", {}, t("bpe.examples")),
      h("div.chips", {}, chip(t("bpe.own"), glass.data.text.text, {"data-example": "own"}),
        examples)),
  ];
};

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const live = make_rules(), own = glass.data.text.text;
  const board = board_part(), tools = h("div.tools", {});
  let pieces = [], ranks = [], slider = null;
  const set = (place) => {
    state.place = place;
    board.show(pieces, ranks, Math.min(place, ranks.length));
  };
  const play = glass.player("bpe.play", "bpe.pause", {
    start: () => {
      slider.set(0);
      set(0);
    },
    step: () => {
      slider.set(state.place + 1);
      set(state.place + 1);
    },
    finished: () => state.place >= ranks.length,
    wait: () => Math.max(60, Math.min(500, 9000 / (ranks.length + 1))),
  },
    {class: "main", "data-act": "play"});
  const load = (text, place) => {
    state.text = text;
    pieces = text === own ? glass.data.bpe.pieces : encode(text);
    const all = pieces.flatMap((piece) => piece.steps.map((step) => step.rank));
    ranks = [...new Set(all)].sort((a, b) => a - b);
    slider = glass.slider(t("bpe.slider"),
      {min: 0, max: ranks.length, value: Math.min(place, ranks.length)},
      (value) => `${value} / ${ranks.length}`, set);
    glass.fill(tools, play, slider);
    set(place);
  };
  if (live) root.append(...typing_part(state.text, (text) => load(text, Infinity)));
  root.append(tools, ...board.elements);
  load(live ? state.text : own, state.place);
};

const check = () => {
  const {text} = glass.data;
  if (!make_rules() || !text.valid_utf8) return;
  const ids = (pieces) => pieces.flatMap((piece) => tokens_of(piece, Infinity).now);
  glass.check(id, "ids", ids(encode(text.text)), text.ids, 0);
  for (const example of glass.data.bpe.examples) {
    glass.check(id, example.text, ids(encode(example.text)), ids(example.pieces), 0);
  }
};
glass.chapter({id, figure, check, data: "bpe"});
})();
