// What the page's tests ask in the browser, in one place.
window.probes = (() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const brief = (element) => element.outerHTML.slice(0, 90);

  const brightness = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).map(Number).map((part) => {
      const x = part / 255;
      return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [light, dark] = [brightness(a), brightness(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const clear = "rgba(0, 0, 0, 0)";
  const ground_of = (element) => {
    let at = element;
    while (at && getComputedStyle(at).backgroundColor === clear) at = at.parentElement;
    return getComputedStyle(at || document.body).backgroundColor;
  };

  return {
    // Texts with less contrast than WCAG's 4.5 : 1.
    pale_texts: () => {
      const pale = [];
      for (const element of all("p, h1, h2, h3, td, th, button, span, small, code")) {
        const has_text =
          [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        const colour = getComputedStyle(element).color, ground = ground_of(element);
        if (!element.offsetParent || !has_text || colour === clear || element.disabled) continue;
        if (!ground.startsWith("rgb(")) continue;
        const ratio = contrast(colour, ground);
        if (ratio < 4.5) pale.push([element.className, element.textContent.slice(0, 30), ratio]);
      }
      return pale;
    },
    // What reaches out of its figure and does not scroll there.
    sticking_out: () =>
      all("figure canvas, figure svg, figure button, figure p")
        .filter((element) => !element.closest(".scroll, .stages, .tokens, svg svg"))
        .filter((element) => {
          const right = element.getBoundingClientRect().right;
          return right > element.closest("figure").getBoundingClientRect().right + 1;
        })
        .map(brief),
    unnamed: () =>
      all("button, input, select, textarea, figure, nav, [role=application], " +
        "[role=radiogroup], [role=region]")
        .filter((element) => !(element.getAttribute("aria-label") || element.textContent.trim() ||
                  element.labels?.[0]?.textContent.trim()))
        .map(brief),
    // Groups that the tab key cannot enter.
    unreachable: () =>
      all("[role=radiogroup]")
        .filter((group) => group.offsetParent && !group.querySelector("[role=radio][tabindex='0']"))
        .map(brief),
    requests: () => performance.getEntriesByType("resource")
                      .map((entry) => entry.name)
                      .filter((name) => !name.startsWith("data:")),
    labels: (selector) => all(selector).map((element) => element.getAttribute("aria-label")),
    board_ids: () => all("#chapter-4 .board .token").map((element) => Number(element.dataset.id)),
    chosen_tokens: () =>
      all(".tokens [aria-checked='true']").map((element) => element.dataset.index),
    // The place of a cell of the large matrix of chapter 7, in the canvas's pixels.
    cell_place: (row, col) => {
      const {left, above, width, height} = document.querySelector("#chapter-7 .matrix").geometry();
      const count = glass.data.text.ids.length;
      return [left + ((col + 0.5) * width) / count, above + ((row + 0.5) * height) / count];
    },
    weight: (row, col) => {
      const {weights, start} = glass.data.attention;
      return glass.tensor(weights).row(start.layer, start.head, row)[col];
    },
    // Heads whose small picture is paler somewhere than a weight that lies there.
    dim_thumbnails: () => {
      const {weights} = glass.data.attention, tensor = glass.tensor(weights);
      const count = glass.data.text.ids.length, palette = glass.draw.palette("share").map(String);
      // Shades that look alike have one colour, and the place of the first of them.
      const shades =
        new Map([...palette.entries()].reverse().map(([shade, colour]) => [colour, shade]));
      return all(".thumb").map((button) => button.dataset.head).filter((name) => {
        const [layer, head] = name.split(".").map(Number);
        const canvas = document.querySelector(`[data-head='${name}'] canvas`),
              {width, height} = canvas;
        const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
        for (let row = 0; row < count; row++) {
          const wanted = tensor.row(layer, head, row);
          for (let col = 0; col <= row; col++) {
            const at =
              4 * (Math.floor((row * height) / count) * width + Math.floor((col * width) / count));
            const shade = shades.get(String([data[at], data[at + 1], data[at + 2]]));
            const least = shades.get(palette[Math.round(255 * Math.sqrt(wanted[col]))]);
            if (!(shade >= least)) return true;
          }
        }
        return false;
      });
    },
    checks: () => glass.chapters.map((chapter) => [chapter.id, glass.check_summary(chapter.id)]),
    // Milliseconds of eight of the reader's acts, the page laid out again included.
    times: (act) => Array.from({length: 8},
      (_, i) => {
        const start = performance.now();
        acts[act](i);
        document.body.offsetHeight;
        return performance.now() - start;
      }),
  };
})();

const acts = {
  choose_a_token: (i) => glass.choose_token(i % 2 ? 200 : 100),
  hover_a_matrix: (i) => {
    const canvas = document.querySelector("#chapter-7 .big canvas");
    const {left, bottom} = canvas.getBoundingClientRect();
    canvas.dispatchEvent(
      new PointerEvent("pointermove", {clientX: left + 9 + 3 * i, clientY: bottom - 20 - 2 * i}));
  },
  change_the_head: (i) => document.querySelector(`[data-head='${i % 6}.${i % 8}']`).click(),
  change_the_language: (i) =>
    document.querySelector(`[data-language=${i % 2 ? "zh" : "en"}]`).click(),
};
