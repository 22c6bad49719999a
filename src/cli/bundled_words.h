// The word vectors that come with the program: weights/words, a file for each language.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "glassgpt/word2vec.h"

namespace glassgpt::cli {

struct NamedWordVectors {
  std::filesystem::path path;
  std::string lang;  // "en", "zh"; empty for a file of the user's own
  WordVectors vectors;
};

// Those that are there, English first.
std::vector<NamedWordVectors> bundled_word_vectors();

}  // namespace glassgpt::cli
