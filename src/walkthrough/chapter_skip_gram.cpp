// Chapter 3: a training small enough to watch every update.
#include <algorithm>
#include <cstdint>

#include "glassgpt/word2vec.h"
#include "walkthrough/chapters.h"
#include "walkthrough/mathematics.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using Words = std::vector<std::string>;

void append(std::vector<float>& out, std::span<const double> values) {
  out.insert(out.end(), values.begin(), values.end());
}

ordered_json short_numbers(std::span<const double> values) {
  ordered_json list = ordered_json::array();
  for (const double value : values) list.push_back(nine_digits(value));
  return list;
}

ordered_json update_json(const ToyUpdate& update) {
  ordered_json targets = ordered_json::array();
  for (const ToyTarget& target : update.targets) {
    targets.push_back({{"word", target.word},
                       {"label", target.label},
                       {"dot", nine_digits(target.dot)},
                       {"probability", nine_digits(target.probability)},
                       {"gradient", nine_digits(target.gradient)},
                       {"loss", nine_digits(target.loss)},
                       {"before", short_numbers(target.before)},
                       {"after", short_numbers(target.after)}});
  }
  return {{"sentence", update.sentence},
          {"position", update.position},
          {"context_position", update.context_position},
          {"word", update.word},
          {"targets", std::move(targets)},
          {"gradient", short_numbers(update.gradient)},
          {"before", short_numbers(update.before)},
          {"after", short_numbers(update.after)},
          {"loss", nine_digits(update.loss)}};
}

ordered_json groups_json(const json& groups, const Words& words) {
  ordered_json lists = ordered_json::array();
  for (const json& group : groups) {
    ordered_json list = ordered_json::array();
    for (const json& word : group) {
      const auto at = std::find(words.begin(), words.end(), word.get<std::string>());
      if (at != words.end()) list.push_back(at - words.begin());
    }
    lists.push_back(std::move(list));
  }
  return lists;
}

ordered_json draws_json(const ToyTrace& trace, std::size_t negative) {
  std::vector<std::uint16_t> draws;
  for (const ToyUpdate& update : trace.updates) {
    draws.push_back(static_cast<std::uint16_t>(update.word));
    for (const ToyTarget& target : update.targets) {
      draws.push_back(static_cast<std::uint16_t>(target.word));
    }
  }
  const std::size_t shape[] = {trace.updates.size(), 2 + negative};
  return encode_u16(shape, draws);
}

// The words' vectors as contexts before each epoch and at the end, from the updates that changed
// them.
std::vector<float> outputs(const ToyTrace& trace) {
  std::vector<double> now = trace.initial_output;
  std::vector<float> all;
  std::size_t epoch = 0;
  append(all, now);
  for (const ToyUpdate& update : trace.updates) {
    if (update.epoch != epoch) {
      append(all, now);
      epoch = update.epoch;
    }
    for (const ToyTarget& target : update.targets) {
      std::copy(target.after.begin(), target.after.end(),
                now.begin() + static_cast<std::ptrdiff_t>(target.word * trace.dim));
    }
  }
  append(all, now);
  return all;
}

Tensor cosines(const ToyTrace& trace) {
  const std::size_t words = trace.words.size();
  const std::vector<float> vectors(trace.input.begin(), trace.input.end());
  const auto vector = [&](std::size_t w) {
    return std::span(vectors).subspan(w * trace.dim, trace.dim);
  };
  Tensor tensor{{words, words}, {}, {}};
  for (std::size_t i = 0; i < words; ++i) {
    for (std::size_t j = 0; j < words; ++j) {
      tensor.values.push_back(static_cast<float>(cosine(vector(i), vector(j))));
    }
  }
  return tensor;
}

void add_trace(Document& document, const json& settings, const json& list) {
  const auto sentences = list["sentences"].get<std::vector<Words>>();
  ToyOptions options;
  options.window = settings["window"];
  options.negative = settings["negative"];
  options.epochs = settings["epochs"];
  options.learning_rate = settings["learning_rate"];
  options.seed = settings["seed"];
  options.stop_words = list["stop_words"].get<Words>();
  const ToyTrace trace = train_toy(sentences, options);

  const std::size_t per_epoch = trace.updates.size() / options.epochs;
  ordered_json first = ordered_json::array(), loss = first;
  for (std::size_t i = 0; i < per_epoch; ++i) first.push_back(update_json(trace.updates[i]));
  Tensor vectors{{options.epochs + 1, trace.words.size(), trace.dim}, {}, {}};
  append(vectors.values, trace.initial_input);
  for (const ToyEpoch& epoch : trace.epochs) {
    append(vectors.values, epoch.input);
    loss.push_back(epoch.mean_loss);
  }
  ordered_json& traces = document.json["skip_gram"]["traces"];
  const std::string pointer = "/skip_gram/traces/" + std::to_string(traces.size());
  traces.push_back({{"lang", list["lang"]},
                    {"sentences", list["sentences"]},
                    {"kept", trace.sentences},
                    {"stop_words", list["stop_words"]},
                    {"words", trace.words},
                    {"counts", trace.counts},
                    {"noise", trace.noise},
                    {"window", options.window},
                    {"negative", options.negative},
                    {"dim", options.dim},
                    {"learning_rate", options.learning_rate},
                    {"epochs", options.epochs},
                    {"seed", options.seed},
                    {"updates", trace.updates.size()},
                    {"updates_per_epoch", per_epoch},
                    {"draws", draws_json(trace, options.negative)},
                    {"vectors", nullptr},
                    {"outputs", nullptr},
                    {"first", std::move(first)},
                    {"loss", std::move(loss)},
                    {"groups", groups_json(list["groups"], trace.words)},
                    {"cosines", nullptr}});
  document.put(pointer + "/outputs", {vectors.shape, {}, outputs(trace)});
  document.put(pointer + "/vectors", std::move(vectors));
  document.put(pointer + "/cosines", cosines(trace));
}

}  // namespace

void add_skip_gram(Document& document, const json& examples) {
  const json& settings = examples["skip_gram"];
  document.json["skip_gram"] = {{"command", document.json["command"]},
                                {"traces", ordered_json::array()}};
  for (const json& list : settings["lists"]) add_trace(document, settings, list);
}

}  // namespace glassgpt::walkthrough
