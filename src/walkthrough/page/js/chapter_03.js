// Skip-gram with negative sampling, update by update.
"use strict";
(function() {
const {h, svg, t, vectors, draw} = glass;
const id = "skip_gram";
const colours = ["accent", "warm", "violet", "ochre", "good"];

// A training in each language, so that words are the reader's.
const trace_of = (language) => {
  const {traces} = glass.data.skip_gram;
  return traces.find((trace) => trace.lang === language) || traces[0];
};
const initial = () => ({step: 0, rates: {}});

// Update s: the word, the word of its context, the negatives. Places beyond the words are empty.
const draw_of = (trace, s) => {
  const [center, context, ...negatives] = glass.tensor(trace.draws).row(s);
  const place = trace.first[s % trace.updates_per_epoch];
  return {
    center,
    context,
    negatives: negatives.filter((word) => word < trace.words.length),
    epoch: Math.floor(s / trace.updates_per_epoch),
    sentence: place.sentence,
    position: place.position,
    context_position: place.context_position,
  };
};

// Mikolov et al. 2013: the context's output vector is pulled towards the centre's vector, those of
// the negatives are pushed away; the centre moves by the sum, with the outputs as they were before.
const one_update = (input, output, update, rate) => {
  const center = input.subarray(2 * update.center, 2 * update.center + 2);
  const old = [center[0], center[1]], move = [0, 0];
  const terms = [update.context, ...update.negatives].map((word, k) => {
    const u = output.subarray(2 * word, 2 * word + 2);
    const product = old[0] * u[0] + old[1] * u[1];
    const probability = vectors.sigmoid(product), wanted = k === 0 ? 1 : 0;
    const push = rate * (wanted - probability);
    move[0] += push * u[0];
    move[1] += push * u[1];
    u[0] += push * old[0];
    u[1] += push * old[1];
    return {word, product, probability, wanted, push};
  });
  center[0] += move[0];
  center[1] += move[1];
  return terms;
};
// All states of a run: the same draws, any rate.
const train = (trace, rate) => {
  const size = 2 * trace.words.length, total = trace.updates;
  const input = Float64Array.from(glass.tensor(trace.vectors).values.subarray(0, size));
  const output = Float64Array.from(glass.tensor(trace.outputs).values.subarray(0, size));
  const inputs = new Float64Array(size * (total + 1)), outs = inputs.slice(), terms = [];
  for (let s = 0; s <= total; s++) {
    inputs.set(input, size * s);
    outs.set(output, size * s);
    if (s < total) terms.push(one_update(input, output, draw_of(trace, s), rate));
  }
  return {inputs, outs, terms, size};
};
const loss_of = (terms) => terms.reduce((sum, {probability, wanted}) => sum -
    Math.log(Math.max(1e-12, wanted ? probability : 1 - probability)),
  0);

const group_of = (trace, word) => trace.groups.findIndex((group) => group.includes(word));
// Mean cosine of pairs of one group, and of pairs of two groups.
const togetherness = (trace, state) => {
  const {words} = trace;
  const sums = [0, 0], counts = [0, 0];
  words.forEach((_, i) => words.forEach((__, j) => {
    if (j >= i || group_of(trace, i) < 0 || group_of(trace, j) < 0) return;
    const which = group_of(trace, i) === group_of(trace, j) ? 0 : 1;
    sums[which] +=
      vectors.cosine(state.subarray(2 * i, 2 * i + 2), state.subarray(2 * j, 2 * j + 2));
    counts[which] += 1;
  }));
  return sums.map((sum, i) => sum / counts[i]);
};

const plane = (trace, run, state, shown) => draw.responsive("div.plane", (width) => {
  const {words} = trace;
  const height = Math.min(460, Math.max(300, width * 0.72));
  // The scale fits the longest vector so far: it only ever shrinks, so movement is seen as
  // movement.
  const reach = 1.12 * draw.largest(run.inputs.subarray(0, run.size * (state.step + 1)));
  const scale = Math.min(width, height) / 2 / reach;
  const unit = draw.ticks(0, reach, 2)[1];
  const at = (values,
    word) => [width / 2 + scale * values[2 * word], height / 2 - scale * values[2 * word + 1]];
  const paint = () => {
    const now = run.inputs.subarray(run.size * state.step, run.size * (state.step + 1));
    const before = state.step > 0 ?
      run.inputs.subarray(run.size * (state.step - 1), run.size * state.step) :
      now;
    const update = state.step > 0 ? draw_of(trace, state.step - 1) : null;
    const trail = [];
    if (update) {
      for (let s = Math.max(0, state.step - 240); s <= state.step; s++) {
        trail.push(at(run.inputs.subarray(run.size * s, run.size * (s + 1)), update.center)
                     .map((x) => x.toFixed(1))
                     .join(" "));
      }
    }
    const picture = svg("svg", {viewBox: `0 0 ${width} ${height}`, height, "aria-hidden": "true"},
      svg("line.axis", {x1: 0, x2: width, y1: height / 2, y2: height / 2}),
      svg("line.axis", {x1: width / 2, x2: width / 2, y1: 0, y2: height}),
      svg("circle.axis", {cx: width / 2, cy: height / 2, r: scale * unit}),
      svg("text", {x: width / 2 + scale * unit + 4, y: height / 2 - 4},
        String(Number(unit.toPrecision(2)))),
      trail.length > 1 ?
        svg("path",
          {d: `M${trail.join("L")}`, fill: "none", stroke: "var(--faint)", "stroke-width": 1}) :
        null,
      words.map((word, i) => {
        const [x, y] = at(now, i), colour = `var(--${colours[group_of(trace, i)] || "soft"})`;
        const active = update && i === update.center;
        const role = update && i === update.context ? "context" :
          update && update.negatives.includes(i)    ? "negative" :
                                                      "";
        const [x0, y0] = at(before, i);
        return svg(`g.word${active ? ".center" : ""}`, {"data-word": word},
          svg("line", {x1: width / 2, y1: height / 2, x2: x, y2: y, stroke: colour, opacity: 0.22}),
          active ? svg("line", {x1: x0, y1: y0, x2: x, y2: y, stroke: colour, "stroke-width": 3}) :
                   null,
          role ? svg("circle", {
            cx: x,
            cy: y,
            r: 9,
            fill: "none",
            stroke: role === "context" ? "var(--good)" : "var(--bad)",
            "stroke-width": 1.6,
            "stroke-dasharray": role === "context" ? null : "3 3"
          }) :
                 null,
          svg("circle", {cx: x, cy: y, r: active ? 6.5 : 4.5, fill: colour}),
          svg("text", {
            x: x + (x > width - 60 ? -9 : 9),
            y: y + 4,
            "text-anchor": x > width - 60 ? "end" : "start",
            style: `fill:${colour};font-size:13px;font-weight:${active ? 700 : 500}`,
          },
            word));
      }));
    shown(now, update);
    return picture;
  };
  return paint();
});

const lang_of = (trace) => (trace.lang === "zh" ? "zh-CN" : trace.lang);
// Words of the sentence with stop words; positions count the kept ones.
const sentence_line = (trace, update) => {
  let kept = 0;
  return h("p.sentence", {lang: lang_of(trace)}, trace.sentences[update.sentence].map((word) => {
    const dropped = trace.stop_words.includes(word), position = dropped ? -1 : kept++;
    const kind = dropped                   ? ".dropped" :
      position === update.position         ? ".center" :
      position === update.context_position ? ".context" :
                                             "";
    return [h(`span.w${kind}`, {}, word), trace.lang === "zh" ? "" : " "];
  }));
};

const working = (trace, update, terms) => {
  const {words} = trace;
  return h("div.scroll", {},
    h("table.updates", {},
      h("thead", {}, h("tr", {}, ["word", "product", "probability", "wanted",
        "push"].map((key) => h("th", {scope: "col"}, t(`skip_gram.column.${key}`))))),
      h("tbody", {},
        terms.map(
          (term) => h("tr", {},
            h("th", {scope: "row", lang: lang_of(trace)},
              `${words[update.center]} · ${words[term.word]}`),
            h("td", {}, glass.number(term.product, 3)),
            h("td", {}, glass.number(term.probability, 3)), h("td", {}, String(term.wanted)),
            h(`td.${term.push >= 0 ? "pull" : "away"}`, {},
              `${term.push >= 0 ? "+" : ""}${glass.number(term.push, 4)}`))))));
};

const corpus = (trace) => h("div.corpus", {lang: lang_of(trace)},
  trace.sentences.map(
    (sentence) => h("span", {},
      sentence.map((word) => [trace.stop_words.includes(word) ? h("s", {}, word) : word,
                     trace.lang === "zh" ? "" : " "]))));

// The mean loss of each epoch of a run.
const loss_part = (trace, state) => {
  const element = h("div", {}), line = h("p.readout.loss", {});
  let curve = null;
  // The epoch of the last update that was done, from 0.
  const epoch_now = () => Math.floor(Math.max(0, state.step - 1) / trace.updates_per_epoch);
  const show = (run) => {
    const sums = Array(trace.epochs).fill(0);
    run.terms.forEach((terms, s) => {
      sums[Math.floor(s / trace.updates_per_epoch)] += loss_of(terms) / trace.updates_per_epoch;
    });
    const tell = (epoch) => glass.fill(line, glass.rich("skip_gram.loss_of_epoch", {
      epoch: epoch + 1,
      loss: glass.number(sums[epoch], 3),
    }));
    curve = draw.chart({
      series: [{name: t("skip_gram.loss"), values: sums, colour: "accent"}],
      labels: sums.map((_, i) => String(i + 1)),
      label: t("skip_gram.loss_label"),
      height: 150,
      x_label: t("skip_gram.epoch"),
      at: epoch_now(),
      low: 0,
      moved: tell,
    });
    tell(epoch_now());
    glass.fill(element, h("p.note", {}, t("skip_gram.loss")), curve, line);
  };
  const move = () => curve.move(epoch_now());
  return {element, show, move};
};

// What the last update did, and how far kinds of words have drawn apart.
const details_part = (trace, state) => {
  const element = h("div.details", {}), together = h("p.readout.together", {});
  const show = (run, now, update) => {
    const [same, other] = togetherness(trace, now);
    glass.fill(together,
      glass.rich(
        "skip_gram.together", {same: glass.number(same, 2), other: glass.number(other, 2)}));
    if (!update) {
      glass.fill(element, h("p.note", {}, t("skip_gram.before")));
      return;
    }
    const heading = t("skip_gram.update", {
      number: glass.integer(state.step),
      total: glass.integer(trace.updates),
      epoch: update.epoch + 1,
    });
    glass.fill(element, h("h3", {}, heading), sentence_line(trace, update),
      working(trace, update, run.terms[state.step - 1]));
  };
  return {element, together, show};
};

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const trace = trace_of(glass.state.language), total = trace.updates;
  state.step = Math.min(state.step, total);
  const holder = h("div", {}), loss = loss_part(trace, state), details = details_part(trace, state);
  let picture = null;
  const build = () => {
    const run = train(trace, rate_now());
    picture = plane(trace, run, state, (now, update) => details.show(run, now, update));
    glass.fill(holder, picture);
    loss.show(run);
  };
  const go = (step) => {
    state.step = Math.max(0, Math.min(total, step));
    slider.set(state.step);
    picture.repaint();
    loss.move();
  };
  const slider =
    glass.slider(t("skip_gram.step"), {min: 0, max: total, value: state.step}, glass.integer, go);
  // Whoever wants less motion sees a still picture now and then.
  const still = glass.reduced_motion();
  const play = glass.player("skip_gram.run", "skip_gram.pause", {
    start: () => {
      if (state.step === total) go(0);
    },
    step: () => go(state.step + Math.ceil(total / (still ? 20 : 400))),
    finished: () => state.step === total,
    wait: () => (still ? 700 : 40),
  },
    {class: "main", "data-act": "run"});
  const rate_now = () => state.rates[trace.lang] || trace.learning_rate;
  const rate = glass.slider(t("skip_gram.rate"), {min: 0.01, max: 2, step: 0.01, value: rate_now()},
    (value) => glass.number(value, 2), (value) => {
      state.rates[trace.lang] = value;
      build();
    });
  const act = (name, step) =>
    glass.button(`skip_gram.${name}`, () => go(step()), {"data-act": name});
  build();
  root.append(corpus(trace),
    h("div.tools", {}, act("one", () => state.step + 1), play,
      act("one_epoch", () => state.step + trace.updates_per_epoch), act("restart", () => 0),
      slider),
    h("div.columns.wide_left", {}, h("div", {}, holder, details.together),
      h("div", {}, details.element, loss.element)),
    h("div.tools.last", {}, rate));
  const corpus_words = glass.word_vectors.part();
  if (corpus_words) root.append(corpus_words);
};

// Every state that was exported: all of the first epoch, and the end of each.
const check = () => {
  glass.word_vectors.check(id);
  for (const trace of glass.data.skip_gram.traces) {
    const run = train(trace, trace.learning_rate), {size} = run;
    const at_epochs = (states) =>
      Array
        .from({length: trace.epochs + 1},
          (_, epoch) =>
            Array.from(states.subarray(size * epoch * trace.updates_per_epoch).subarray(0, size)))
        .flat();
    const terms = run.terms.slice(0, trace.first.length);
    const name = (what) => `${what} ${trace.lang}`;
    glass.check(
      id, name("vectors"), at_epochs(run.inputs), glass.tensor(trace.vectors).values, 1e-4);
    glass.check(id, name("outputs"), at_epochs(run.outs), glass.tensor(trace.outputs).values, 1e-4);
    glass.check(id, name("probabilities"), terms.flat().map((term) => term.probability),
      trace.first.flatMap((update) => update.targets.map((target) => target.probability)), 1e-5);
    glass.check(
      id, name("losses"), terms.map(loss_of), trace.first.map((update) => update.loss), 1e-5);
    const end = run.inputs.subarray(size * trace.updates);
    const cosines = trace.words.flatMap(
      (_, i) => trace.words.map(
        (__, j) => vectors.cosine(end.subarray(2 * i, 2 * i + 2), end.subarray(2 * j, 2 * j + 2))));
    glass.check(id, name("cosines"), cosines, glass.tensor(trace.cosines).values, 1e-4);
  }
};
glass.chapter({id, figure, check, data: "skip_gram"});
})();
