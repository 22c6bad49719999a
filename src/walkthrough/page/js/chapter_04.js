// Byte-pair encoding: bytes, merges, tokens; of the reader's text and of what is typed here.
"use strict";
(function() {
const {h, t} = glass;
const id = "bpe";
let timer = null;
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

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const data = glass.data.bpe;
  const live = make_rules();
  const own = glass.data.text.text;
  let pieces = [], ranks = [], total = 0;
  clearInterval(timer);
  timer = null;

  const board = h("div.board", {});
  const readout = h("p.readout", {"aria-live": "polite"});
  const counts = h("div.facts", {});
  const slider_place = h("div.tools", {});
  let slider = null;

  const show = () => {
    const place = Math.min(state.place, ranks.length);
    const limit = place > 0 ? ranks[place - 1] : -1;
    let tokens = 0, merge = null;
    glass.fill(board, pieces.map((piece) => {
      const {now, fresh} = tokens_of(piece, limit);
      tokens += now.length;
      merge = merge || piece.steps.find((step) => step.rank === limit);
      return h("span.piece", {}, now.map((token) => {
        const object = token_object(token);
        return h(`span.token${fresh.has(token) ? ".fresh" : ""}`, {
          title: `${glass.token_name(object)}, ${t("bpe.id", {id: token})}`,
          "data-id": token,
        },
          glass.token_span(object));
      }));
    }));
    const fact = (key, value) => h("span", {}, h("b", {}, value), ` ${t(key)}`);
    glass.fill(counts, fact("bpe.bytes", glass.integer(total)),
      fact("bpe.tokens", glass.integer(tokens)),
      fact("bpe.per_token", tokens ? glass.number(total / tokens, 2) : "–"));
    if (merge) {
      glass.fill(readout, glass.rich("bpe.merge", {
        number: place,
        total: ranks.length,
        rank: glass.integer(limit + 1),
        rules: glass.integer(data.vocab_size),
        left: glass.token_label(token_object(merge.left)),
        right: glass.token_label(token_object(merge.right)),
        merged: glass.token_label(token_object(merge.merged)),
      }));
    } else
      glass.fill(readout, t(ranks.length ? "bpe.start" : "bpe.none"));
  };
  const set = (place) => {
    state.place = place;
    slider.set(place);
    show();
  };
  const load = (text) => {
    state.text = text;
    pieces = text === own ? data.pieces : encode(text);
    ranks = [...new Set(pieces.flatMap((piece) => piece.steps.map((step) => step.rank)))].sort(
      (a, b) => a - b);
    total = pieces.reduce((sum, piece) => sum + piece.start.length, 0);
    const place = Math.min(state.place, ranks.length);
    slider = glass.slider(t("bpe.slider"), {min: 0, max: ranks.length, value: place},
      (value) => `${value} / ${ranks.length}`, (value) => {
        state.place = value;
        show();
      });
    glass.fill(slider_place, play, slider);
    show();
  };
  const play = glass.button("bpe.play", () => {
    if (timer) {
      clearInterval(timer);
      timer = null;
      play.textContent = t("bpe.play");
      return;
    }
    set(0);
    play.textContent = t("bpe.pause");
    timer = setInterval(() => {
      if (state.place >= ranks.length || !root.isConnected) {
        clearInterval(timer);
        timer = null;
        play.textContent = t("bpe.play");
        return;
      }
      set(state.place + 1);
    }, Math.max(60, Math.min(500, 9000 / (ranks.length + 1))));
  }, {class: "main", "data-act": "play"});

  if (live) {
    const input = h("textarea", {
      rows: 2,
      "aria-label": t("bpe.type"),
      spellcheck: "false",
      placeholder: t("bpe.type"),
      oninput: () => {
        state.place = Infinity;
        load(input.value);
      },
    });
    input.value = state.text;
    const put = (text) => {
      input.value = text;
      state.place = Infinity;
      load(text);
    };
    root.append(h("div.typing", {}, input),
      h("div.tools", {}, h("span.label", {}, t("bpe.examples")),
        h("div.chips", {},
          h("button.chip", {type: "button", "data-example": "own", onclick: () => put(own)},
            t("bpe.own")),
          data.examples.map((example) => h("button.chip", {
            type: "button",
            lang: example.lang === "zh" ? "zh-CN" : "en",
            onclick: () => put(example.text),
          },
                              example.text)))));
  }
  root.append(slider_place, board, readout, counts);
  load(live ? state.text : own);
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
