// What skip-gram makes of a real corpus: nearest words, analogies, a relation as a direction.
"use strict";
(function() {
const {h, svg, t, vectors, draw} = glass;
const module = (glass.word_vectors = {});
const shown = 8;

const corpus_of = (language) =>
  glass.data.skip_gram.corpora.find((corpus) => corpus.lang === language);
const tag_of = (corpus) => (corpus.lang === "zh" ? "zh-CN" : corpus.lang);
const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;
const command_of = (option, words) =>
  `glassgpt word2vec --json --top ${shown} --${option} ${words.map(quoted).join(" ")}`;

// The page's own arithmetic, on the vectors that it has: those of its words, each of length 1.
const row_of = (corpus, word) => {
  const place = corpus.words.indexOf(word);
  return place < 0 ? null : glass.tensor(corpus.vectors).row(place);
};
const unit = (row) => {
  const length = vectors.norm(row);
  return Float64Array.from(row, (value) => value / length);
};
const nearest_to = (corpus, query, left_out) =>
  corpus.words.filter((word) => !left_out.includes(word))
    .map((word) => ({word, cosine: vectors.cosine(query, row_of(corpus, word))}))
    .sort((a, b) => b.cosine - a.cosine)
    .slice(0, shown);
const sum_of = (corpus, [a, b, c]) => {
  const rows = [a, b, c].map((word) => unit(row_of(corpus, word)));
  return rows[1].map((value, i) => value - rows[0][i] + rows[2][i]);
};

// What the program said of these words, or else what the page computes. Null: no such word here.
const answer = (corpus, option, words) => {
  const known = option === "nearest" ?
    corpus.nearest.find((one) => one.word === words[0]) :
    corpus.analogies.find((one) => one.words.every((word, i) => word === words[i]));
  const command = command_of(option, words);
  if (known) return {...known, command, exact: true};
  if (words.some((word) => !row_of(corpus, word))) return {command, nearest: null};
  const query = option === "nearest" ? row_of(corpus, words[0]) : sum_of(corpus, words);
  return {command, nearest: nearest_to(corpus, query, words)};
};

const bars = (corpus, {nearest, expected}) => draw.cosine_bars(nearest.map(({word, cosine}) => {
  const right = word === expected;
  const name =
    h(`span.name${right ? ".right" : ""}`, {lang: tag_of(corpus)}, word + (right ? " ✓" : ""));
  return [name, cosine];
}));

const answer_part = (corpus, words, found) => {
  const places = {
    word: words.find((word) => !row_of(corpus, word)),
    count: glass.integer(corpus.words.length),
    vocabulary: glass.integer(corpus.vocabulary),
  };
  const kind = !found.nearest ? "unknown" : found.exact ? "among_all" : "among_page";
  const missed = found.expected && found.nearest[0].word !== found.expected;
  return [
    found.nearest ? bars(corpus, found) : null,
    missed ? h("p.note", {}, t("skip_gram.missed", {word: found.expected})) : null,
    h("p.note", {}, t(`skip_gram.${kind}`, places)),
    h("div.source", {}, glass.command(found.command)),
  ];
};

const word_input = (corpus, label, value, change) => h("input", {
  type: "text",
  list: "corpus-words",
  value,
  lang: tag_of(corpus),
  "aria-label": label,
  autocapitalize: "none",
  autocomplete: "off",
  spellcheck: "false",
  oninput: (event) => change(event.target.value.trim().toLowerCase()),
});

const items_of = (corpus, texts) => texts.map((text) => ({text, lang: tag_of(corpus)}));

const nearest_part = (corpus, state) => {
  const result = h("div", {"data-part": "nearest"});
  const choose = (word) => {
    state.word = word;
    list.mark();
    glass.fill(result, answer_part(corpus, [word], answer(corpus, "nearest", [word])));
  };
  const list =
    glass.chips(t("skip_gram.nearest"), items_of(corpus, corpus.nearest.map((one) => one.word)),
      (i) => corpus.nearest[i].word === state.word, (i) => {
        input.value = corpus.nearest[i].word;
        choose(input.value);
      });
  const input = word_input(corpus, t("skip_gram.ask"), state.word, choose);
  choose(state.word);
  return h("div", {}, h("h3", {}, t("skip_gram.nearest")), list.element,
    h("label.asked", {}, h("span", {}, t("skip_gram.ask")), input), result);
};

const analogy_part = (corpus, state) => {
  const result = h("div", {"data-part": "analogy"});
  const formula = h("p.readout", {lang: tag_of(corpus)});
  const show = () => {
    const [a, b, c] = state.analogy;
    list.mark();
    glass.fill(formula, glass.rich("skip_gram.sum", {a, b, c}));
    glass.fill(
      result, answer_part(corpus, state.analogy, answer(corpus, "analogy", state.analogy)));
  };
  const same = (words) => words.every((word, i) => word === state.analogy[i]);
  const list = glass.chips(t("skip_gram.analogies"),
    items_of(
      corpus, corpus.analogies.map(({words: [a, b, c]}) => t("skip_gram.analogy", {a, b, c}))),
    (i) => same(corpus.analogies[i].words), (i) => {
      state.analogy = [...corpus.analogies[i].words];
      inputs.forEach((input, k) => {
        input.value = state.analogy[k];
      });
      show();
    });
  const inputs = ["a", "b", "c"].map(
    (name, k) =>
      word_input(corpus, t("skip_gram.term", {number: k + 1}), state.analogy[k], (word) => {
        state.analogy[k] = word;
        show();
      }));
  show();
  return h("div", {}, h("h3", {}, t("skip_gram.analogies")), list.element,
    h("div.asked.terms", {}, inputs[0], h("span", {}, "∶"), inputs[1], h("span", {}, "="),
      inputs[2], h("span", {}, "∶ ?")),
    formula, result);
};

const pairs_part = (corpus) => {
  const {pairs} = corpus;
  if (!pairs) return null;
  const xy = glass.tensor(pairs.xy).values;
  const picture = draw.responsive("div.plane", (width) => {
    const height = Math.min(400, Math.max(280, width * 0.5));
    const xs = xy.filter((_, i) => i % 2 === 0), ys = xy.filter((_, i) => i % 2 === 1);
    const range = (values) => [Math.min(...values), Math.max(...values)];
    const [x0, x1] = range(xs), [y0, y1] = range(ys);
    const scale = Math.min((width - 120) / (x1 - x0 || 1), (height - 50) / (y1 - y0 || 1));
    const x = (i) => width / 2 + scale * (xs[i] - (x0 + x1) / 2),
          y = (i) => height / 2 - scale * (ys[i] - (y0 + y1) / 2);
    // Each name on the side that looks away from the other word of the pair.
    const label = (i, word, colour) => {
      const other = i % 2 ? i - 1 : i + 1;
      const angle = Math.atan2(y(i) - y(other), x(i) - x(other));
      const across = Math.cos(angle), down = Math.sin(angle);
      return svg("text", {
        x: x(i) + 9 * across,
        y: y(i) + 4 + 12 * down,
        "text-anchor": across > 0.4 ? "start" :
          across < -0.4             ? "end" :
                                      "middle",
        style: `fill:var(--${colour});font-size:13px`,
      },
        word);
    };
    return svg("svg", {
      viewBox: `0 0 ${width} ${height}`,
      height,
      role: "img",
      lang: tag_of(corpus),
      "aria-label": t("skip_gram.pairs_label"),
    },
      pairs.words.map(
        ([from, to], i) => [svg("line", {
          x1: x(2 * i),
          y1: y(2 * i),
          x2: x(2 * i + 1),
          y2: y(2 * i + 1),
          stroke: "var(--faint)",
        }),
          svg("circle", {cx: x(2 * i), cy: y(2 * i), r: 4, fill: "var(--accent)"}),
          svg("circle", {cx: x(2 * i + 1), cy: y(2 * i + 1), r: 4, fill: "var(--warm)"}),
          label(2 * i, from, "accent"),
          label(2 * i + 1, to, "warm"),
    ]));
  });
  return h("div", {}, h("h3", {}, t("skip_gram.pairs")), picture,
    h("p.note", {},
      t("skip_gram.pairs_note",
        {share: glass.percent(pairs.explained[0] + pairs.explained[1], 0)})));
};

// Null without vectors in the reader's language.
module.part = () => {
  const corpus = corpus_of(glass.state.language);
  if (!corpus || !corpus.nearest.length || !corpus.analogies.length) return null;
  const state = glass.chapter_state(`corpus_${corpus.lang}`,
    () => ({word: corpus.nearest[0].word, analogy: [...corpus.analogies[0].words]}));
  return h("div.part.corpus_words", {}, h("h3", {}, t("skip_gram.corpus")),
    h("p.note", {}, glass.rich("skip_gram.corpus_note", {
      dim: corpus.dim,
      vocabulary: glass.integer(corpus.vocabulary),
      file: corpus.file,
    })),
    h("datalist", {id: "corpus-words"}, corpus.words.map((word) => h("option", {value: word}))),
    h("div.columns.two", {}, nearest_part(corpus, state), analogy_part(corpus, state)),
    pairs_part(corpus));
};

// The cosines that the program printed, from the vectors of the page.
module.check = (chapter) => {
  for (const corpus of glass.data.skip_gram.corpora) {
    const {step = 0, shape} = corpus.vectors;
    // Each number is off by half a step at most.
    const tolerance = 2e-5 + step * Math.sqrt(shape[1]);
    const check = (name, answers, query) => glass.check(chapter, `${name} ${corpus.lang}`,
      answers.flatMap(
        (one) => one.nearest.map(({word}) => vectors.cosine(query(one), row_of(corpus, word)))),
      answers.flatMap((one) => one.nearest.map(({cosine}) => cosine)), tolerance);
    check("nearest", corpus.nearest, ({word}) => row_of(corpus, word));
    check("analogies", corpus.analogies, ({words}) => sum_of(corpus, words));
  }
};
})();
