// Chapters 1 and 2: what came before learned vectors.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "cli/layer_vectors.h"
#include "walkthrough/chapters.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

std::vector<double> numbers(const json& list) { return list.get<std::vector<double>>(); }

// Cosines and angles of one text with all texts.
void compare(const json& counts, const json& texts, ordered_json& cosines, ordered_json& angles) {
  cosines = angles = ordered_json::array();
  for (const json& text : texts) {
    const double cosine = cli::centred_cosine(numbers(counts), numbers(text["counts"]), {});
    cosines.push_back(cosine);
    angles.push_back(cli::angle_in_degrees(cosine));
  }
}

}  // namespace

void add_counts(Document& document, const json& examples) {
  const json& source = examples["counts"];
  ordered_json& chapter = document.json["counts"];
  chapter["command"] = document.json["command"];
  chapter["dimensions"] = source["dimensions"];
  chapter["texts"] = source["texts"];
  for (const json& text : source["texts"]) {
    ordered_json cosines, angles;
    compare(text["counts"], source["texts"], cosines, angles);
    chapter["cosines"].push_back(cosines);
    chapter["angles"].push_back(angles);
  }
  for (const char* name : {"proportional", "equal", "query"}) {
    ordered_json& entry = chapter[name];
    entry["counts"] = source[name];
    ordered_json cosines, angles;
    compare(source[name], source["texts"], cosines, angles);
    entry["cosines"] = cosines;
    entry["angles"] = angles;
    entry["nearest"] = std::max_element(cosines.begin(), cosines.end()) - cosines.begin();
  }
}

void add_one_hot(Document& document, const Subject& subject, const json& examples) {
  const ModelConfig& config = subject.model.config();
  const std::size_t row = 4 * config.n_embd, one_hot = 4 * config.vocab_size;
  document.json["one_hot"] = {{"command", subject.command("info --json", {})},
                              {"groups", examples["one_hot"]["en"]},
                              {"groups_zh", examples["one_hot"]["zh"]},
                              {"distance", std::numbers::sqrt2},
                              {"cosine", 0.0},
                              {"angle", 90.0},
                              {"vocab_size", config.vocab_size},
                              {"n_embd", config.n_embd},
                              {"bytes",
                               {{"one_hot", one_hot},
                                {"row", row},
                                {"all_one_hots", one_hot * config.vocab_size},
                                {"table", row * config.vocab_size},
                                {"text_one_hots", one_hot * subject.tokens()},
                                {"text_rows", row * subject.tokens()}}}};
}

}  // namespace glassgpt::walkthrough
