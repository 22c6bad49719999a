// Chapter 10: classification, search and generation.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "cli/layer_vectors.h"
#include "glassgpt/generate.h"
#include "walkthrough/chapters.h"
#include "walkthrough/mathematics.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kGeneratedTokens = 24, kAlternatives = 6;
constexpr float kTemperature = 0.8f;
constexpr std::size_t kTopK = 40;
constexpr std::uint64_t kSeed = 1;

// Texts of one language as vectors: the mean over tokens of the last layer, less the mean of the
// list's examples and documents, of length 1.
class Uses {
 public:
  Uses(const Subject& subject, const json& list) : subject_(subject), list_(list) {}

  // Adds the texts to `texts`, their vectors to `vectors`, and returns the mean.
  std::vector<float> add_texts(ordered_json& texts, std::vector<float>& vectors) {
    first_ = texts.size();
    for (const json& example : list_["examples"]) add(example[0]);
    for (const json& document : list_["documents"]) add(document);
    const std::size_t known = rows_.size();
    for (const json& query : list_["queries"]) add(query[0]);
    for (const json& search : list_["searches"]) add(search);
    const std::size_t cols = subject_.model.config().n_embd;
    std::vector<double> mean(cols, 0.0);
    for (std::size_t i = 0; i < known; ++i) {
      for (std::size_t c = 0; c < cols; ++c) mean[c] += rows_[i][c] / static_cast<double>(known);
    }
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      double squares = 0;
      for (std::size_t c = 0; c < cols; ++c) {
        rows_[i][c] -= mean[c];
        squares += rows_[i][c] * rows_[i][c];
      }
      for (double& value : rows_[i]) value /= squares > 0 ? std::sqrt(squares) : 1.0;
      vectors.insert(vectors.end(), rows_[i].begin(), rows_[i].end());
      texts.push_back({{"text", texts_[i]}, {"lang", list_["lang"]}});
    }
    return {mean.begin(), mean.end()};
  }

  ordered_json classification() const {
    ordered_json examples = ordered_json::array(), queries = examples;
    std::size_t place = first_, correct = 0;
    for (const json& example : list_["examples"]) examples.push_back({place++, example[1]});
    place = first_ + list_["examples"].size() + list_["documents"].size();
    for (const json& query : list_["queries"]) {
      ordered_json entry = classify(place++, query[1]);
      correct += entry["predicted"] == entry["label"] ? 1 : 0;
      queries.push_back(std::move(entry));
    }
    return {{"lang", list_["lang"]},
            {"labels", list_["labels"]},
            {"examples", std::move(examples)},
            {"queries", std::move(queries)},
            {"correct", correct}};
  }

  ordered_json search() const {
    const std::size_t first_document = first_ + list_["examples"].size();
    ordered_json documents = ordered_json::array(), queries = documents;
    for (std::size_t i = 0; i < list_["documents"].size(); ++i) {
      documents.push_back(first_document + i);
    }
    std::size_t place = first_document + documents.size() + list_["queries"].size();
    for (std::size_t q = 0; q < list_["searches"].size(); ++q, ++place) {
      std::vector<double> cosines;
      for (std::size_t i = 0; i < documents.size(); ++i) {
        cosines.push_back(cosine_of(place, first_document + i));
      }
      ordered_json ranking = ordered_json::array();
      for (const std::size_t i : largest(cosines, cosines.size())) {
        ranking.push_back({first_document + i, cosines[i]});
      }
      queries.push_back({{"text", place}, {"ranking", std::move(ranking)}});
    }
    return {{"lang", list_["lang"]},
            {"documents", std::move(documents)},
            {"queries", std::move(queries)}};
  }

 private:
  // Texts longer than the context count with their beginning.
  void add(const std::string& text) {
    std::vector<TokenId> ids = subject_.tokenizer.encode(text);
    ids.resize(std::min(ids.size(), subject_.model.config().n_positions));
    const cli::LayerVectors vectors = cli::record_layers(subject_.model, ids, subject_.forward());
    texts_.push_back(text);
    rows_.push_back(cli::mean_rows(vectors, 0, vectors.rows).back());
  }

  double cosine_of(std::size_t a, std::size_t b) const {
    return cli::centred_cosine(rows_[a - first_], rows_[b - first_], {});
  }

  ordered_json classify(std::size_t place, std::size_t label) const {
    ordered_json cosines = ordered_json::array();
    std::vector<double> sums(list_["labels"].size(), 0.0), counts(sums);
    std::size_t example_place = first_;
    for (const json& example : list_["examples"]) {
      const double value = cosine_of(place, example_place++);
      const std::size_t of = example[1];
      cosines.push_back(value);
      sums[of] += value;
      counts[of] += 1;
    }
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] /= std::max(1.0, counts[i]);
    return {{"text", place},
            {"label", label},
            {"cosines", std::move(cosines)},
            {"label_cosines", sums},
            {"predicted", largest(sums, 1).front()}};
  }

  const Subject& subject_;
  const json& list_;
  std::size_t first_ = 0;
  std::vector<std::string> texts_;
  std::vector<std::vector<double>> rows_;
};

ordered_json generation(const Subject& subject, const json& list) {
  const std::string prompt = list["prompt"];
  const std::size_t context = subject.model.config().n_positions;
  std::vector<TokenId> ids = subject.tokenizer.encode(prompt);
  if (ids.size() >= context) return nullptr;
  const std::size_t prompt_tokens = ids.size();
  GenerateOptions options;
  // What follows is recorded in one pass over prompt and continuation, which must fit together.
  options.max_tokens = std::min(kGeneratedTokens, context - ids.size());
  options.temperature = kTemperature;
  options.top_k = kTopK;
  options.seed = kSeed;
  options.id_limit = subject.tokenizer.vocab_size();
  options.forward = subject.forward();
  options.stop_token = subject.tokenizer.special_id("<|endoftext|>");
  const std::vector<TokenId> generated = generate(subject.model, ids, options);
  ids.insert(ids.end(), generated.begin(), generated.end());
  const Recording recording = record(subject.model, ids, subject.forward());
  const std::size_t vocabulary = subject.model.config().vocab_size;
  std::set<TokenId> seen;
  ordered_json tokens = ordered_json::array();
  for (std::size_t i = prompt_tokens; i < ids.size(); ++i) {
    const auto all =
        softmax(std::span(recording.logits.values).subspan((i - 1) * vocabulary, vocabulary));
    ordered_json token = token_json(subject.tokenizer, ids[i]);
    token["probability"] = all[ids[i]];
    for (const std::size_t id :
         largest(std::span(all).first(std::min(vocabulary, options.id_limit)), kAlternatives)) {
      seen.insert(static_cast<TokenId>(id));
      token["top"].push_back({id, all[id]});
    }
    tokens.push_back(std::move(token));
  }
  ordered_json by_id = ordered_json::object();
  for (const TokenId id : seen) by_id[std::to_string(id)] = token_json(subject.tokenizer, id);
  return {
      {"lang", list["lang"]},
      {"command",
       subject.command(fmt::format("generate --max-tokens {} --temperature {} --top-k {} --seed {}",
                                   options.max_tokens, kTemperature, kTopK, kSeed),
                       {prompt})},
      {"prompt", prompt},
      {"prompt_tokens", tokens_json(subject.tokenizer, std::span(ids).first(prompt_tokens))},
      {"seed", kSeed},
      {"temperature", kTemperature},
      {"top_k", kTopK},
      {"tokens", std::move(tokens)},
      {"tokens_by_id", std::move(by_id)}};
}

}  // namespace

void add_uses(Document& document, const Subject& subject, const json& examples) {
  const std::size_t cols = subject.model.config().n_embd;
  const json& lists = examples["uses"];
  ordered_json& chapter = document.json["uses"];
  const std::string first = lists[0]["queries"][0][0];
  chapter = {{"command", subject.command("embed --json --unit text --pool mean", {first})},
             {"layer", "final"},
             {"texts", ordered_json::array()},
             {"vectors", nullptr},
             {"means", ordered_json::object()},
             {"classification", ordered_json::array()},
             {"search", ordered_json::array()},
             {"generation", ordered_json::array()}};
  std::vector<float> vectors;
  for (const json& list : lists) {
    Uses uses(subject, list);
    std::vector<float> mean = uses.add_texts(chapter["texts"], vectors);
    document.put("/uses/means/" + list["lang"].get<std::string>(), {{cols}, {}, std::move(mean)});
    chapter["classification"].push_back(uses.classification());
    chapter["search"].push_back(uses.search());
    if (subject.has_logits()) chapter["generation"].push_back(generation(subject, list));
  }
  const std::size_t count = chapter["texts"].size();
  document.put("/uses/vectors", {{count, cols}, {}, std::move(vectors)});
}

}  // namespace glassgpt::walkthrough
