// What it costs: the time of each stage of this very run.
"use strict";
(function() {
const {h, t} = glass;
const id = "cost";
const initial = () => ({by: "ms", layers: "together"});

// Stages of all layers together, or layer by layer.
const rows_of = (stages, by_layer) => {
  const rows = new Map();
  for (const stage of stages) {
    const layer =
      by_layer && stage.layer !== null && stage.layer !== undefined && stage.layer >= 0 ?
      stage.layer :
      null;
    const key = layer === null ? stage.name : `${stage.name} ${layer}`;
    const row =
      rows.get(key) || {name: stage.name, layer, ms: 0, flops: 0, bytes: 0, calls: 0, roof_ms: 0};
    row.ms += stage.ms;
    row.flops += stage.flops || 0;
    row.bytes += stage.bytes || 0;
    row.calls += stage.calls || 1;
    // The time that the roof would allow adds up; percentages do not.
    row.roof_ms += ((stage.percent_of_roof || 0) / 100) * stage.ms;
    rows.set(key, row);
  }
  return [...rows.values()];
};
const measures = {
  ms: (row) => row.ms,
  gflops: (row) => (row.ms > 0 ? row.flops / row.ms / 1e6 : 0),
  gbs: (row) => (row.ms > 0 ? row.bytes / row.ms / 1e6 : 0),
  roof: (row) => (row.ms > 0 ? (100 * row.roof_ms) / row.ms : 0),
};

// A stage of the comparison has the measures themselves.
const fields = {
  ms: "ms",
  gflops: "gflops_per_second",
  gbs: "gb_per_second",
  roof: "percent_of_roof"
};
const shown = {
  ms: (value) => glass.number(value, 4),
  gflops: (value) => glass.number(value, 1),
  gbs: (value) => glass.number(value, 1),
  roof: (value) => (value ? `${glass.number(value, 0)}%` : "–"),
};

// The same text by each implementation of the matrix products, stage by stage: of each stage what
// the bars show.
const comparison = (state) => {
  const {implementations, compare_command} = glass.data.cost;
  if (implementations.length < 2) return null;
  const most = Math.max(...implementations.map((one) => one.median_ms));
  const name = (one) => `${one.gemm}, ${one.isa}`;
  const table = h("div.scroll", {});
  const show = () => {
    const unit = t(`cost.column.${state.by}`);
    const heads = implementations.map((one) => h("th", {scope: "col"}, `${name(one)}: ${unit}`));
    const cell = (one, stage) => {
      const same = one.stages.find((other) => other.name === stage.name);
      return h("td", {}, shown[state.by](same[fields[state.by]]));
    };
    const rows = implementations[0].stages.map(
      (stage) => h("tr", {}, h("th", {scope: "row"}, stage_name(stage.name)),
        implementations.map((one) => cell(one, stage))));
    glass.fill(table,
      h("table.compared", {},
        h("thead", {}, h("tr", {}, h("th.text", {scope: "col"}, t("cost.stage")), heads)),
        h("tbody", {}, rows)));
  };
  const bars = implementations.map(
    (one) => [h("span.name", {}, name(one)),
      h("span.track", {}, h("i", {style: {width: `${(100 * one.median_ms) / most}%`}})),
      h("span.value", {}, `${glass.number(one.median_ms, 3)} ms`)]);
  const element = h("div.part", {}, h("h3", {}, t("cost.compare")),
    h("p.note", {}, glass.rich("cost.compare_note")), h("div.bars.implementations", {}, bars),
    table, h("div.source", {}, glass.command(compare_command)));
  return {element, show};
};
const stage_name = (name) =>
  (glass.has_text(`cost.stage.${name}`) ? t(`cost.stage.${name}`) : name);

const figure = (root) => {
  const state = glass.chapter_state(id, initial);
  const {profile, cpu, isa, threads} = glass.data.cost;
  const holder = h("div", {}), compared = comparison(state);
  const show = () => {
    const rows = rows_of(profile.stages, state.layers === "each"), measure = measures[state.by];
    const most = Math.max(...rows.map(measure), 1e-12);
    const total = rows.reduce((sum, row) => sum + row.ms, 0);
    glass.fill(holder,
      h("div.scroll", {},
        h("table.costs", {},
          h("thead", {},
            h("tr", {}, h("th.text", {scope: "col"}, t("cost.stage")), h("th.wide", {}),
              ["ms", "share", "gflops", "gbs", "roof"].map(
                (key) => h("th", {scope: "col"}, t(`cost.column.${key}`))))),
          h("tbody", {},
            rows.map((row) => h("tr", {"data-stage": row.name},
                       h("th", {scope: "row"}, stage_name(row.name),
                         row.layer === null ? null : ` ${row.layer}`,
                         h("small", {}, h("code", {}, row.name))),
                       h("td.wide", {},
                         h("span.track", {},
                           h("i.eased", {style: {width: `${(100 * measure(row)) / most}%`}}))),
                       h("td", {}, shown.ms(row.ms)), h("td", {}, glass.percent(row.ms / total)),
                       ["gflops", "gbs", "roof"].map(
                         (key) => h("td", {}, shown[key](measures[key](row))))))))));
    compared?.show();
  };
  show();
  const fact = (key, value) => h("span", {}, h("b", {}, value), ` ${t(key)}`);
  const choice = (label, names, chosen, choose) => glass.choice(label, names, chosen, (value) => {
    choose(value);
    show();
  });
  const memory = profile.roof.levels[profile.roof.levels.length - 1];
  root.append(h("div.facts", {}, fact("cost.milliseconds", glass.number(profile.median_ms, 3)),
                fact("page.fact.tokens", profile.tokens),
                fact("cost.speed", glass.integer((1000 * profile.tokens) / profile.median_ms)),
                fact("cost.threads", threads)),
    h("p.note", {}, t("cost.machine", {
      cpu,
      isa,
      gflops: glass.number(profile.roof.gflops_per_second, 0),
      gbs: glass.number(memory.read_gb_per_second, 0),
    })),
    h("div.tools", {}, h("span.label", {}, t("cost.by")),
      choice(t("cost.by"), Object.keys(measures).map((key) => [key, t(`cost.column.${key}`)]),
        state.by,
        (by) => {
          state.by = by;
        }),
      h("span.label", {}, t("cost.layers")),
      choice(t("cost.layers"), ["together", "each"].map((key) => [key, t(`cost.${key}`)]),
        state.layers,
        (layers) => {
          state.layers = layers;
        })),
    holder);
  if (compared) root.append(compared.element);
};
glass.chapter({id, figure, data: "cost"});
})();
