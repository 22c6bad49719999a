#include "tokenizer/byte_alphabet.h"

#include "tokenizer/unicode.h"

namespace glassgpt::tokenizer {
namespace {

constexpr bool is_printable(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

constexpr std::size_t kStandIns = 0x144;  // one past the last stand-in

struct Tables {
  std::array<char16_t, 256> stand_in{};
  std::array<std::int16_t, kStandIns> byte_of{};
  std::array<std::uint8_t, 256> order{};
};

constexpr Tables make_tables() {
  Tables tables;
  for (auto& byte : tables.byte_of) byte = -1;
  std::size_t next = 0;
  for (const bool printable : {true, false}) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (is_printable(byte) != printable) continue;
      const std::size_t point = printable ? byte : 0x100 + (next - 188);
      tables.stand_in[byte] = static_cast<char16_t>(point);
      tables.byte_of[point] = static_cast<std::int16_t>(byte);
      tables.order[next++] = static_cast<std::uint8_t>(byte);
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

const std::array<std::uint8_t, 256>& alphabet() noexcept { return kTables.order; }

std::string to_stand_ins(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const char16_t point = kTables.stand_in[static_cast<unsigned char>(byte)];
    if (point < 0x80) {
      text.push_back(static_cast<char>(point));
    } else {
      text.push_back(static_cast<char>(0xC0 | point >> 6));
      text.push_back(static_cast<char>(0x80 | (point & 0x3F)));
    }
  }
  return text;
}

std::optional<std::string> from_stand_ins(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    const Character character = character_at(at, end);
    if (character.value >= kStandIns || kTables.byte_of[character.value] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kTables.byte_of[character.value]));
    at += character.length;
  }
  return bytes;
}

}  // namespace glassgpt::tokenizer
