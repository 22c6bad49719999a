// The one shared object: texts, numbers as text, elements, state that chapters share, checks.
"use strict";
window.glass = (function() {
  const glass = {chapters: []};

  const read_json = (id) => {
    const element = document.getElementById(id);
    return element ? JSON.parse(element.textContent) : null;
  };
  const texts = {en: read_json("text-en"), zh: read_json("text-zh")};
  glass.data = read_json("walkthrough-data");

  // State that outlives a change of language: every chapter keeps its own under its id.
  glass.state = {language: "en", token: null, chapter: {}};
  const listeners = {};
  // Who listens names its element: once that is out of the page it is forgotten.
  glass.on = (event, element, action) =>
    (listeners[event] = listeners[event] || []).push([element, action]);
  glass.emit = (event, value) => {
    listeners[event] = (listeners[event] || []).filter(([element]) => element.isConnected);
    listeners[event].forEach(([, action]) => action(value));
  };

  // A chapter's own state, made once by `initial`.
  glass.chapter_state = (id, initial) =>
    (glass.state.chapter[id] = glass.state.chapter[id] || initial());

  glass.chapter = (chapter) => glass.chapters.push(chapter);

  // ---- Texts ----

  const raw = (key) => {
    const text = texts[glass.state.language][key];
    if (text === undefined) console.error(`no text "${key}" in ${glass.state.language}`);
    return text === undefined ? key : text;
  };
  const put = (text, values) => text.replace(
    /\{(\w+)\}/g, (place, name) => (values && values[name] !== undefined ? values[name] : place));
  glass.has_text = (key) => texts[glass.state.language][key] !== undefined;
  glass.t = (key, values) => put(raw(key), values);

  // *stressed* and `code`, found before values are put in: what a reader wrote is never markup.
  glass.rich = (key, values) =>
    raw(key).split(/(\*[^*]+\*|`[^`]+`)/).filter(Boolean).map((part) => {
      const tag = {"*": "em", "`": "code"}[part.length > 2 ? part[0] : ""];
      return tag ? glass.h(tag, {}, put(part.slice(1, -1), values)) : put(part, values);
    });

  // ---- Elements ----

  const svg_namespace = "http://www.w3.org/2000/svg";
  const build = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("aria-")) {
        element.setAttribute(name, String(value));
        continue;
      }
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on"))
        element.addEventListener(name.slice(2), value);
      else if (name === "style" && typeof value === "object") {
        for (const [property, to] of Object.entries(value)) element.style.setProperty(property, to);
      } else
        element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(3).filter((child) => child !== null && child !== undefined));
    return element;
  };
  // h("div.note", {attributes}, children...)
  glass.h = (name, attributes, ...children) => {
    const [tag, ...classes] = name.split(".");
    const element = document.createElement(tag || "div");
    if (classes.length) element.className = classes.join(" ");
    return build(element, attributes, children);
  };
  glass.svg = (name, attributes, ...children) => {
    const [tag, ...classes] = name.split(".");
    const element = document.createElementNS(svg_namespace, tag);
    if (classes.length) element.setAttribute("class", classes.join(" "));
    return build(element, attributes, children);
  };
  glass.fill = (element, ...children) => {
    element.replaceChildren();
    return build(element, {}, children);
  };
  glass.button = (key, action, attributes) =>
    glass.h("button", {type: "button", onclick: action, ...attributes}, glass.t(key));

  // A group of buttons of which one is chosen; the arrow keys move the choice.
  glass.choice = (label, options, chosen, choose) => {
    const group = glass.h("div.segments", {role: "radiogroup", "aria-label": label});
    const show = (value) => {
      for (const button of group.children) {
        const on = button.dataset.value === String(value);
        button.setAttribute("aria-checked", on);
        button.tabIndex = on ? 0 : -1;
      }
    };
    for (const [value, text] of options) {
      group.append(glass.h("button", {
        type: "button",
        role: "radio",
        "data-value": value,
        onclick: () => {
          show(value);
          choose(value);
        },
      },
        text));
    }
    group.addEventListener("keydown", (event) => {
      const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
      if (!step) return;
      event.preventDefault();
      const buttons = [...group.children];
      const at = buttons.findIndex((button) => button.tabIndex === 0);
      const next = buttons[(at + step + buttons.length) % buttons.length];
      next.focus();
      next.click();
    });
    show(chosen);
    group.show = show;
    return group;
  };

  // Buttons of which one is pressed: `items` are {text, lang}. mark() asks again which one.
  glass.chips = (label, items, is_chosen, choose) => {
    const buttons = items.map(({text, lang}, i) => glass.h("button.chip",
                                {type: "button", lang, onclick: () => choose(i)}, text));
    const mark = () =>
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", is_chosen(i)));
    mark();
    return {element: glass.h("div.chips", {role: "group", "aria-label": label}, buttons), mark};
  };

  // A labelled slider; `text(value)` says the value in words.
  glass.slider = (label, {min, max, step, value}, text, change) => {
    const output = glass.h("output", {}, text(value));
    const input = glass.h("input", {
      type: "range",
      min,
      max,
      step: step || 1,
      "aria-label": label,
      "aria-valuetext": text(value),
    });
    input.value = value;
    input.addEventListener("input", () => {
      const now = Number(input.value);
      output.textContent = text(now);
      input.setAttribute("aria-valuetext", text(now));
      change(now);
    });
    const element = glass.h("label.slider", {}, glass.h("span", {}, label), input, output);
    element.set = (to) => {
      input.value = to;
      output.textContent = text(Number(to));
      input.setAttribute("aria-valuetext", text(Number(to)));
    };
    return element;
  };

  // A button that plays: `step` again and again until `finished`, or until it is pressed once more.
  glass.player = (run, pause, {start, step, finished, wait}, attributes) => {
    let timer = null;
    const button = glass.button(run, () => {
      if (timer) {
        stop();
        return;
      }
      start();
      button.textContent = glass.t(pause);
      timer = setInterval(() => {
        if (button.isConnected) step();
        if (!button.isConnected || finished()) stop();
      }, wait());
    }, attributes);
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = glass.t(run);
    };
    return button;
  };

  // Brings an element into sight within its own box only: the page must not move. What sticks to
  // the
  // box's edges covers `above` and `below`.
  glass.scroll_inside = (box, element, above = 0, below = 0) => {
    const top = element.offsetTop - above,
          bottom = element.offsetTop + element.offsetHeight + below;
    if (top < box.scrollTop)
      box.scrollTop = top;
    else if (bottom > box.scrollTop + box.clientHeight)
      box.scrollTop = bottom - box.clientHeight;
  };

  // Tells screen readers what changed.
  glass.say = (text) => {
    document.getElementById("spoken").textContent = text;
  };

  // A layer by its key, "0" .. "L" or "final": in a sentence, and where there is little room.
  glass.layer_name = (key) =>
    (key === "final" ? glass.t("page.layer_last") : glass.t("page.layer", {layer: key}));
  glass.layer_mark = (key) => (key === "final" ? glass.t("page.layer_mark") : key);

  // ---- Numbers ----

  // Fixed decimals with a true minus sign; never "-0.00".
  glass.number = (value, decimals) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    const text = Math.abs(value).toFixed(decimals);
    return (value < 0 && Number(text) !== 0 ? "−" : "") + text;
  };
  glass.integer = (value) => Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  glass.degrees = (value, decimals = 1) => glass.number(value, decimals) + "°";
  glass.percent = (value, decimals = 1) => glass.number(100 * value, decimals) + "%";
  glass.small = (value) => {
    if (value === 0) return "0";
    const power = Math.floor(Math.log10(Math.abs(value)));
    if (power >= -3 && power < 4) return glass.number(value, Math.max(0, 3 - power));
    return glass.number(value / 10 ** power, 1) + "×10" + superscript(power);
  };
  const superscripts = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹";
  const superscript = (power) =>
    String(power).replace(/[-\d]/g, (digit) => superscripts["-0123456789".indexOf(digit)]);
  glass.bytes = (count) => {
    const units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let unit = 0;
    while (count >= 1000 && unit + 1 < units.length) {
      count /= 1000;
      unit += 1;
    }
    const decimals = unit === 0 || count >= 100 ? 0 : 1;
    return `${glass.number(count, decimals)}\u00a0${units[unit]}`;
  };

  // ---- Checks: the page's own arithmetic against the exported numbers ----

  glass.checks = {};
  // `own` and `exported` are numbers or flat arrays; the tolerance is relative to the largest
  // exported magnitude, because the export is float32 and the page computes in double.
  glass.check = (chapter, name, own, exported, tolerance = 2e-5) => {
    const ours = typeof own === "number" ? [own] : own;
    const theirs = typeof exported === "number" ? [exported] : exported;
    let deviation = ours.length === theirs.length ? 0 : Infinity, scale = 0;
    for (let i = 0; i < theirs.length; i++) {
      const difference = Math.abs(ours[i] - theirs[i]);
      // NaN must not pass.
      if (!(difference <= deviation)) deviation = Number.isNaN(difference) ? Infinity : difference;
      scale = Math.max(scale, Math.abs(theirs[i]));
    }
    const all = (glass.checks[chapter] = glass.checks[chapter] || {});
    all[name] = {
      count: theirs.length,
      deviation,
      ok: deviation <= tolerance * Math.max(scale, 1e-30),
    };
  };
  glass.check_summary = (chapter) => {
    const all = Object.values(glass.checks[chapter] || {});
    if (!all.length) return null;
    return {
      ok: all.every((check) => check.ok),
      count: all.reduce((sum, check) => sum + check.count, 0),
      deviation: all.reduce((most, check) => Math.max(most, check.deviation), 0),
    };
  };

  glass.reduced_motion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  return glass;
})();
