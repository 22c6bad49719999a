// Chapter 7: every head of every layer.
#include <cmath>

#include "walkthrough/chapters.h"
#include "walkthrough/mathematics.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::ordered_json;

// One head's weights: row t has t + 1 of them.
class Head {
 public:
  Head(const Tensor& weights, std::size_t layer, std::size_t head)
      : tokens_(weights.shape[3]),
        data_(weights.values.data() +
              (layer * weights.shape[1] + head) * (tokens_ * (tokens_ + 1) / 2)) {}

  std::span<const float> row(std::size_t t) const { return {data_ + t * (t + 1) / 2, t + 1}; }
  std::size_t tokens() const noexcept { return tokens_; }

 private:
  std::size_t tokens_;
  const float* data_;
};

// Means over the tokens that have another before them.
ordered_json summary(const Head& head) {
  double self = 0, previous = 0, first = 0, bits = 0;
  for (std::size_t t = 1; t < head.tokens(); ++t) {
    const auto row = head.row(t);
    self += static_cast<double>(row[t]);
    previous += static_cast<double>(row[t - 1]);
    first += static_cast<double>(row[0]);
    bits += entropy_bits(std::vector<double>(row.begin(), row.end()));
  }
  const double count = head.tokens() > 1 ? static_cast<double>(head.tokens() - 1) : 1.0;
  return {{"self", self / count},
          {"previous", previous / count},
          {"first", first / count},
          {"entropy_bits", bits / count}};
}

// A head that looks at something else than the token itself and the first one is a better
// beginning than one that rests.
struct Start {
  std::size_t layer = 0, head = 0, token;
  double score = -1;
};

void consider(Start& start, const Head& head, std::size_t layer, std::size_t number) {
  double sum = 0, best = -1;
  std::size_t best_token = head.tokens() - 1;
  for (std::size_t t = 2; t < head.tokens(); ++t) {
    const auto row = head.row(t);
    double most = 0;
    for (std::size_t s = 1; s < t; ++s) most = std::max(most, static_cast<double>(row[s]));
    sum += most;
    if (most > best) {
      best = most;
      best_token = t;
    }
  }
  if (sum > start.score) start = {layer, number, best_token, sum};
}

}  // namespace

void add_attention(Document& document, const Subject& subject) {
  const ModelConfig& config = subject.model.config();
  const Recording& recording = subject.recording;
  ordered_json summaries = ordered_json::array();
  Start start;
  start.token = subject.tokens() - 1;
  for (std::size_t layer = 0; layer < config.n_layer; ++layer) {
    ordered_json heads = ordered_json::array();
    for (std::size_t h = 0; h < config.n_head; ++h) {
      const Head head(recording.weights, layer, h);
      heads.push_back(summary(head));
      consider(start, head, layer, h);
    }
    summaries.push_back(std::move(heads));
  }
  document.json["attention"] = {
      {"command", subject.command("embed --json --layers 0 --taps q,k,v,attention_heads")},
      {"scale", 1.0f / std::sqrt(static_cast<float>(config.head_dim()))},
      {"q", nullptr},
      {"k", nullptr},
      {"v", nullptr},
      {"scores", nullptr},
      {"weights", nullptr},
      {"heads", nullptr},
      {"summary", std::move(summaries)},
      {"start", {{"layer", start.layer}, {"head", start.head}, {"token", start.token}}}};
  document.put("/attention/q", recording.q);
  document.put("/attention/k", recording.k);
  document.put("/attention/v", recording.v);
  document.put("/attention/scores", recording.scores);
  document.put("/attention/weights", recording.weights);
  document.put("/attention/heads", recording.heads);
}

}  // namespace glassgpt::walkthrough
