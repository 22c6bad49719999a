// How vectors came about: words at several moments of the model's training.
"use strict";
(function() {
const {h, svg, t, draw} = glass;
const module = (glass.formation = {});
const colours = ["accent", "warm", "violet", "ochre", "good"];
const han = /\p{Script=Han}/u;

const tag_of = (word) => (han.test(word) ? "zh-CN" : "en");
const name_of = (group) => group.name[glass.state.language];

// The words on one plane for all moments; the names of one group, and of the chosen word, stand
// beside their dots.
const plane = (data, state, choose) => draw.responsive("div.plane", (width) => {
  const view = data.views[state.view];
  const xy = glass.tensor(view.xy), all = xy.values;
  const height = Math.min(440, Math.max(300, width * 0.7));
  const reach = 1.08 * draw.largest(all);
  const x = (value) => width / 2 + (value / reach) * (width / 2 - 34),
        y = (value) => height / 2 - (value / reach) * (height / 2 - 10);
  const group_of = (word) => data.groups.findIndex((group) => group.words.includes(word));
  const named = (word) => word === state.word || data.groups[state.group].words.includes(word);
  const dots = data.words.map((word, i) => {
    const [px, py] = xy.row(state.step, i), group = group_of(i), chosen = i === state.word;
    const colour = `var(--${group < 0 ? "faint" : colours[group % colours.length]})`;
    const right = x(px) > width - 70;
    return svg("g", {onclick: () => choose(i), "data-word": word, style: "cursor:pointer"},
      svg("circle", {
        cx: x(px),
        cy: y(py),
        r: chosen  ? 6.5 :
          named(i) ? 4.5 :
                     3,
        fill: colour,
        opacity: named(i) ? 1 : 0.45,
      },
        svg("title", {}, word)),
      named(i) ? svg("text", {
        x: x(px) + (right ? -8 : 8),
        y: y(py) + 4,
        "text-anchor": right ? "end" : "start",
        lang: tag_of(word),
        style: `fill:${colour};font-size:12.5px;font-weight:${chosen ? 700 : 500}`,
      },
                   word) :
                 null);
  });
  // The way of the chosen word up to now.
  const way = Array.from({length: state.step + 1}, (_, s) => {
    const [px, py] = xy.row(s, state.word);
    return `${x(px).toFixed(1)} ${y(py).toFixed(1)}`;
  });
  return svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    height,
    role: "img",
    "aria-label": t("embedding.formation_label")
  },
    svg("line.axis", {x1: 0, x2: width, y1: height / 2, y2: height / 2}),
    svg("line.axis", {x1: width / 2, x2: width / 2, y1: 0, y2: height}),
    way.length > 1 ? svg("path", {d: `M${way.join("L")}`, fill: "none", stroke: "var(--faint)"}) :
                     null,
    dots);
});

const nearest = (data, state) => {
  const view = data.views[state.view], word = data.words[state.word];
  const near = glass.tensor(view.nearest).row(state.step, state.word);
  const cosines = glass.tensor(view.cosines).row(state.step, state.word);
  return [
    h("h3", {}, t("embedding.word_now", {word, step: glass.integer(data.steps[state.step])})),
    draw.cosine_bars(Array.from(near,
      (other, i) => {
        const name = data.words[other];
        return [h("span.name", {lang: tag_of(name)}, name), cosines[i]];
      })),
  ];
};

const controls = (data, state, show, show_view) => {
  const last = data.steps.length - 1;
  const go = (step) => {
    state.step = step;
    slider.set(step);
    show();
  };
  const slider = glass.slider(t("embedding.step"), {min: 0, max: last, value: state.step},
    (step) => glass.integer(data.steps[step]), go);
  const play = glass.player("embedding.play", "embedding.pause", {
    start: () => {
      if (state.step === last) go(0);
    },
    step: () => go(Math.min(last, state.step + 1)),
    finished: () => state.step === last,
    wait: () => 900,
  },
    {class: "main", "data-act": "formation"});
  const view = glass.choice(t("embedding.view"),
    Object.keys(data.views).map((name) => [name, t(`embedding.view.${name}`)]), state.view,
    (name) => {
      state.view = name;
      show_view();
    });
  return h("div.tools", {}, play, slider, view);
};

// Null for a model without snapshots.
module.part = () => {
  const data = glass.data.embedding.formation;
  if (!data || !data.groups.length) return null;
  const state = glass.chapter_state("formation", () => ({
    step: data.steps.length - 1,
    view: "table",
    group: 0,
    word: data.groups[0].words[0],
  }));
  const side = h("div", {}), curve = h("div", {}), note = h("p.note", {});
  const line = h("p.readout", {}), names = h("div.tools", {});
  let chart = null, list = null;
  const choose = (word) => {
    const group = data.groups.findIndex((one) => one.words.includes(word));
    if (group >= 0 && group !== state.group) take_group(group);
    state.word = word;
    groups.show(state.group);
    show();
  };
  // The dots are for the pointer alone: the names of a group are buttons too.
  const take_group = (group) => {
    state.group = group;
    const {words} = data.groups[group];
    list = glass.chips(t("embedding.words"),
      words.map((word) => ({text: data.words[word], lang: tag_of(data.words[word])})),
      (i) => words[i] === state.word, (i) => choose(words[i]));
    glass.fill(names, list.element);
  };
  const picture = plane(data, state, choose);
  const tell = (step) => {
    const view = data.views[state.view];
    glass.fill(line, glass.rich("embedding.together", {
      step: glass.integer(data.steps[step]),
      same: glass.number(view.same[step], 2),
      different: glass.number(view.different[step], 2),
    }));
  };
  const show = () => {
    picture.repaint();
    list.mark();
    glass.fill(side, nearest(data, state));
    chart.move(state.step);
    tell(state.step);
  };
  const show_view = () => {
    const view = data.views[state.view];
    const series = [
      {name: t("embedding.same"), colour: "accent", values: view.same},
      {name: t("embedding.different"), colour: "warm", dashed: true, values: view.different},
    ];
    chart = draw.chart({
      series,
      labels: data.steps.map(String),
      label: t("embedding.by_step"),
      height: 160,
      at: state.step,
      label_width: 42,
      x_label: t("embedding.step"),
      moved: tell,
    });
    glass.fill(curve, draw.legend(series), chart, line);
    note.textContent = t("embedding.formation_map_note",
      {share: glass.percent(view.explained[0] + view.explained[1], 0)});
    show();
  };
  const groups = glass.choice(
    t("embedding.groups"), data.groups.map((group, i) => [i, name_of(group)]), state.group, (i) => {
      take_group(Number(i));
      state.word = data.groups[i].words[0];
      show();
    });
  const tools = controls(data, state, show, show_view);
  take_group(state.group);
  show_view();
  return h("div.part.formation", {}, h("h3", {}, t("embedding.formation")),
    h("p.note", {}, glass.rich("embedding.formation_note", {
      count: data.steps.length,
      words: data.words.length,
      source: data.source,
    })),
    data.own ? null : h("p.warning", {}, glass.rich("embedding.formation_other", {
      ...glass.places(),
      other: data.model,
    })),
    tools, h("div.tools", {}, h("span.label", {}, t("embedding.groups")), groups), names,
    h("div.columns.wide_left", {}, h("div", {}, picture, note), h("div", {}, side, curve)));
};
})();
