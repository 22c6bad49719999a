#include "word2vec/word_table.h"

#include <limits>

#include "glassgpt/error.h"
#include "train/hash.h"

namespace glassgpt::word2vec {

WordTable::WordTable() : slots_(1 << 16) {}

std::uint32_t WordTable::count(std::string_view word) {
  const std::uint64_t hash = training::Hasher().add(word).value();
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    Entry& entry = entries_[slots_[slot] - 1];
    if (entry.hash == hash && this->word(slots_[slot] - 1) == word) {
      ++entry.count;
      return slots_[slot] - 1;
    }
  }
  if (entries_.size() + 2 >= std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorCode::kOutOfRange, "", "more than 2^32 different words",
                "train on a part of the text");
  }
  const auto number = static_cast<std::uint32_t>(entries_.size());
  entries_.push_back({hash, bytes_.size(), word.size(), 1});
  bytes_.append(word);
  slots_[slot] = number + 1;
  if (2 * entries_.size() > slots_.size()) grow();
  return number;
}

void WordTable::grow() {
  slots_.assign(2 * slots_.size(), 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t number = 0; number < entries_.size(); ++number) {
    std::size_t slot = entries_[number].hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<std::uint32_t>(number + 1);
  }
}

}  // namespace glassgpt::word2vec
