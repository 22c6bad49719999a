// Text files as a vocabulary and the numbers of its words.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "glassgpt/word2vec.h"

namespace glassgpt::word2vec {

// A line is cut after so many words of the vocabulary, for a text may have no line ends at all.
inline constexpr std::size_t kSentenceWords = 1000;

struct Corpus {
  // Words that occur min_count times or more: by count, most frequent first, then by bytes.
  std::vector<std::string> words;
  std::vector<std::uint64_t> counts;
  std::vector<std::uint32_t> tokens;         // all sentences, one behind the other
  std::vector<std::uint64_t> sentence_ends;  // ascending, the last is tokens.size(); none is empty
  std::uint64_t rare = 0;                    // occurrences of other words
};

struct CorpusOptions {
  WordSplit split = WordSplit::kText;
  bool lower_case = true;
  std::size_t min_count = 5;
  int threads = 1;
  // From the calling thread: bytes read, of how many. May throw.
  std::function<void(std::uint64_t, std::uint64_t)> progress;
};

// Memory: 4 bytes per word of the text, and the different words. Throws Error for a file that
// cannot be read or is not UTF-8.
Corpus read_corpus(std::span<const std::filesystem::path> files, const CorpusOptions& options);

}  // namespace glassgpt::word2vec
