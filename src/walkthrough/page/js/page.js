// The frame: opening, chapters, contents, language, theme.
"use strict";
(function() {
const {h, t} = glass;
const languages = {
  en: "en",
  zh: "zh-CN"
};
const memory = {
  get: (key) => {
    try {
      return localStorage.getItem(`glassgpt.${key}`);
    } catch {
      return null;
    }
  },
  set: (key, value) => {
    try {
      localStorage.setItem(`glassgpt.${key}`, value);
    } catch { /* private */
    }
  },
};

const paragraphs = (id) => {
  const result = [];
  for (let i = 1; glass.has_text(`${id}.text${i}`); i++) {
    result.push(h("p", {}, glass.rich(`${id}.text${i}`, glass.places())));
  }
  return result;
};
// Numbers of the model that texts may name.
glass.places = () => {
  const model = glass.data.model;
  return {
    model: model.name,
    layers: model.n_layer,
    heads: model.n_head,
    head_dim: model.head_dim,
    width: model.n_embd,
    vocabulary: glass.integer(model.vocab_size),
    parameters: glass.integer(model.parameters),
    context: model.n_positions,
    tokens: glass.data.text.ids.length,
  };
};

const command = (text) => {
  const copy = h("button.copy", {
    type: "button",
    "aria-label": t("page.copy_label"),
    onclick: () => {
      const done = () => {
        copy.textContent = t("page.copied");
        glass.say(t("page.copied"));
      };
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
    },
  },
    t("page.copy"));
  return h("div.command", {}, h("code", {tabindex: 0}, text), copy);
};
glass.command = command;

// What prints a chapter's numbers: all of them, and a part of them where there is a narrower
// command.
const sources = (narrow) => {
  const line = (text, key) => h("div.printed", {}, command(text), h("small", {}, t(key)));
  const all = glass.data.command;
  return [
    narrow && narrow !== all ? line(narrow, "page.prints_part") : null,
    line(all, "page.prints_all"),
  ];
};

// Whether some tensor of a chapter has fewer bits than the program's number.
const shortened = (value) => value && typeof value === "object" &&
  (["f16", "f24", "i8"].includes(value.dtype) || Object.values(value).some(shortened));

const badge = (id) => {
  const summary = glass.check_summary(id);
  if (!summary) return null;
  const text = t(summary.ok ? "page.checked" : "page.unchecked", {
    count: glass.integer(summary.count),
    deviation: glass.small(summary.deviation),
  }) +
    (shortened(glass.data[id]) ? t("page.shortened") : "");
  return h(`span.checked${summary.ok ? "" : ".wrong"}`, {"data-deviation": summary.deviation},
    `${summary.ok ? "✓" : "✗"} `, h("small", {}, text));
};

const chapter_element = (chapter, number) => {
  const id = chapter.id;
  const figure = h("figure", {"aria-label": t(`${id}.title`)});
  const here = glass.data[chapter.data];
  const section = h("section.chapter",
    {id: `chapter-${number}`, "aria-labelledby": `title-${number}`, "data-id": id},
    h("header", {}, h("span.numeral", {"aria-hidden": "true"}, String(number)),
      h("h2", {id: `title-${number}`}, t(`${id}.title`))),
    h("p.idea", {}, glass.rich(`${id}.idea`, glass.places())), h("div.words", {}, paragraphs(id)),
    figure,
    h("p.try", {}, h("b", {}, t("page.try")),
      h("span", {}, glass.rich(`${id}.try`, glass.places()))),
    here ? h("div.source", {}, sources(here.command), badge(id)) : null);
  if (here)
    chapter.figure(figure);
  else
    figure.append(h("p.note", {}, t("page.not_here")));
  return section;
};

// Draws one chapter again, with the state that it has.
glass.remount = (id) => {
  const number = glass.chapters.findIndex((chapter) => chapter.id === id) + 1;
  const old = document.getElementById(`chapter-${number}`);
  const focus = old.contains(document.activeElement) ? path_to(old, document.activeElement) : null;
  const fresh = chapter_element(glass.chapters[number - 1], number);
  old.replaceWith(fresh);
  if (focus) follow(fresh, focus)?.focus({preventScroll: true});
};
const path_to = (root, element) => {
  const path = [];
  for (let at = element; at !== root; at = at.parentElement) {
    path.unshift([...at.parentElement.children].indexOf(at));
  }
  return path;
};
const follow = (root, path) => path.reduce((at, index) => at?.children[index], root);

const opening = () => {
  const {text, model} = glass.data;
  const fact = (key, value) => h("span", {}, h("b", {}, value), ` ${t(key)}`);
  glass.fill(document.querySelector(".opening"), h("h1", {}, t("page.title")),
    h("p.lead", {}, glass.rich("page.lead", glass.places())), glass.token_strip(),
    h("div.facts", {}, fact("page.fact.tokens", text.ids.length),
      fact("page.fact.bytes", text.bytes_total), fact("page.fact.layers", model.n_layer),
      fact("page.fact.heads", model.n_head), fact("page.fact.width", model.n_embd),
      fact("page.fact.parameters", glass.integer(model.parameters))),
    h("div.source", {}, command(glass.data.command)));
};

const contents = () => {
  const nav = document.getElementById("contents");
  glass.fill(nav,
    h("ol", {},
      glass.chapters.map(
        (chapter, i) => h("li", {},
          h("a", {href: `#chapter-${i + 1}`, onclick: () => toggle_contents(false)},
            h("span", {}, String(i + 1)), h("span", {}, t(`${chapter.id}.title`)))))));
};
const toggle_contents = (open) => {
  document.getElementById("contents").classList.toggle("open", open);
  document.querySelector(".menu").setAttribute("aria-expanded", open);
};

const mark_place = () => {
  const sections = [...document.querySelectorAll(".chapter")];
  const current =
    sections.filter((section) => section.getBoundingClientRect().top < innerHeight * 0.4).pop();
  document.querySelectorAll("#contents a").forEach((link) => {
    if (current && link.hash === `#${current.id}`)
      link.setAttribute("aria-current", "location");
    else
      link.removeAttribute("aria-current");
  });
  const room = document.documentElement.scrollHeight - innerHeight;
  document.querySelector(".progress i").style.width = `${room > 0 ? (100 * scrollY) / room : 0}%`;
};

const draw_all = () => {
  document.documentElement.lang = languages[glass.state.language];
  document.title = `glassgpt: ${t("page.title")}`;
  document.querySelectorAll("[data-text]").forEach((element) => {
    element.textContent = t(element.dataset.text);
  });
  document.querySelectorAll("[data-label]")
    .forEach((element) => element.setAttribute("aria-label", t(element.dataset.label)));
  document.querySelectorAll("[data-title]").forEach((element) => {
    element.title = t(element.dataset.title);
  });
  document.querySelectorAll("[data-language]")
    .forEach((button) => button.setAttribute(
               "aria-pressed", button.dataset.language === glass.state.language));
  opening();
  contents();
  glass.fill(document.getElementById("chapters"),
    glass.chapters.map((chapter, i) => chapter_element(chapter, i + 1)));
  glass.fill(document.querySelector("footer"), h("p", {}, glass.rich("page.footer", {
    version: glass.data.glassgpt,
    model: glass.data.model.name,
  })));
  mark_place();
};

const set_language = (language) => {
  glass.state.language = language;
  memory.set("language", language);
  // The reader stays at the chapter that is being read.
  const here = document.querySelector("#contents a[aria-current]")?.hash;
  const before = here ? document.querySelector(here).getBoundingClientRect().top : null;
  draw_all();
  if (here)
    scrollBy({
      top: document.querySelector(here).getBoundingClientRect().top - before,
      behavior: "instant"
    });
};
const set_theme = (theme) => {
  document.documentElement.dataset.theme = theme;
  glass.fill(document.querySelector(".theme"),
    glass.svg("svg", {viewBox: "0 0 20 20", width: 18, height: 18, "aria-hidden": "true"},
      glass.svg("circle",
        {cx: 10, cy: 10, r: 7, fill: "none", stroke: "currentColor", "stroke-width": 1.6}),
      glass.svg("path", {d: "M10 3a7 7 0 0 1 0 14z", fill: "currentColor"})));
};

const start = () => {
  const wanted = new URLSearchParams(location.search).get("lang") || memory.get("language") ||
    (navigator.language.startsWith("zh") ? "zh" : "en");
  glass.state.language = languages[wanted] ? wanted : "en";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  set_theme(memory.get("theme") || (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => {
    if (!memory.get("theme")) {
      set_theme(dark.matches ? "dark" : "light");
      draw_all();
    }
  });
  document.querySelectorAll("[data-language]")
    .forEach(
      (button) => button.addEventListener("click", () => set_language(button.dataset.language)));
  document.querySelector(".theme").addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    memory.set("theme", next);
    set_theme(next);
    draw_all();
  });
  document.querySelector(".menu").addEventListener("click",
    (event) => toggle_contents(event.currentTarget.getAttribute("aria-expanded") !== "true"));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") toggle_contents(false);
  });
  addEventListener("scroll", mark_place, {passive: true});

  const {attention, text} = glass.data;
  glass.state.token = attention ? attention.start.token : Math.max(0, text.ids.length - 2);
  for (const chapter of glass.chapters)
    if (chapter.check && glass.data[chapter.data]) chapter.check();
  draw_all();
  // The pictures above a chapter that the address names have their heights only now.
  if (location.hash) document.querySelector(location.hash)?.scrollIntoView({behavior: "instant"});
  document.documentElement.dataset.ready = "true";
};
start();
})();
