// GPT-2's printable stand-ins for the 256 bytes, in which vocabulary files write tokens: a
// printable byte stands for itself, the others, in order, for U+0100 and on (so a space is U+0120).
// Source: Radford et al. 2019, encoder.py.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace glassgpt::tokenizer {

// The bytes in the order of their stand-ins: the printable ones first. Byte alphabet()[i] has id i
// in GPT-2.
const std::array<std::uint8_t, 256>& alphabet() noexcept;

// Bytes to stand-ins, in UTF-8.
std::string to_stand_ins(std::string_view bytes);

// The way back; nothing if the text has a character that stands for no byte.
std::optional<std::string> from_stand_ins(std::string_view text);

}  // namespace glassgpt::tokenizer
