#!/usr/bin/env python3
"""The page in a real browser: languages, chapters, pointer, keyboard, and numbers beside the program's.

usage: page_test.py GLASSGPT CHROMIUM CHROMEDRIVER [unittest arguments]
"""
import json
import math
import pathlib
import re
import struct
import sys
import tempfile
import time
import unittest

from browser import Browser, CSS, Keys, MINUS, number, run, run_json

GLASSGPT, CHROMIUM, DRIVER = sys.argv[1:4]
del sys.argv[1:4]
TEXT = "The bank of the river, and 他把钱存进了银行。 She said <b>\"no\"</b> & sat."
LANGUAGES = {"en": "en", "zh": "zh-CN"}
CHAPTERS = 11
PICTURES = ("canvas", "svg", "table", ".board .token")
# A key or a place that nobody filled would show as such.
NOT_FILLED = r"\{[a-z_]+\}|\bundefined\b|\bNaN\b|\[object"
OWN_COUNT = "#chapter-1 tbody tr:first-child td:last-child input"


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def angle(a, b):
    return math.degrees(math.acos(min(1, cosine(a, b))))


def numbers_named(value, name):
    """All numbers of that name in JSON, in their order."""
    if isinstance(value, list):
        return [number_ for inner in value for number_ in numbers_named(inner, name)]
    if not isinstance(value, dict):
        return []
    found = [inner for key, inner in value.items() if key == name and isinstance(inner, (int, float))]
    return found + numbers_named([inner for key, inner in value.items() if key != name], name)


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.page = pathlib.Path(cls.folder.name) / "page.html"
        run(GLASSGPT, "walkthrough", "-o", str(cls.page), "--", TEXT)
        cls.browser = Browser(CHROMIUM, DRIVER)

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        cls.folder.cleanup()

    def tearDown(self):
        self.assertEqual(self.browser.log(), [], "the console is silent")

    def chapter(self, number_, selector=""):
        return f"#chapter-{number_} {selector}"

    def data(self, path):
        return self.browser.script(f"return glass.data.{path}")


class Frame(Page):
    def test_every_chapter_stands_in_both_languages_with_its_picture_and_command(self):
        for language, tag in LANGUAGES.items():
            with self.subTest(language):
                self.browser.open(self.page, language)
                self.assertEqual(self.browser.script("return document.documentElement.lang"), tag)
                titles = self.browser.texts(".chapter h2")
                self.assertEqual(len(titles), CHAPTERS)
                texts = json.loads(self.browser.text(f"#text-{language}"))
                for i, title in enumerate(titles, 1):
                    self.assertIn(title, texts.values())
                    pictures = ", ".join(self.chapter(i, f"figure {kind}") for kind in PICTURES)
                    self.assertGreater(len(self.browser.all(pictures)), 0, title)
                    self.assertTrue(self.browser.text(self.chapter(i, ".try span")).strip())
                    commands = self.browser.texts(self.chapter(i, ".command code"))
                    self.assertTrue(any(text.startswith("glassgpt ") for text in commands), title)
                self.assertNotRegex(self.browser.script("return document.body.innerText"), NOT_FILLED)

    def test_the_language_changes_while_reading_and_the_state_stays(self):
        self.browser.open(self.page, "en")
        self.browser.set_value(OWN_COUNT, 77)
        self.browser.click("[data-language=zh]")
        self.assertEqual(self.browser.script("return document.documentElement.lang"), "zh-CN")
        self.assertRegex(self.browser.text(self.chapter(1, "h2")), "[\u4e00-\u9fff]")
        self.assertEqual(self.browser.one(OWN_COUNT).get_attribute("value"), "77")
        self.browser.click("[data-language=en]")
        self.assertNotRegex(self.browser.text(self.chapter(1, "h2")), "[\u4e00-\u9fff]")

    def test_examples_are_in_the_readers_language_until_one_is_chosen(self):
        choices = ("#chapter-9 .tools", "#chapter-10 .tools:has([data-act=next])")
        chosen = lambda: [self.browser.text(f"{group} [aria-checked=true]") for group in choices]
        self.browser.open(self.page, "en")
        self.assertEqual(chosen(), ["bank", "The river"])
        self.browser.click("[data-language=zh]")
        self.assertEqual(chosen(), ["苹果", "北京"])
        self.browser.click(f"{choices[0]} [data-value='0']")
        self.browser.click(f"{choices[1]} [data-value='0']")
        self.assertEqual(chosen(), ["bank", "The river"])
        self.browser.click("[data-language=en]")
        self.browser.click("[data-language=zh]")
        self.assertEqual(chosen(), ["bank", "The river"])

    def test_every_chapter_names_the_command_that_prints_all_and_chinese_names_its_layers(self):
        self.browser.open(self.page, "zh")
        whole = self.data("command")
        for i in range(1, CHAPTERS + 1):
            self.assertEqual(self.browser.texts(self.chapter(i, "> .source .printed code"))[-1], whole)
        self.browser.keys("#chapter-8 .stream canvas", *[Keys.ARROW_DOWN] * (self.data("model.n_layer") + 1))
        self.assertTrue(self.browser.text("#chapter-8 .stream .readout").startswith("最后的归一化之后，第 0 维："))
        self.assertTrue(self.browser.text("#chapter-9 .angles").startswith("最后的归一化之后："))

    def test_nothing_comes_from_elsewhere(self):
        self.browser.open(self.page)
        self.assertEqual(self.browser.probe("requests"), [])
        source = self.page.read_text(encoding="utf-8")
        # All but the data, in which the reader's text may say anything.
        source, data = re.subn(r'<script type="application/json" id="walkthrough-data">.*?</script>', "", source, flags=re.S)
        self.assertEqual(data, 1)
        self.assertIn("glass.chapter(", source)
        for mark in ("src=", "@import", "fetch(", "XMLHttpRequest", "url(http"):
            self.assertNotIn(mark, source)

    def test_a_page_of_a_tiny_model_has_its_vocabulary_and_no_gaps(self):
        folder = pathlib.Path(self.folder.name)
        corpus, shape, tokenizer, model = (folder / name for name in ("corpus.txt", "shape.json", "tokenizer", "tiny"))
        corpus.write_text("".join(f"The cat sat on mat {i}.\n\n猫坐在垫子上{i * i}。\n\n" for i in range(60)), encoding="utf-8")
        shape.write_text(json.dumps({"model_type": "gpt2", "vocab_size": 300, "n_positions": 16, "n_embd": 24, "n_layer": 2,
                                     "n_head": 2, "position_encoding": "learned"}))
        run(GLASSGPT, "train-tokenizer", "--vocab-size", "300", "--min-frequency", "1", "-o", str(tokenizer), str(corpus))
        run(GLASSGPT, "train", "--corpus", str(corpus), "--tokenizer", str(tokenizer), "--config", str(shape), "-o", str(model),
            "--steps", "1", "--batch-tokens", "64")
        page = model / "page.html"
        run(GLASSGPT, "walkthrough", "-m", str(model), "-o", str(page), "--", "The cat")
        for language in LANGUAGES:
            self.browser.open(page, language)
            self.assertRegex(self.browser.text("#chapter-2 .slider output"), r"^300\b")
            self.assertNotRegex(self.browser.script("return document.body.innerText"), NOT_FILLED)

    def test_it_fits_phones_and_desktops_in_light_and_dark(self):
        for width, height in ((360, 740), (768, 1024), (1440, 900)):
            for theme in ("light", "dark"):
                for language in LANGUAGES:
                    with self.subTest(width=width, theme=theme, language=language):
                        self.browser.open(self.page, language, width, height, theme)
                        self.assertLessEqual(self.browser.script("return document.documentElement.scrollWidth"), width)
                        self.assertEqual(self.browser.script("return document.documentElement.dataset.theme"), theme)
                        # No picture sticks out of its frame, unless it scrolls there.
                        self.assertEqual(self.browser.probe("sticking_out"), [])

    def test_the_theme_switch_repaints(self):
        self.browser.open(self.page, theme="light")
        before = self.browser.script("return getComputedStyle(document.body).backgroundColor")
        self.browser.click(".theme")
        self.assertNotEqual(self.browser.script("return getComputedStyle(document.body).backgroundColor"), before)
        self.assertEqual(self.browser.script("return document.documentElement.dataset.theme"), "dark")

    def test_text_has_contrast_in_both_themes(self):
        for theme in ("light", "dark"):
            self.browser.open(self.page, theme=theme)
            self.assertEqual(self.browser.probe("pale_texts"), [], theme)

    def test_everything_that_can_be_used_has_a_name_and_keyboard_focus(self):
        self.browser.open(self.page)
        self.assertEqual(self.browser.probe("unnamed"), [])
        self.assertEqual(self.browser.probe("unreachable"), [])
        for canvas in self.browser.all(".matrix canvas"):
            self.assertEqual(canvas.get_attribute("tabindex"), "0")
            self.assertTrue(canvas.get_attribute("aria-label"))

    def test_the_readers_text_is_shown_and_never_run(self):
        self.browser.open(self.page)
        self.assertEqual(self.browser.all(".opening .tokens b"), [])
        self.assertEqual("".join(self.browser.texts(".opening .token")).replace("·", " ").count("<"), TEXT.count("<"))


class Numbers(Page):
    """What stands on the page beside what the program prints."""

    def test_every_check_of_the_page_holds_and_shows_its_deviation(self):
        self.browser.open(self.page)
        summaries = self.browser.probe("checks")
        self.assertGreaterEqual(sum(summary is not None for _, summary in summaries), 9)
        for name, summary in summaries:
            if summary is None:
                continue
            self.assertTrue(summary["ok"], (name, summary))
            self.assertGreater(summary["count"], 2, name)
            self.assertRegex(self.browser.text(f"[data-id={name}] .checked"), "✓")

    def test_a_wrong_number_is_found_and_shown(self):
        self.browser.open(self.page)
        for wrong in ("NaN", "1.001", "-1"):
            self.browser.script(f"glass.check('vectors', 'wrong', {wrong}, 1); glass.remount('vectors')")
            self.assertRegex(self.browser.text("[data-id=vectors] .checked.wrong"), "✗")

    def test_the_three_texts_have_the_angles_of_their_counts(self):
        self.browser.open(self.page)
        v1, v2, v3 = (23, 32, 14, 10, 1, 0, 3, 2), (3, 2, 4, 0, 41, 30, 31, 12), (1, 3, 0, 2, 25, 23, 14, 10)
        self.assertEqual(number(self.browser.text("[data-pair='01'] b")), round(angle(v1, v2), 1))
        self.assertEqual(number(self.browser.text("[data-pair='12'] b")), round(angle(v2, v3), 1))
        self.assertEqual(round(angle(v2, v3), 1), 12.4)

    def test_tokens_are_those_of_tokenize(self):
        expected = run_json(GLASSGPT, "tokenize", "--json", "--", TEXT)
        self.browser.open(self.page)
        labels = self.browser.probe("labels", ".opening .token")
        self.assertEqual(len(labels), len(expected["ids"]))
        for label, token in zip(labels, expected["ids"]):
            self.assertTrue(label.endswith(f"id {token}"), label)
        shown = self.browser.probe("board_ids")
        self.assertEqual(shown, expected["ids"])

    def test_neighbours_are_those_of_nearest(self):
        self.browser.open(self.page)
        self.browser.click("#chapter-5 .token[data-index='1']")
        shown = [number(text.split()[0]) for text in self.browser.texts("#chapter-5 .neighbours:not(.formation *) .value")]
        printed = run_json(GLASSGPT, "nearest", "--json", "--top", str(len(shown)), "--", " bank")
        self.assertEqual(shown, [round(cosine_, 3) for cosine_ in numbers_named(printed, "cosine")])

    def test_nearest_words_and_analogies_are_those_of_word2vec(self):
        rounded = lambda printed: [(one["word"], round(one["cosine"], 3)) for one in printed["nearest"]]
        shown = lambda part: list(zip([text.replace(" ✓", "") for text in self.browser.texts(f"[data-part={part}] .name")],
                                      [number(text.split()[0]) for text in self.browser.texts(f"[data-part={part}] .value")]))
        for language, chip, words in (("en", 2, ("walk", "walked", "go")), ("zh", 2, ("法国", "巴黎", "英国"))):
            self.browser.open(self.page, language)
            self.browser.click(f".corpus_words .columns > :first-child .chip:nth-child({chip})")
            word = self.browser.text(f".corpus_words .columns > :first-child .chip:nth-child({chip})")
            printed = run_json(GLASSGPT, "word2vec", "--json", "--top", "8", "--nearest", word)
            self.assertEqual(shown("nearest"), rounded(printed))
            self.assertEqual(self.browser.text("[data-part=nearest] code"),
                             f"glassgpt word2vec --json --top 8 --nearest '{word}'")
            for place, term in enumerate(words):
                self.browser.set_value(f".terms input:nth-of-type({place + 1})", term)
            printed = run_json(GLASSGPT, "word2vec", "--json", "--top", "8", "--analogy", *words)
            self.assertEqual(shown("analogy"), rounded(printed))

    def test_lengths_of_the_stream_are_those_of_embed(self):
        embedded = run_json(GLASSGPT, "embed", "--json", "--layers", "all", "--", TEXT)
        self.browser.open(self.page)
        token = self.browser.script("return glass.state.token")
        layers = self.data("model.n_layer")
        expected = math.sqrt(sum(x * x for x in embedded["layers"][str(layers)][token]))
        self.assertIn(f"length {expected:.2f}", self.browser.text("#chapter-8 figure"))
        self.browser.keys("#chapter-8 .stream canvas", Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
        shown = self.browser.text("#chapter-8 .stream .readout")
        # Long texts' numbers are stored in 16 bits, and shown as they are stored.
        value = embedded["layers"]["1"][token][1]
        if self.data("layers.residual.dtype") == "f16":
            value = struct.unpack("<e", struct.pack("<e", value))[0]
        self.assertEqual(number(shown.split(":")[1]), round(value, 4))

    def test_a_cell_of_attention_is_the_product_of_the_printed_q_and_k(self):
        taps = run_json(GLASSGPT, "embed", "--json", "--layers", "0", "--taps", "q,k", "--", TEXT)["taps"]
        self.browser.open(self.page)
        layer, head = self.data("attention.start.layer"), self.data("attention.start.head")
        size = self.data("model.head_dim")
        query, key = 4, 1
        self.browser.click(f"#chapter-7 .token[data-index='{query}']")
        row = self.browser.texts(f"#chapter-7 .stages tr[data-key='{key}'] td")

        def of_head(name, token):
            return taps[f"{name}_{layer:02d}"][token][head * size:(head + 1) * size]

        dots = [sum(x * y for x, y in zip(of_head("q", query), of_head("k", j))) for j in range(query + 1)]
        scores = [dot / math.sqrt(size) for dot in dots]
        powers = [math.exp(score - max(scores)) for score in scores]
        self.assertAlmostEqual(number(row[0]), dots[key], delta=0.0006)
        self.assertAlmostEqual(number(row[1]), scores[key], delta=0.0006)
        self.assertAlmostEqual(number(row[4]), 100 * powers[key] / sum(powers), delta=0.006)

    def test_angles_of_one_word_are_those_of_similar(self):
        self.browser.open(self.page)
        for i, word in enumerate(self.data("contexts.words")):
            texts = [word[side]["text"] for side in ("a", "b")]
            printed = run_json(GLASSGPT, "similar", "--json", "--word", word["word"], "--", *texts)
            self.browser.click(f"#chapter-9 .tools [data-value='{i}']")
            shown = [number(text) for text in self.browser.texts("#chapter-9 .angles em")]
            last = printed["layers"]["final"]
            self.assertEqual(shown, [round(last["angle"], 1), round(last["centred_angle"], 1)])

    def test_the_cost_table_adds_up_the_measured_stages(self):
        self.browser.open(self.page)
        cells = [number(row) for row in self.browser.texts("#chapter-11 .costs tbody tr td:nth-child(3)")]
        stages = self.data("cost.profile.stages")
        self.assertAlmostEqual(sum(cells), sum(stage["ms"] for stage in stages), delta=0.0001 * len(cells))
        self.assertEqual(len(cells), len({stage["name"] for stage in stages}))
        self.browser.click("#chapter-11 [data-value=each]")
        self.assertEqual(len(self.browser.all("#chapter-11 .costs tbody tr")), len(stages))

    def test_the_implementations_are_compared_by_what_the_bars_show(self):
        self.browser.open(self.page)
        implementations = self.data("cost.implementations")
        for measure, field, decimals in (("ms", "ms", 4), ("gflops", "gflops_per_second", 1), ("roof", "percent_of_roof", 0)):
            self.browser.click(f"#chapter-11 [data-value={measure}]")
            rows = len(self.browser.all(".compared tbody tr"))
            self.assertEqual(rows, len(implementations[0]["stages"]))
            for place, one in enumerate(implementations):
                shown = self.browser.texts(f".compared tbody td:nth-of-type({place + 1})")
                # Halves may be rounded up or down.
                for text, stage in zip(shown, one["stages"]):
                    self.assertAlmostEqual(number(text.replace("–", "0")), stage[field], delta=0.501 * 10 ** -decimals)


class Playing(Page):
    """What the reader does, and what answers."""

    def test_edited_counts_change_angles_and_class(self):
        self.browser.open(self.page)
        self.browser.click("[data-preset=double]")
        self.assertEqual(number(self.browser.text("[data-pair='23'] b")), 0.0)
        self.assertIn("V3", self.browser.text(".verdict"))
        self.browser.click("[data-preset=flat]")
        v3 = (1, 3, 0, 2, 25, 23, 14, 10)
        self.assertEqual(number(self.browser.text("[data-pair='23'] b")), round(angle((1,) * 8, v3), 1))
        for row in range(1, 9):
            self.browser.set_value(f"#chapter-1 tbody tr:nth-child({row}) td:last-child input", 20 if row < 4 else 0)
        own = (20, 20, 20, 0, 0, 0, 0, 0)
        self.assertEqual(number(self.browser.text("[data-pair='23'] b")), round(angle(own, v3), 1))
        self.assertRegex(self.browser.text(".verdict"), "V1: economics")
        for row in range(1, 9):
            self.browser.set_value(f"#chapter-1 tbody tr:nth-child({row}) td:last-child input", 0)
        self.assertEqual(self.browser.text("[data-pair='23'] b"), "no angle")

    def test_every_pair_of_one_hot_vectors_is_equally_far(self):
        self.browser.open(self.page)
        seen = set()
        for first, second in ((1, 2), (2, 3), (3, 1)):
            self.browser.click(f".onehot:nth-child({first})")
            self.browser.click(f".onehot:nth-child({second})")
            seen.add(self.browser.text("#chapter-2 .readout").split("=", 1)[1])
        self.assertEqual(len(seen), 1)
        self.assertIn("90.0°", seen.pop())

    def test_skip_gram_steps_show_the_recorded_updates(self):
        self.browser.open(self.page, reduced=True)
        trace = self.data("skip_gram.traces.find(trace => trace.lang === 'en')")
        for update in trace["first"][:3]:
            self.browser.click("[data-act=one]")
            shown = [number(text) for text in self.browser.texts(".updates td:nth-child(3)")]
            self.assertEqual(shown, [round(target["probability"], 3) for target in update["targets"]])
            self.assertTrue(self.browser.text(".updates tbody th").startswith(trace["words"][update["word"]]))
            self.assertEqual(self.browser.text(".sentence .center"), trace["words"][update["word"]])
            self.assertEqual(self.browser.text(".sentence .context"), trace["words"][update["targets"][0]["word"]])
        epoch = lambda: int(re.match(r"Epoch (\d+): ", self.browser.text("#chapter-3 .loss")).group(1))
        self.assertEqual(epoch(), 1)
        start = self.browser.text(".together")
        self.browser.click("[data-act=run]")
        slider, deadline = "#chapter-3 input[type=range]", time.time() + 120
        while self.browser.one(slider).get_attribute("value") != str(trace["updates"]) and time.time() < deadline:
            time.sleep(0.2)
        self.assertEqual(self.browser.one(slider).get_attribute("value"), str(trace["updates"]))
        same, other = (number(text) for text in self.browser.texts(".together em"))
        self.assertNotEqual(self.browser.text(".together"), start)
        self.assertGreater(same, other + 0.3)
        # The chart's cursor is where the slider is, after a change of language too, and tells what it points at.
        self.assertEqual(epoch(), trace["epochs"])
        self.browser.click("[data-language=zh]")
        self.browser.click("[data-language=en]")
        self.assertEqual(epoch(), trace["epochs"])
        self.browser.keys("#chapter-3 .chart", Keys.ARROW_LEFT)
        self.assertEqual(epoch(), trace["epochs"] - 1)
        self.assertEqual(number(self.browser.text("#chapter-3 .loss em")), round(trace["loss"][-2], 3))

    def test_words_of_the_readers_own_are_answered_from_the_pages_vectors(self):
        self.browser.open(self.page)
        exported = {one["word"] for one in self.data("skip_gram.corpora[0].nearest")}
        word = next(word for word in self.data("skip_gram.corpora[0].words") if word not in exported and len(word) > 3)
        self.browser.set_value(".asked input", word.upper())
        values = [number(text.split()[0]) for text in self.browser.texts("[data-part=nearest] .value")]
        self.assertEqual(len(values), 8)
        self.assertEqual(values, sorted(values, reverse=True))
        # The page has fewer words than the program: its nearest cannot be nearer, but for the bytes' error.
        printed = run_json(GLASSGPT, "word2vec", "--json", "--top", "8", "--nearest", word)["nearest"]
        self.assertLess(values[0], printed[0]["cosine"] + 0.02)
        self.browser.set_value(".asked input", "qqqq")
        self.assertEqual(self.browser.all("[data-part=nearest] .value"), [])
        self.assertIn("qqqq", self.browser.text("[data-part=nearest] .note"))

    def test_snapshots_of_the_training_are_walked_through(self):
        words = ["king", "queen", "dog", "cat"]
        early, late = (1, 0, 0, 1, -1, 0, 0, -1), (1, 0, 1, 0, -1, 0, -1, 0)
        data = struct.pack("<2i", 0, 70) + struct.pack("<32f", *(early + late) * 2)
        header = {"__metadata__": {"format": "glassgpt snapshots 1", "words": json.dumps(words)},
                  "step": {"dtype": "I32", "shape": [2], "data_offsets": [0, 8]},
                  "table": {"dtype": "F32", "shape": [2, 4, 2], "data_offsets": [8, 72]},
                  "final": {"dtype": "F32", "shape": [2, 4, 2], "data_offsets": [72, 136]}}
        text = json.dumps(header).encode()
        model = pathlib.Path(self.folder.name) / "model"
        model.mkdir()
        for file in (pathlib.Path(__file__).parents[2] / "weights" / "mini").iterdir():
            if file.name != "snapshots.safetensors":
                (model / file.name).symlink_to(file)
        (model / "snapshots.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
        page = model / "page.html"
        run(GLASSGPT, "walkthrough", "-m", str(model), "-o", str(page), "--", "The bank")
        self.browser.open(page, reduced=True)
        self.assertEqual(self.browser.texts(".formation .readout em"), ["1.00", f"{MINUS}1.00"])
        self.browser.set_value(".formation input[type=range]", 0)
        self.assertEqual(self.browser.texts(".formation .readout em"), ["0.00", f"{MINUS}0.50"])
        self.assertEqual(self.browser.text(".formation output"), "0")
        self.assertEqual(len(self.browser.all(".formation [data-word]")), 4)
        self.browser.click(".formation [data-value='1']")
        self.assertIn("dog", self.browser.text(".formation .columns h3"))
        # Without a pointer: words are buttons, and the chart has a cursor that tells what it points at.
        self.browser.keys(".formation .chip:nth-child(2)", Keys.ENTER)
        self.assertIn("cat", self.browser.text(".formation .columns h3"))
        self.assertEqual(self.browser.text(".formation .chip[aria-pressed=true]"), "cat")
        self.browser.keys(".formation .chart", Keys.ARROW_RIGHT)
        self.assertEqual(self.browser.texts(".formation .readout em"), ["1.00", f"{MINUS}1.00"])
        self.assertIn("step 70", self.browser.text(".formation .readout"))

    def test_typed_text_is_tokenized_as_the_program_does_it(self):
        self.browser.open(self.page)
        for text in ("antidisestablishmentarianism", "魑魅魍魉 and 😀", "  two  spaces\n\ttab's",
                     "I'll don't 12345", "e\u0301 \u00a0x", ""):
            self.browser.set_value("#chapter-4 textarea", text)
            shown = self.browser.probe("board_ids")
            expected = run_json(GLASSGPT, "tokenize", "--json", "--", text)["ids"] if text else []
            self.assertEqual(shown, expected, text)

    def test_the_merge_slider_goes_from_bytes_to_tokens(self):
        self.browser.open(self.page)
        count = lambda: len(self.browser.all("#chapter-4 .board .token"))
        tokens = count()
        self.browser.set_value("#chapter-4 input[type=range]", 0)
        self.assertEqual(count(), len(TEXT.encode()))
        self.browser.set_value("#chapter-4 input[type=range]", 1)
        self.assertLess(count(), len(TEXT.encode()))
        # The rule is named by the rank that the command prints.
        steps = [step for piece in run_json(GLASSGPT, "tokenize", "--json", "--merges", "--", TEXT)["pieces"]
                 for step in piece["steps"]]
        first = min(steps, key=lambda step: step["rank"])
        self.assertIn(f"rank {first['rank']:,}:", self.browser.text("#chapter-4 .readout"))
        self.browser.set_value("#chapter-4 input[type=range]", 9999)
        self.assertEqual(count(), tokens)

    def test_a_token_chosen_in_one_chapter_is_chosen_in_all(self):
        self.browser.open(self.page)
        self.browser.click("#chapter-8 .token[data-index='2']")
        chosen = self.browser.probe("chosen_tokens")
        self.assertEqual(set(chosen), {"2"})
        self.assertGreaterEqual(len(chosen), 4)
        self.browser.keys("#chapter-8 .token[data-index='2']", Keys.ARROW_RIGHT)
        self.assertEqual(self.browser.script("return glass.state.token"), 3)
        self.assertEqual(self.browser.script("return document.activeElement.dataset.index"), "3")

    def test_pointing_at_a_cell_of_attention_shows_its_products(self):
        self.browser.open(self.page)
        tokens = len(self.data("text.ids"))
        row, col = tokens - 2, 1
        self.browser.point_at("#chapter-7 .big canvas", *self.browser.probe("cell_place", row, col))
        weight = self.browser.probe("weight", row, col)
        self.assertIn(f"{100 * weight:.2f}%", self.browser.text("#chapter-7 .cell_readout"))
        self.assertIn(f"{100 * weight:.2f}%", self.browser.text("#chapter-7 .products .formula"))
        # The products' sum is the product that the formula begins with.
        size = self.data("model.head_dim")
        total = 0
        for d in range(size):
            total += number(self.browser.text("#chapter-7 .product").split("=")[-1])
            self.browser.keys("#chapter-7 .products canvas", Keys.ARROW_RIGHT)
        dot = self.browser.text("#chapter-7 .products .formula").split("=")[1].split("×")[0]
        self.assertAlmostEqual(total, number(dot), delta=0.0005 * size + 0.0001)

    def test_each_row_of_the_mixture_is_its_weight_times_its_value(self):
        taps = run_json(GLASSGPT, "embed", "--json", "--layers", "0", "--taps", "v", "--", TEXT)["taps"]
        self.browser.open(self.page)
        layer, head, size = self.data("attention.start.layer"), self.data("attention.start.head"), self.data("model.head_dim")
        query = len(self.data("text.ids")) - 1
        self.browser.click(f"#chapter-7 .token[data-index='{query}']")
        weights = [self.browser.probe("weight", query, key) for key in range(query + 1)]
        values = [row[head * size] for row in taps[f"v_{layer:02d}"]]
        order = sorted(range(query + 1), key=lambda key: -weights[key])
        shown = []
        for _ in range(8):
            self.browser.keys("#chapter-7 .mixing canvas", Keys.ARROW_UP)
            shown.insert(0, self.browser.text("#chapter-7 .mixing .readout").split(", ", 1)[1])
        # Six keys and the rest of them: the eighth key press has nowhere to go.
        self.assertEqual(shown[0], shown[1])
        for text, key in zip(shown[1:7], order):
            weight, value, product = re.fullmatch(r"dimension 0: (\S+) × (\S+) = (\S+)", text).groups()
            self.assertAlmostEqual(number(weight), weights[key], delta=0.0006)
            self.assertAlmostEqual(number(value), values[key], delta=0.0006)
            self.assertAlmostEqual(number(product), weights[key] * values[key], delta=0.0002)
        rest = sum(weights[key] * values[key] for key in order[6:])
        self.assertAlmostEqual(number(shown[7].split(" = ")[1]), rest, delta=0.0005)

    def test_the_arrow_keys_walk_a_matrix_and_say_where(self):
        self.browser.open(self.page)
        canvas = "#chapter-7 .big canvas"
        self.browser.keys(canvas, Keys.HOME)
        first = self.browser.text("#chapter-7 .cell_readout")
        self.browser.keys(canvas, Keys.ARROW_RIGHT)
        second = self.browser.text("#chapter-7 .cell_readout")
        self.assertNotEqual(first, second)
        self.assertEqual(self.browser.text("#spoken"), second)
        self.browser.keys(canvas, Keys.ARROW_UP, Keys.ENTER)
        self.assertEqual(self.browser.script("return glass.state.token"), self.data("attention.start.token") - 1)

    def test_another_head_shows_its_own_weights(self):
        self.browser.open(self.page)
        self.browser.click("[data-head='0.0']")
        before = self.browser.text("#chapter-7 .cell_readout")
        self.browser.keys("[data-head='0.0']", Keys.ARROW_DOWN)
        self.assertEqual(self.browser.script("return document.activeElement.dataset.head"), "1.0")
        self.assertNotEqual(self.browser.text("#chapter-7 .cell_readout"), before)

    def test_the_curve_of_positions_moves_with_the_position(self):
        self.browser.open(self.page)
        width = self.data("model.n_embd")
        for position in (3, 30):
            self.browser.set_value("#chapter-6 input[type=range]", position)
            self.browser.keys("#chapter-6 .products_of .chart", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
            expected = sum(math.cos(2 / 10000 ** (2 * i / width)) for i in range(width // 2))
            self.assertAlmostEqual(number(self.browser.text("#chapter-6 .products_of em")), expected, delta=0.0006)

    def test_search_ranks_by_the_cosine(self):
        self.browser.open(self.page)
        values = [number(text) for text in self.browser.texts("#chapter-10 .hit b")]
        self.assertEqual(values, sorted(values, reverse=True))
        query = self.data("uses.search.find(item => item.lang === 'en').queries")[0]
        self.assertEqual(values[:3], [round(cosine_, 3) for _, cosine_ in query["ranking"][:3]])

    def test_generation_goes_token_by_token(self):
        self.browser.open(self.page)
        made = len(self.browser.all(".made"))
        self.browser.click("[data-act=next]")
        self.assertEqual(len(self.browser.all(".made")), made + 1)


class Large(unittest.TestCase):
    def test_a_page_of_the_whole_context_answers(self):
        """Times are printed, never asserted."""
        sentence = ("The bank lent him the money to buy an old boat, and every morning he rowed across the "
                    "river to the other bank. ")
        tokens = run_json(GLASSGPT, "tokenize", "--json", "--", sentence * 12)
        text = (sentence * 12).encode()[:tokens["bytes"][255][1]].decode()
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "large.html"
            run(GLASSGPT, "walkthrough", "-o", str(page), "--", text)
            browser = Browser(CHROMIUM, DRIVER)
            try:
                start = time.time()
                browser.open(page)
                print(f"\n256 tokens: {page.stat().st_size / 1e6:.1f} MB, open after {time.time() - start:.2f} s")
                self.assertEqual(len(browser.all(".opening .token")), 256)
                # A small picture has fewer cells than the head has weights: each is the largest of its own.
                self.assertEqual(browser.probe("dim_thumbnails"), [])
                for act in ("choose_a_token", "hover_a_matrix", "change_the_head", "change_the_language"):
                    times = sorted(browser.probe("times", act))
                    print(f"  {act.replace('_', ' ')}: median {times[4]:.1f} ms, worst {times[-1]:.1f} ms")
                self.assertTrue(all(summary is None or summary["ok"] for _, summary in browser.probe("checks")))
                self.assertEqual(browser.log(), [])
            finally:
                browser.quit()


del Page  # The tests are those of its heirs.

if __name__ == "__main__":
    unittest.main(verbosity=2)
