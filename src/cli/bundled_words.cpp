#include "cli/bundled_words.h"

#include "cli/options.h"

namespace glassgpt::cli {

std::vector<NamedWordVectors> bundled_word_vectors() {
  std::vector<NamedWordVectors> files;
  for (const char* lang : {"en", "zh"}) {
    const std::filesystem::path file = bundled_weights(std::string("words/") + lang + ".bin");
    if (!file.empty()) files.push_back({file, lang, WordVectors::load(file)});
  }
  return files;
}

}  // namespace glassgpt::cli
