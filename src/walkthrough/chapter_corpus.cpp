// Chapter 3's second half: what the same training makes of a real corpus, from the bundled vectors.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/bundled_words.h"
#include "cli/json_text.h"
#include "walkthrough/chapters.h"
#include "walkthrough/mathematics.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using Words = std::vector<std::string>;

constexpr std::size_t kNeighbours = 8;
// Words whose vectors the page has, for questions of the reader's own: a compromise with its size.
constexpr std::size_t kPageWords = 800;

// One language's vectors, and the words of them that the page will have.
class CorpusWords {
 public:
  CorpusWords(const cli::NamedWordVectors& file, const json& list)
      : vectors_(file.vectors), list_(list) {
    corpus_ = {{"lang", file.lang},
               {"file", "weights/words/" + file.lang + ".bin"},
               {"vocabulary", vectors_.size()},
               {"dim", vectors_.dim()},
               {"nearest", ordered_json::array()},
               {"analogies", ordered_json::array()},
               {"pairs", nullptr},
               {"words", nullptr},
               {"vectors", nullptr}};
  }

  void add_to(Document& document) {
    for (const json& word : list_["nearest"]) add_nearest(word);
    for (const json& analogy : list_["analogies"]) add_analogy(analogy);
    ordered_json& corpora = document.json["skip_gram"]["corpora"];
    const std::string pointer = "/skip_gram/corpora/" + std::to_string(corpora.size());
    Tensor xy = add_pairs();
    for (std::size_t i = 0; i < vectors_.size() && shown_.size() < kPageWords; ++i) show(i);
    Tensor directions = unit_vectors();
    corpora.push_back(std::move(corpus_));
    if (!xy.values.empty()) document.put(pointer + "/pairs/xy", std::move(xy));
    document.put(pointer + "/vectors", std::move(directions));
  }

 private:
  void show(std::size_t word) {
    if (std::find(shown_.begin(), shown_.end(), word) == shown_.end()) shown_.push_back(word);
  }

  // The words' numbers; empty unless all are there.
  std::vector<std::size_t> find(const Words& words) const {
    std::vector<std::size_t> found;
    for (const std::string& word : words) {
      const auto at = vectors_.find(word);
      if (!at) return {};
      found.push_back(*at);
    }
    return found;
  }

  ordered_json neighbours(const std::vector<WordVectors::Neighbour>& found) {
    ordered_json list = ordered_json::array();
    for (const WordVectors::Neighbour& near : found) {
      show(near.word);
      list.push_back({{"word", vectors_.word(near.word)},
                      {"cosine", nine_digits(static_cast<double>(near.cosine))}});
    }
    return list;
  }

  void add_nearest(const std::string& word) {
    const std::vector<std::size_t> at = find({word});
    if (at.empty()) return;
    show(at[0]);
    corpus_["nearest"].push_back(
        {{"command", fmt::format("glassgpt word2vec --json --top {} --nearest {}", kNeighbours,
                                 shell_quoted(word))},
         {"word", word},
         {"nearest", neighbours(vectors_.nearest(vectors_.vector(at[0]), kNeighbours, at))}});
  }

  void add_analogy(const json& analogy) {
    const Words words = analogy["words"].get<Words>();
    const std::vector<std::size_t> at = find(words);
    if (at.empty()) return;
    for (const std::size_t word : at) show(word);
    corpus_["analogies"].push_back(
        {{"command",
          fmt::format("glassgpt word2vec --json --top {} --analogy {} {} {}", kNeighbours,
                      shell_quoted(words[0]), shell_quoted(words[1]), shell_quoted(words[2]))},
         {"words", words},
         {"expected", analogy["expected"]},
         {"nearest", neighbours(vectors_.analogy(at[0], at[1], at[2], kNeighbours))}});
  }

  // Pairs of words of one relation on a plane: the two principal components of their directions.
  Tensor add_pairs() {
    ordered_json pairs = ordered_json::array();
    std::vector<double> rows;
    for (const json& pair : list_["pairs"]) {
      const std::vector<std::size_t> at = find(pair.get<Words>());
      if (at.empty()) continue;
      pairs.push_back(pair.get<Words>());
      for (const std::size_t word : at) {
        show(word);
        const std::vector<float> row = unit(word);
        rows.insert(rows.end(), row.begin(), row.end());
      }
    }
    if (pairs.size() < 2) return {};
    const std::size_t count = pairs.size();
    Components components = principal_components(rows, vectors_.dim(), 2);
    corpus_["pairs"] = {
        {"words", std::move(pairs)}, {"xy", nullptr}, {"explained", components.explained}};
    return {{count, 2, 2}, {}, std::move(components.coordinates)};
  }

  std::vector<float> unit(std::size_t word) const {
    const double length = norm(vectors_.vector(word));
    std::vector<float> row;
    for (const float value : vectors_.vector(word)) {
      row.push_back(static_cast<float>(static_cast<double>(value) / (length > 0 ? length : 1.0)));
    }
    return row;
  }

  Tensor unit_vectors() {
    ordered_json words = ordered_json::array();
    Tensor tensor{{shown_.size(), vectors_.dim()}, {}, {}};
    for (const std::size_t word : shown_) {
      words.push_back(vectors_.word(word));
      const std::vector<float> row = unit(word);
      tensor.values.insert(tensor.values.end(), row.begin(), row.end());
    }
    corpus_["words"] = std::move(words);
    return tensor;
  }

  const WordVectors& vectors_;
  const json& list_;
  ordered_json corpus_;
  std::vector<std::size_t> shown_;
};

}  // namespace

void add_corpora(Document& document, const json& examples) {
  document.json["skip_gram"]["corpora"] = ordered_json::array();
  for (const cli::NamedWordVectors& file : cli::bundled_word_vectors()) {
    for (const json& list : examples["corpora"]) {
      if (list["lang"] == file.lang) CorpusWords(file, list).add_to(document);
    }
  }
}

}  // namespace glassgpt::walkthrough
