// Classification, search and generation with the same vectors.
"use strict";
(function() {
const {h, t, vectors} = glass;
const id = "uses";
const initial = () => ({query: null, generation: null, shown: 6});
const lang_of = (lang) => (lang === "zh" ? "zh-CN" : lang);
const text_of = (index) => {
  const {text, lang} = glass.data.uses.texts[index];
  return h("span", {lang: lang_of(lang)}, text);
};

// Lists have an entry a language: the reader's, or the first.
const own = (list) => list.find((item) => item.lang === glass.state.language) || list[0];

const classification = () => {
  const {command, labels, examples, queries, correct} = own(glass.data.uses.classification);
  const name = (label) => labels[label][glass.state.language];
  const colours = ["accent", "warm", "violet", "ochre", "good"];
  return h("div.part", {}, h("h3", {}, t("uses.classification")),
    h("div.examples", {},
      labels.map((_, label) =>
                   h("div", {}, h("b", {style: {color: `var(--${colours[label]})`}}, name(label)),
                     examples.filter((example) => example[1] === label)
                       .map((example) => h("p", {}, text_of(example[0])))))),
    h("div.scroll", {},
      h("table.classified", {},
        h("thead", {},
          h("tr", {}, h("th.text", {scope: "col"}, t("uses.text")),
            labels.map((_, label) => h("th", {scope: "col"}, name(label))),
            h("th", {scope: "col"}, t("uses.verdict")))),
        h("tbody", {},
          queries.map(
            (query) => h("tr", {}, h("td.text", {}, text_of(query.text)),
              query.label_cosines.map(
                (cosine, label) => h("td", {},
                  h(label === query.predicted ? "b" : "span", {}, glass.number(cosine, 3)))),
              h("td", {},
                h(`span.${query.predicted === query.label ? "right" : "wrong"}`, {},
                  query.predicted === query.label ? "✓ " : "✗ ", name(query.predicted)))))))),
    h("p.readout", {}, t("uses.correct", {correct, count: queries.length})),
    h("div.source", {}, glass.command(command)));
};

// Any text may ask: a cosine of vectors of length 1 is a dot product, which the page computes.
const search = (state) => {
  const {texts, search: lists, vectors: packed} = glass.data.uses;
  const data = own(lists), all = glass.tensor(packed);
  const options = [...data.queries.map((query) => query.text), ...data.documents];
  if (!options.includes(state.query)) state.query = options[0];
  const bars = h("div.ranking", {"aria-live": "polite"});
  const show = () => {
    const ranked =
      data.documents.filter((document) => document !== state.query)
        .map((document) => [document, vectors.dot(all.row(state.query), all.row(document))])
        .sort((a, b) => b[1] - a[1])
        .slice(0, 6);
    glass.fill(bars,
      ranked.map(([document, cosine]) =>
                   h("div.hit", {"data-document": document}, h("b", {}, glass.number(cosine, 3)),
                     h("span.track", {}, h("i", {style: {width: `${100 * Math.max(0, cosine)}%`}})),
                     text_of(document))));
  };
  const select = h("select", {
    "aria-label": t("uses.query"),
    onchange: () => {
      state.query = Number(select.value);
      show();
    }
  },
    options.map((index) => h("option", {value: index}, texts[index].text)));
  select.value = state.query;
  show();
  return h("div.part", {}, h("h3", {}, t("uses.search")), h("div.tools", {}, select), bars);
};

const generation = (state) => {
  const runs = glass.data.uses.generation;
  if (!runs.length) return null;
  // Until a beginning is chosen, the one in the reader's language.
  const chosen = () => state.generation ?? runs.indexOf(own(runs));
  const text = h("p.generated", {}), next = h("div", {}), note = h("p.note", {});
  const source = h("div.source", {});
  const more = glass.button("uses.next", () => {
    state.shown += 1;
    show();
  }, {class: "main", "data-act": "next"});
  const less = glass.button("uses.back", () => {
    state.shown -= 1;
    show();
  });
  const show = () => {
    const run = runs[chosen()];
    state.shown = Math.max(0, Math.min(run.tokens.length, state.shown));
    more.disabled = state.shown === run.tokens.length;
    less.disabled = state.shown === 0;
    text.lang = lang_of(run.lang);
    glass.fill(text, h("span.prompt", {}, run.prompt_tokens.map(glass.token_span)),
      run.tokens.slice(0, state.shown)
        .map((token, i) => h("span.made", {title: glass.percent(token.probability), "data-made": i},
               glass.token_span(token))));
    glass.fill(source, glass.command(run.command));
    note.textContent = t("uses.settings", {
      seed: run.seed,
      temperature: glass.number(run.temperature, 2),
      top_k: run.top_k,
    });
    const token = run.tokens[state.shown];
    if (!token) {
      glass.fill(next);
      return;
    }
    const rows = token.top.some(([other]) => other === token.id) ?
      token.top :
      [...token.top, [token.id, token.probability]];
    glass.fill(next, h("h3", {}, t("uses.candidates")),
      h("div.bars", {},
        rows.map(([other, probability]) => [h(`span.name${other === token.id ? ".drawn" : ""}`, {},
                                              glass.token_span(run.tokens_by_id[other] || token)),
                   h("span.track", {}, h("i.eased", {
                     style: {
                       width: `${100 * probability}%`,
                       background: other === token.id ? "var(--warm)" : "var(--accent)"
                     }
                   })),
                   h("span.value", {}, glass.percent(probability))])));
  };
  show();
  return h("div.part", {}, h("h3", {}, t("uses.generation")),
    h("div.tools", {},
      glass.choice(t("uses.prompt"), runs.map((run, i) => [i, run.prompt]), chosen(),
        (index) => {
          state.generation = Number(index);
          show();
        }),
      less, more),
    text, note, next, source,
    glass.data.model.bundled ? h("p.warning", {}, glass.rich("uses.limits", glass.places())) :
                               null);
};

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  root.append(...[classification(), search(state), generation(state)].filter(Boolean));
};

const check = () => {
  const {vectors: packed, classification: classes, search: lists} = glass.data.uses;
  const all = glass.tensor(packed);
  const cosine = (a, b) => vectors.dot(all.row(a), all.row(b));
  const tolerance = 2e-5 + 4 * all.grain;
  for (const {lang, queries, examples, labels} of classes) {
    glass.check(id, `classification ${lang}`,
      queries.flatMap((query) => examples.map(([text]) => cosine(query.text, text))),
      queries.flatMap((query) => query.cosines), tolerance);
    const mean = (query, label) => {
      const cosines = examples.filter((example) => example[1] === label).map(([
        text
      ]) => cosine(query.text, text));
      return cosines.reduce((sum, value) => sum + value, 0) / cosines.length;
    };
    glass.check(id, `labels ${lang}`,
      queries.flatMap((query) => labels.map((_, label) => mean(query, label))),
      queries.flatMap((query) => query.label_cosines), tolerance);
  }
  for (const {lang, queries} of lists) {
    glass.check(id, `search ${lang}`,
      queries.flatMap((query) => query.ranking.map(([document]) => cosine(query.text, document))),
      queries.flatMap((query) => query.ranking.map((pair) => pair[1])), tolerance);
  }
};
glass.chapter({id, figure, check, data: "uses"});
})();
