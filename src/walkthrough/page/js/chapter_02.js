// One-hot vectors: every word its own dimension.
"use strict";
(function() {
const {h, svg, t, vectors} = glass;
const id = "one_hot";
const initial = () =>
  ({group: 0, pair: [0, 1], turn: -0.62, tilt: 0.42, size: glass.data.one_hot.vocab_size});

const words_of = (group) => {
  const {groups, groups_zh} = glass.data.one_hot;
  return (glass.state.language === "zh" ? groups_zh : groups)[group];
};
const row_of = (word, size) => Array.from({length: size}, (_, i) => (i === word ? 1 : 0));

// The first three words as three axes that the reader turns.
const axes = (state, words, pair) => {
  const {turn, tilt} = state;
  const project = ([x, y, z]) => {
    const u = x * Math.cos(turn) - y * Math.sin(turn), v = x * Math.sin(turn) + y * Math.cos(turn);
    return [150 + 96 * u, 128 - 96 * (z * Math.cos(tilt) - v * Math.sin(tilt))];
  };
  const tips = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(project), origin = project([0, 0, 0]);
  const colours = ["accent", "warm", "violet"];
  const [a, b] = pair;
  return svg("svg", {viewBox: "0 0 300 250", "aria-hidden": "true"},
    a < 3 && b < 3 ? svg("line", {
      x1: tips[a][0],
      y1: tips[a][1],
      x2: tips[b][0],
      y2: tips[b][1],
      stroke: "var(--ink)",
      "stroke-width": 1.5,
      "stroke-dasharray": "4 4",
    }) :
                     null,
    tips.map(([x, y], i) => [svg("line", {
      x1: origin[0],
      y1: origin[1],
      x2: x,
      y2: y,
      stroke: `var(--${colours[i]})`,
      "stroke-width": 3,
      "stroke-linecap": "round"
    }),
               svg("circle", {cx: x, cy: y, r: 5, fill: `var(--${colours[i]})`}),
               svg("text", {
                 x: x + (x < origin[0] ? -9 : 9),
                 y: y + (y > origin[1] ? 15 : -6),
                 "text-anchor": x < origin[0] ? "end" : "start",
                 style: `fill:var(--${colours[i]});font-weight:600;font-size:14px`,
               },
                 words[i]),
  ]));
};

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const data = glass.data.one_hot;
  const words = words_of(state.group);
  const pair = state.pair;
  const readout = h("p.readout", {"aria-live": "polite"});
  const grid = h("div.onehots", {role: "group", "aria-label": t("one_hot.rows")});
  const space = h("div.space", {
    tabindex: 0,
    role: "application",
    "aria-label": t("one_hot.space", {words: words.slice(0, 3).join(t("page.comma"))}),
  });
  const paint = () => glass.fill(space, axes(state, words, pair));

  const show = () => {
    const a = row_of(pair[0], words.length), b = row_of(pair[1], words.length);
    glass.fill(readout, glass.rich(pair[0] === pair[1] ? "one_hot.same" : "one_hot.pair", {
      a: words[pair[0]],
      b: words[pair[1]],
      dot: vectors.dot(a, b),
      angle: glass.degrees(vectors.angle(a, b)),
      distance: glass.number(vectors.norm(a.map((x, i) => x - b[i])), 4),
    }));
    [...grid.children].forEach((row, i) => {
      row.setAttribute("aria-pressed", pair.includes(i));
    });
    paint();
  };
  const choose = (word) => {
    // The two last chosen words make the pair.
    if (pair[1] !== word) {
      pair[0] = pair[1];
      pair[1] = word;
    }
    show();
  };
  grid.append(...words.map(
    (word, i) => h("button.onehot", {type: "button", onclick: () => choose(i)}, h("span", {}, word),
      h("span.cells", {"aria-hidden": "true"},
        words.map((_, k) => h(`i${k === i ? ".one" : ""}`, {}, k === i ? "1" : "0"))))));

  const rotate = (turn, tilt) => {
    state.turn += turn;
    state.tilt = Math.max(-0.2, Math.min(1.4, state.tilt + tilt));
    paint();
  };
  let last = null;
  space.addEventListener("pointerdown", (event) => {
    last = [event.clientX, event.clientY];
    space.setPointerCapture(event.pointerId);
  });
  space.addEventListener("pointermove", (event) => {
    if (!last) return;
    rotate((last[0] - event.clientX) / 110, (event.clientY - last[1]) / 150);
    last = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"])
    space.addEventListener(end, () => {
      last = null;
    });
  space.addEventListener("keydown", (event) => {
    const steps =
      {ArrowLeft: [0.12, 0], ArrowRight: [-0.12, 0], ArrowUp: [0, -0.08], ArrowDown: [0, 0.08]};
    if (!steps[event.key]) return;
    event.preventDefault();
    rotate(...steps[event.key]);
  });

  root.append(
    h("div.tools", {},
      glass.choice(t("one_hot.groups"),
        data.groups.map((_, group) => [group, words_of(group).join(t("page.comma"))]), state.group,
        (group) => {
          state.group = group;
          state.pair = [0, 1];
          glass.remount(id);
        })),
    h("div.columns.two", {}, grid, h("div", {}, space, h("p.note", {}, t("one_hot.turn")))),
    readout, memory(state));
  show();
};

// What V one-hot rows cost beside V rows of the model's width, float32.
const memory = (state) => {
  const {n_embd, vocab_size} = glass.data.one_hot;
  const sizes = [8, 100, 1000, vocab_size, 50257, 100000, 200019,
    1000000].filter((size, i, all) => all.indexOf(size) ===
                i).sort((a, b) => a - b);
  const bars = h("div.bars.memory", {});
  const show = (size) => {
    const rows = [
      ["one_hot.table_one_hot", size * size * 4, "warm"],
      ["one_hot.table_dense", size * n_embd * 4, "accent"]
    ];
    const most = Math.log10(4e12),
          width = (bytes) => `${(100 * Math.log10(Math.max(bytes, 10))) / most}%`;
    glass.fill(bars,
      rows.map(([key, bytes, colour]) => [h("span.name", {}, t(key, {width: n_embd})),
                 h("span.track", {},
                   h("i.eased", {style: {width: width(bytes), background: `var(--${colour})`}})),
                 h("span.value", {}, glass.bytes(bytes))]));
  };
  const slider = glass.slider(t("one_hot.vocabulary"),
    {min: 0, max: sizes.length - 1, value: sizes.indexOf(state.size)},
    (place) => t("one_hot.words", {count: glass.integer(sizes[place])}), (place) => {
      state.size = sizes[place];
      show(state.size);
    });
  show(state.size);
  return h("div.part", {}, h("h3", {}, t("one_hot.memory")), h("div.tools", {}, slider), bars,
    h("p.note", {}, t("one_hot.scale", {vocabulary: glass.integer(vocab_size)})));
};

const check = () => {
  const data = glass.data.one_hot;
  for (const group of data.groups) {
    for (let i = 0; i < group.length; i++) {
      for (let j = 0; j < i; j++) {
        const a = row_of(i, group.length), b = row_of(j, group.length);
        glass.check(id, `${group[i]} ${group[j]}`,
          [vectors.norm(a.map((x, k) => x - b[k])), vectors.cosine(a, b), vectors.angle(a, b)],
          [data.distance, data.cosine, data.angle]);
      }
    }
  }
  glass.check(id, "bytes", [4 * data.vocab_size ** 2, 4 * data.vocab_size * data.n_embd],
    [data.bytes.all_one_hots, data.bytes.table]);
};
glass.chapter({id, figure, check, data: "one_hot"});
})();
