// One word in two contexts.
"use strict";
(function() {
const {h, svg, t, vectors, draw} = glass;
const id = "contexts";
// Until one is chosen: the reader's own word first, else the example in the reader's language.
const first_word = () => {
  const {words} = glass.data.contexts;
  if (words[0].reader) return 0;
  return Math.max(0, words.findIndex((word) => word.lang === glass.state.language));
};
const initial = () => ({word: null, key: null, near: null});

// A sentence to be read: what tokens have cut through is whole again.
const sentence = (tokens, word, kind) => {
  const parts = [];
  for (let i = 0; i < tokens.length; i++) {
    let text = tokens[i].text, marked = word.includes(i), end = i + 1;
    while (tokens[i].fragment && end < tokens.length && text.includes("\ufffd")) {
      text = glass.text_of_bytes(tokens.slice(i, end + 1).map((token) => token.hex).join(""));
      marked = marked || word.includes(end);
      end += 1;
    }
    i = end - 1;
    const [, before, shown] = text.match(/^(\s*)([^]*)$/);
    parts.push(before, h(`span${marked ? `.word.${kind}` : ""}`, {}, shown));
  }
  return h("span.context", {}, parts);
};
const lang_of = (word) => (word.lang === "zh" ? "zh-CN" : word.lang);

const angles = (word, state) => {
  const keys = Object.keys(word.layers);
  const pick = (field) => keys.map((key) => word.layers[key][field]);
  const series = [
    {name: t("contexts.raw"), values: pick("angle"), colour: "accent"},
    {name: t("contexts.centred"), values: pick("centred_angle"), colour: "warm"},
    {
      name: t("contexts.random"),
      values: pick("random_pairs").map(vectors.degrees),
      colour: "accent",
      dashed: true
    },
    {
      name: t("contexts.random_centred"),
      values: pick("centred_random_pairs").map(vectors.degrees),
      colour: "warm",
      dashed: true
    },
  ];
  const line = h("p.readout.angles", {"aria-live": "polite"});
  const say = (place) => glass.fill(line, glass.rich("contexts.at_layer", {
    layer: glass.layer_name(keys[place]),
    raw: glass.degrees(series[0].values[place]),
    centred: glass.degrees(series[1].values[place]),
    random: glass.degrees(series[2].values[place]),
  }));
  const at = state.key === null ? keys.length - 1 : Math.min(state.key, keys.length - 1);
  say(at);
  return [
    draw.legend(series), draw.chart({
      series,
      labels: keys.map(glass.layer_mark),
      label: t("contexts.angles"),
      at,
      low: 0,
      unit: "°",
      height: 240,
      label_width: 44,
      x_label: t("layers.layer"),
      moved: (place) => {
        state.key = place;
        say(place);
      },
    }),
    line
  ];
};

// More sentences with the word: their vectors' two principal components, layer by layer.
const senses = (word) => {
  const data = word.senses;
  if (!data) return null;
  const keys = Object.keys(word.layers);
  const xy = glass.tensor(data.xy);
  let layer = keys.length - 1, active = -1;
  const means = h("p.note", {});
  const picture = draw.responsive("div.plane", (width) => {
    const height = Math.min(340, Math.max(240, width * 0.7));
    const points = data.sentences.map((_, i) => xy.row(layer, i));
    const reach = draw.largest(points.flatMap((point) => Array.from(point))) * 1.12;
    return svg("svg", {viewBox: `0 0 ${width} ${height}`, height, "aria-hidden": "true"},
      svg("line.axis", {x1: 0, x2: width, y1: height / 2, y2: height / 2}),
      svg("line.axis", {x1: width / 2, x2: width / 2, y1: 0, y2: height}),
      points.map(([x, y], i) => svg("circle", {
        cx: width / 2 + (x / reach) * (width / 2),
        cy: height / 2 - (y / reach) * (height / 2),
        r: i === active ? 9 : 6.5,
        fill: data.sentences[i].sense ? "var(--warm)" : "var(--accent)",
        stroke: i === active ? "var(--ink)" : "var(--card)",
        "stroke-width": 2,
      },
                   svg("title", {}, data.sentences[i].text))));
  });
  const show = () => {
    picture.repaint();
    means.textContent = t("contexts.means",
      {same: glass.number(data.same[layer], 3), different: glass.number(data.different[layer], 3)});
  };
  const name = (sense) => data.names[sense][glass.state.language];
  const list = h("ul.sentences", {lang: lang_of(word)},
    data.sentences.map((item, i) => h("li", {
      tabindex: 0,
      onpointerenter: () => {
        active = i;
        show();
      },
      onfocus: () => {
        active = i;
        show();
      },
    },
                         h("i", {
                           style: {background: item.sense ? "var(--warm)" : "var(--accent)"},
                           title: name(item.sense)
                         }),
                         sentence(item.tokens, item.word, item.sense ? "b" : "a"))));
  const slider = glass.slider(t("layers.layer"), {min: 0, max: keys.length - 1, value: layer},
    (place) => glass.layer_mark(keys[place]), (place) => {
      layer = place;
      show();
    });
  show();
  return h("div.part", {}, h("h3", {}, t("contexts.senses", {word: word.word})),
    draw.legend([{name: name(0), colour: "accent"}, {name: name(1), colour: "warm"}]),
    h("div.tools", {}, slider), h("div.columns.two", {}, h("div", {}, picture, means), list));
};

const neighbours = (word, state) => {
  const data = word.neighbours, {pool} = glass.data.contexts;
  if (!data) return null;
  const place =
    state.near === null ? data.layers.length - 1 : Math.min(state.near, data.layers.length - 1);
  const holder = h("div.columns.two", {});
  const show = (layer) => glass.fill(holder,
    ["a", "b"].map(
      (side) => h("div", {},
        h("p.note", {lang: lang_of(word)}, sentence(word[side].tokens, word[side].word, side)),
        h("ol.near", {},
          data[side][layer].map(
            (item) => h("li", {}, h("b", {}, glass.number(item.cosine, 3)),
              sentence(pool.sentences[item.sentence].tokens, [item.token], side)))))));
  show(place);
  return h("div.part", {}, h("h3", {}, t("contexts.neighbours")),
    h("div.tools", {}, h("span.label", {}, t("layers.layer")),
      glass.choice(t("layers.layer"), data.layers.map((key, i) => [i, glass.layer_mark(key)]),
        place,
        (layer) => {
          state.near = Number(layer);
          show(state.near);
        })),
    holder);
};

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const {words} = glass.data.contexts;
  const body = h("div", {});
  const chosen = () => state.word ?? first_word();
  const show = () => {
    const word = words[chosen()];
    glass.fill(body,
      h("div.pair", {lang: lang_of(word)}, h("p", {}, sentence(word.a.tokens, word.a.word, "a")),
        h("p", {}, sentence(word.b.tokens, word.b.word, "b"))),
      h("h3", {}, t("contexts.angles")), angles(word, state),
      h("div.source", {}, glass.command(word.command)), senses(word), neighbours(word, state));
  };
  root.append(
    h("div.tools", {},
      glass.choice(t("contexts.word"),
        words.map(
          (word, i) => [i, word.reader ? t("contexts.yours", {word: word.word}) : word.word]),
        chosen(),
        (word) => {
          state.word = word;
          show();
        })),
    body);
  show();
};

// Angles are the arc cosines of the cosines beside them.
const check = () => {
  glass.data.contexts.words.forEach((word, i) => {
    const layers = Object.values(word.layers);
    glass.check(id, `raw ${i}`, layers.map((layer) => vectors.degrees(layer.cosine)),
      layers.map((layer) => layer.angle));
    glass.check(id, `centred ${i}`, layers.map((layer) => vectors.degrees(layer.centred_cosine)),
      layers.map((layer) => layer.centred_angle));
  });
};
glass.chapter({id, figure, check, data: "contexts"});
})();
