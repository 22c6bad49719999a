// Word counts as vectors, and the angle between them.
"use strict";
(function() {
const {h, svg, t, vectors} = glass;
const id = "vectors";
// The fourth vector is the reader's.
const pairs = [[0, 1], [1, 2], [0, 3], [2, 3]];

const initial = () => ({
  counts: glass.data.counts.texts.map((text) => text.counts.slice()),
  own: glass.data.counts.query.counts.slice(),
  pair: 0,
});

// Two arrows whose angle is the angle, and whose lengths are in the vectors' proportion.
const protractor = (a, b, names) => {
  const angle = vectors.angle(a, b), length = Math.max(vectors.norm(a), vectors.norm(b)) || 1;
  const reach = 104, x0 = 14, y0 = 118;
  const tip = (vector, degrees) => {
    const r = (reach * vectors.norm(vector)) / length, turn = (degrees * Math.PI) / 180;
    return [x0 + r * Math.cos(turn), y0 - r * Math.sin(turn)];
  };
  const known = Number.isFinite(angle);
  const arrow = (vector, degrees, colour, name) => {
    const [x, y] = tip(vector, degrees);
    return [
      svg("line", {
        x1: x0,
        y1: y0,
        x2: x,
        y2: y,
        stroke: `var(--${colour})`,
        "stroke-width": 3,
        "stroke-linecap": "round"
      }),
      svg("circle", {cx: x, cy: y, r: 4, fill: `var(--${colour})`}),
      svg("text", {
        x: x + 7,
        y: y +
          (degrees > 20   ? -3 :
              degrees > 0 ? -7 :
                            14),
        style: `fill:var(--${colour});font-weight:600`
      },
        name),
    ];
  };
  const r = 34, turn = known ? (angle * Math.PI) / 180 : 0;
  return svg("svg", {viewBox: "0 0 160 136", "aria-hidden": "true"},
    svg("path.axis", {d: `M${x0 + reach} ${y0}A${reach} ${reach} 0 0 0 ${x0} ${y0 - reach}`}),
    svg("line.axis", {x1: x0, y1: y0, x2: x0 + reach, y2: y0}),
    svg("line.axis", {x1: x0, y1: y0, x2: x0, y2: y0 - reach}),
    known ? svg("path", {
      d: `M${x0} ${y0}L${x0 + r} ${y0}A${r} ${r} 0 0 0 ${x0 + r * Math.cos(turn)} ${
        y0 - r * Math.sin(turn)}Z`,
      fill: "var(--accent)",
      opacity: 0.16,
    }) :
            null,
    arrow(a, 0, "accent", names[0]), known ? arrow(b, angle, "warm", names[1]) : null);
};

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const {dimensions, texts} = glass.data.counts;
  const words = dimensions.map((word) => word[glass.state.language]);
  const names = [...texts.map((text) => text.name), t("vectors.own")];
  const kinds = texts.map((text) => text.topic[glass.state.language]);
  const all = () => [...state.counts, state.own];

  const show_angle = (angle) =>
    (Number.isFinite(angle) ? glass.degrees(angle) : t("vectors.no_angle"));
  const pictures = h("div.protractors", {role: "radiogroup", "aria-label": t("vectors.pairs")});
  const working = h("div.working", {});
  const verdict = h("p.readout.verdict", {"aria-live": "polite"});

  const show_pictures = () => {
    glass.fill(pictures, pairs.map(([i, j], number) => {
      const [a, b] = [all()[i], all()[j]];
      const angle = vectors.angle(a, b);
      return h("button.protractor", {
        type: "button",
        role: "radio",
        "aria-checked": state.pair === number,
        "data-pair": `${i}${j}`,
        tabindex: state.pair === number ? 0 : -1,
        "aria-label": t("vectors.pair_label", {a: names[i], b: names[j], angle: show_angle(angle)}),
        onclick: () => {
          state.pair = number;
          update();
          pictures.children[number].focus();
        },
        onkeydown: (event) => {
          const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
          if (!step) return;
          event.preventDefault();
          state.pair = (number + step + pairs.length) % pairs.length;
          update();
          pictures.children[state.pair].focus();
        },
      },
        protractor(a, b, [names[i], names[j]]), h("b", {}, show_angle(angle)),
        h("span", {}, t("vectors.between", {a: names[i], b: names[j]})));
    }));
  };

  const show_working = () => {
    const [i, j] = pairs[state.pair];
    const a = all()[i], b = all()[j];
    const products = a.map((count, k) => count * b[k]);
    const most = Math.max(1, ...products);
    const cosine = vectors.cosine(a, b);
    glass.fill(working, h("h3", {}, t("vectors.working", {a: names[i], b: names[j]})),
      h("div.bars.products", {},
        words.map(
          (word, k) => [h("span.name", {}, word),
            h("span.track", {}, h("i.eased", {style: {width: `${(100 * products[k]) / most}%`}})),
            h("span.value", {}, `${a[k]} × ${b[k]} = ${products[k]}`),
    ])),
      h("p.formula", {}, "cos θ = ",
        h("span.fraction", {},
          h("span", {title: `${names[i]} · ${names[j]}`}, glass.integer(vectors.dot(a, b))),
          h("span", {title: `|${names[i]}| × |${names[j]}|`},
            `${glass.number(vectors.norm(a), 3)} × ${glass.number(vectors.norm(b), 3)}`)),
        ` = ${glass.number(cosine, 4)}`,
        h("span.then", {}, `θ = ${show_angle(vectors.angle(a, b))}`)));
  };

  const show_verdict = () => {
    const angles = state.counts.map((vector) => vectors.angle(state.own, vector));
    if (!angles.every(Number.isFinite)) {
      glass.fill(verdict, t("vectors.empty"));
      return;
    }
    const nearest = angles.indexOf(Math.min(...angles));
    glass.fill(verdict, glass.rich("vectors.verdict", {
      a: glass.degrees(angles[0]),
      b: glass.degrees(angles[1]),
      c: glass.degrees(angles[2]),
      kind: kinds[nearest],
      name: names[nearest],
    }));
  };

  const inputs = [];
  const cell = (vector, name, word, k) => {
    const input = h("input", {
      type: "number",
      min: 0,
      max: 999,
      value: vector[k],
      inputmode: "numeric",
      "aria-label": t("vectors.count_label", {name, word}),
      oninput: () => {
        vector[k] = Math.max(0, Math.min(999, Math.round(Number(input.value) || 0)));
        update();
      },
    });
    inputs.push([input, vector, k]);
    return h("td", {}, input);
  };
  const heads = [...kinds, t("vectors.own_kind")];
  const table = h("div.scroll", {},
    h("table.counts", {},
      h("thead", {},
        h("tr", {}, h("td", {}),
          names.map((name, i) => h("th", {scope: "col"}, name, h("small", {}, heads[i]))))),
      h("tbody", {},
        words.map((word, k) => h("tr", {}, h("th", {scope: "row"}, word),
                    all().map((vector, i) => cell(vector, names[i], word, k)))))));
  const update = () => {
    show_pictures();
    show_working();
    show_verdict();
  };
  const put = (vector, counts) => {
    counts.forEach((count, k) => {
      vector[k] = count;
    });
    for (const [input, of, k] of inputs) input.value = of[k];
    update();
  };
  const start = initial();
  const double_last = () => put(state.own, state.counts[2].map((count) => 2 * count));
  const make_flat = () => put(state.own, words.map(() => 10));
  root.append(h("div.columns.two", {},
                h("div", {}, table,
                  h("div.tools.presets", {}, h("span.label", {}, t("vectors.presets")),
                    glass.button("vectors.double", double_last, {"data-preset": "double"}),
                    glass.button("vectors.flat", make_flat, {"data-preset": "flat"}),
                    glass.button("vectors.reset",
                      () => {
                        all().forEach(
                          (vector, i) => put(vector, i < 3 ? start.counts[i] : start.own));
                      },
                      {"data-preset": "reset"})),
                  verdict),
                pictures),
    h("div.part", {}, working));
  update();
};

const check = () => {
  const {texts, cosines, angles, query, proportional, equal} = glass.data.counts;
  const counts = texts.map((text) => text.counts);
  const all = (measure, a) => counts.map((b) => measure(a, b));
  glass.check(id, "cosines", counts.flatMap((a) => all(vectors.cosine, a)), cosines.flat());
  // The angle of a vector with itself: the arc cosine near 1 magnifies the last bit.
  glass.check(id, "angles", counts.flatMap((a) => all(vectors.angle, a)), angles.flat());
  glass.check(id, "query", all(vectors.angle, query.counts), query.angles);
  glass.check(id, "proportional", all(vectors.angle, proportional.counts), proportional.angles);
  glass.check(id, "equal", all(vectors.angle, equal.counts), equal.angles);
};
glass.chapter({id, figure, check, data: "counts"});
})();
