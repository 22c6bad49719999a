// What it costs: the time of each stage of this very run.
"use strict";
(function () {
  const {h, t} = glass;
  const id = "cost";
  const initial = () => ({by: "ms", layers: false});

  // Stages of all layers together, or layer by layer.
  const rows_of = (stages, by_layer) => {
    const rows = new Map();
    for (const stage of stages) {
      const layer = by_layer && stage.layer !== null && stage.layer !== undefined && stage.layer >= 0 ? stage.layer : null;
      const key = layer === null ? stage.name : `${stage.name} ${layer}`;
      const row = rows.get(key) || {name: stage.name, layer, ms: 0, flops: 0, bytes: 0, calls: 0, roof_ms: 0};
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

  const figure = (root) => {
    const state = glass.chapter_state(id, initial);
    const {profile, cpu, isa, threads} = glass.data.cost;
    const holder = h("div", {});
    const show = () => {
      const rows = rows_of(profile.stages, state.layers), measure = measures[state.by];
      const most = Math.max(...rows.map(measure), 1e-12);
      const total = rows.reduce((sum, row) => sum + row.ms, 0);
      glass.fill(holder, h("div.scroll", {}, h("table.costs", {}, h("thead", {}, h("tr", {}, h("th", {scope: "col"}, t("cost.stage")), h("th.wide", {}),
        ["ms", "share", "gflops", "gbs", "roof"].map((key) => h("th", {scope: "col"}, t(`cost.column.${key}`))))),
      h("tbody", {}, rows.map((row) => h("tr", {"data-stage": row.name},
        h("th", {scope: "row"}, glass.has_text(`cost.stage.${row.name}`) ? t(`cost.stage.${row.name}`) : row.name, row.layer === null ? null : ` ${row.layer}`,
          h("small", {}, h("code", {}, row.name))),
        h("td.wide", {}, h("span.track", {}, h("i.eased", {style: {width: `${(100 * measure(row)) / most}%`}}))),
        h("td", {}, glass.number(row.ms, 4)), h("td", {}, glass.percent(row.ms / total)), h("td", {}, glass.number(measures.gflops(row), 1)),
        h("td", {}, glass.number(measures.gbs(row), 1)), h("td", {}, row.roof_ms ? `${glass.number(measures.roof(row), 0)}%` : "–")))))));
    };
    show();
    const fact = (key, value) => h("span", {}, h("b", {}, value), ` ${t(key)}`);
    root.append(h("div.facts", {}, fact("cost.milliseconds", glass.number(profile.median_ms, 3)), fact("page.fact.tokens", profile.tokens),
      fact("cost.speed", glass.integer((1000 * profile.tokens) / profile.median_ms)), fact("cost.threads", threads)),
    h("p.note", {}, t("cost.machine", {cpu, isa})),
    h("div.tools", {}, glass.choice(t("cost.by"), Object.keys(measures).map((key) => [key, t(`cost.column.${key}`)]), state.by, (by) => { state.by = by; show(); }),
      glass.choice(t("cost.layers"), [[false, t("cost.together")], [true, t("cost.each")]], state.layers, (value) => { state.layers = value; show(); })),
    holder);
  };
  glass.chapter({id, figure, data: "cost"});
})();
