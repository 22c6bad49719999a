#!/usr/bin/env python3
"""The page's texts: both languages have all of them, with the same places, and nothing is left over.

usage: texts_test.py PAGE_DIRECTORY [unittest arguments]
"""
import json
import pathlib
import re
import sys
import unittest

PAGE = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "src/walkthrough/page")
LANGUAGES = ("en", "zh")
# Keys that scripts put together: the part that varies is found by the pattern.
BUILT = (r"[a-z_]+\.(title|idea|try|text[0-9])", r"skip_gram\.(column\.\w+|one|one_epoch|restart|among_all|among_page|unknown)",
         r"attention\.(column|stage)\.\w+", r"positions\.(sinusoidal|learned)(_of|_rows)?",
         r"embedding\.view\.\w+", r"layers\.(pca|path_note)\.\w+", r"cost\.(column|stage)\.\w+", r"cost\.(together|each)")


def texts(language):
    pairs = json.loads((PAGE / "text" / f"{language}.json").read_text(encoding="utf-8"),
                       object_pairs_hook=lambda pairs: pairs)
    return pairs


def sources():
    names = (PAGE / "files.txt").read_text(encoding="utf-8").split()
    wanted = [name for name in [*names, "index.html"] if name.endswith((".js", ".html"))]
    return {name: (PAGE / name).read_text(encoding="utf-8") for name in wanted}


def used_keys():
    keys = set()
    for text in sources().values():
        # Any string of the form "group.name" whose group is one of the texts' groups.
        groups = {key.split(".")[0] for key, _ in texts("en")}
        for key in re.findall(r"\"([a-z_]+(?:\.[a-z_0-9]+)+)\"", text):
            if key.split(".")[0] in groups:
                keys.add(key)
    return keys


class Texts(unittest.TestCase):
    def test_both_languages_have_the_same_keys_in_the_same_order(self):
        english, chinese = ([key for key, _ in texts(language)] for language in LANGUAGES)
        self.assertEqual(english, chinese)
        self.assertGreater(len(english), 100)

    def test_no_key_is_there_twice_and_no_text_is_empty(self):
        for language in LANGUAGES:
            pairs = texts(language)
            keys = [key for key, _ in pairs]
            self.assertEqual(len(keys), len(set(keys)), language)
            for key, text in pairs:
                self.assertTrue(isinstance(text, str) and text.strip(), (language, key))

    def test_a_text_has_the_same_places_in_both_languages(self):
        english, chinese = (dict(texts(language)) for language in LANGUAGES)
        for key in english:
            self.assertEqual(sorted(set(re.findall(r"\{\w+\}", english[key]))),
                             sorted(set(re.findall(r"\{\w+\}", chinese[key]))), key)

    def test_every_text_that_the_scripts_name_is_there(self):
        self.assertEqual(used_keys() - {key for key, _ in texts("en")}, set())

    def test_no_text_is_left_over(self):
        unused = [key for key, _ in texts("en")
                  if key not in used_keys() and not any(re.fullmatch(pattern, key) for pattern in BUILT)]
        self.assertEqual(unused, [])

    def test_scripts_hold_no_sentences(self):
        # A sentence in a script would be in one language: two words or a Han character in a string.
        for name, text in sources().items():
            if not name.endswith(".js"):
                continue
            code = re.sub(r"(?m)^\s*//.*$|(?<=[;,{(])\s+//.*$", "", text)
            self.assertEqual(re.findall(r"[\u4e00-\u9fff]", code), [], name)
            sentences = re.findall(r"\"[A-Z][a-z]+ [a-z]+ [a-z]+[^\"]*\"", code)
            self.assertEqual(sentences, [], name)

    def test_chinese_has_full_width_marks_and_no_halves_beside_han(self):
        for key, text in texts("zh"):
            shown = re.sub(r"`[^`]*`|\{\w+\}", "x", text)
            self.assertEqual(re.findall(r"[\u4e00-\u9fff][,;:?!()]|[,;:?!(][\u4e00-\u9fff]", shown), [], key)
            self.assertEqual(re.findall(r"[\u4e00-\u9fff]\.(?:\s|$)", shown), [], key)
            self.assertNotRegex(shown, "[\"']", key)
            # A space between Han and Latin letters or digits; none between two Han characters.
            self.assertEqual(re.findall(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]",
                                        re.sub(r"\{\w+\}", "", text)), [], key)
            self.assertEqual(re.findall(r"[\u4e00-\u9fff] [\u4e00-\u9fff]", shown), [], key)

    def test_every_listed_file_is_there_and_every_file_is_listed(self):
        names = (PAGE / "files.txt").read_text(encoding="utf-8").split()
        self.assertEqual(len(names), len(set(names)))
        found = {str(path.relative_to(PAGE)) for folder in ("css", "js", "text")
                 for path in (PAGE / folder).glob("[!.]*")}
        self.assertEqual(set(names), found)


if __name__ == "__main__":
    unittest.main()
