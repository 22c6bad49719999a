// How tokens are shown, and the strip from which one is chosen.
"use strict";
(function() {
const {h} = glass;
const han = /\p{Script=Han}/u;

// Spaces and line breaks made visible; bytes of cut characters and of what has no shape in
// hexadecimal.
const marks = {
  " ": "·",
  "\n": "↵",
  "\t": "⇥",
  "\r": "␍"
};
const shapeless = /^(?![\n\t\r])[\p{Cc}\p{Cf}\p{Co}\p{Cn}]+$/u;
glass.token_parts = (token) => {
  if (token.fragment || shapeless.test(token.text))
    return [["byte", token.hex.toUpperCase().replace(/(..)(?=.)/g, "$1 ")]];
  return token.text.split(/( |\n|\t|\r)/)
    .filter(Boolean)
    .map((part) => (marks[part] ? ["gap", marks[part]] : ["", part]));
};
// Bytes in hexadecimal as text, U+FFFD where they are not whole characters.
const decoder = new TextDecoder("utf-8", {ignoreBOM: true});
glass.text_of_bytes = (hex) =>
  decoder.decode(Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16)));
glass.token_label = (token) => glass.token_parts(token).map((part) => part[1]).join("");
// Within a sentence: without the mark of the space before a word.
glass.token_word = (token) => glass.token_label(token).replace(/^·(?=.)/, "");
// For titles and speech: the text itself, or its bytes.
glass.token_name = (token) => token.fragment ? glass.token_label(token) : `“${token.text}”`;
glass.token_span = (token) => h("span.shown", {lang: han.test(token.text) ? "zh-CN" : null},
  glass.token_parts(token).map(([kind, part]) => (kind ? h(`span.${kind}`, {}, part) : part)));

// The tokens of the reader's text as objects.
glass.tokens = () => {
  const {ids, tokens, hex, fragment} = glass.data.text;
  return ids.map((id, i) => ({id, text: tokens[i], hex: hex[i], fragment: fragment[i]}));
};

// One token is chosen for all chapters.
glass.choose_token = (index) => {
  if (index === glass.state.token) return;
  glass.state.token = index;
  glass.emit("token", index);
};

glass.token_strip = (label) => {
  const tokens = glass.tokens();
  const strip =
    h("div.tokens", {role: "radiogroup", "aria-label": label || glass.t("page.tokens")});
  const buttons = tokens.map((token, i) => h("button.token", {
    type: "button",
    role: "radio",
    "data-index": i,
    "aria-label": glass.t("page.token_label", {
      number: i,
      token: glass.token_name(token),
      id: token.id,
    }),
    onclick: () => glass.choose_token(i),
  },
                               glass.token_span(token)));
  strip.append(...buttons);
  let chosen = -1;
  const show = (index) => {
    for (const i of [chosen, index]) {
      if (!buttons[i]) continue;
      buttons[i].setAttribute("aria-checked", i === index);
      buttons[i].tabIndex = i === index ? 0 : -1;
    }
    chosen = index;
    if (strip.scrollHeight > strip.clientHeight) glass.scroll_inside(strip, buttons[index]);
  };
  buttons.forEach((button) => {
    button.tabIndex = -1;
    button.setAttribute("aria-checked", "false");
  });
  strip.addEventListener("keydown", (event) => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    const to = event.key === "Home" ? 0 :
      event.key === "End"           ? tokens.length - 1 :
      step                          ? (chosen + step + tokens.length) % tokens.length :
                                      null;
    if (to === null) return;
    event.preventDefault();
    glass.choose_token(to);
    buttons[to].focus();
  });
  show(glass.state.token);
  requestAnimationFrame(() => show(chosen));
  glass.on("token", strip, show);
  return strip;
};
})();
