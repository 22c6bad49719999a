// Words and how often they were seen, by open addressing: millions of look-ups a second.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glassgpt::word2vec {

// Numbers words in the order in which they come.
class WordTable {
 public:
  WordTable();
  // The word's number, a new one for a new word; counts it.
  std::uint32_t count(std::string_view word);

  std::size_t size() const noexcept { return entries_.size(); }
  std::string_view word(std::size_t number) const noexcept {
    const Entry& entry = entries_[number];
    return std::string_view(bytes_).substr(entry.begin, entry.length);
  }
  std::uint64_t occurrences(std::size_t number) const noexcept { return entries_[number].count; }

 private:
  struct Entry {
    std::uint64_t hash, begin, length, count;
  };
  void grow();

  std::string bytes_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  // number + 1, or 0; a power of two, at most half full
};

}  // namespace glassgpt::word2vec
