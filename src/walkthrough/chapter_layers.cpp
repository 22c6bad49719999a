// Chapter 8: the residual stream, what is added to it, and what the model would predict from it at
// every layer.
#include <algorithm>
#include <set>

#include "kernels/dispatch.h"
#include "kernels/gemm/gemm.h"
#include "model/parts.h"
#include "walkthrough/chapters.h"
#include "walkthrough/mathematics.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kPredictions = 5;

// Row t of layer k of a tensor [layers, T, C].
std::span<const float> row(const Tensor& tensor, std::size_t k, std::size_t t) {
  const std::size_t width = tensor.shape[2];
  return {tensor.values.data() + (k * tensor.shape[1] + t) * width, width};
}

ordered_json norms(const Tensor& tensor) {
  ordered_json layers = ordered_json::array();
  for (std::size_t k = 0; k < tensor.shape[0]; ++k) {
    ordered_json tokens = ordered_json::array();
    for (std::size_t t = 0; t < tensor.shape[1]; ++t)
      tokens.push_back(nine_digits(norm(row(tensor, k, t))));
    layers.push_back(std::move(tokens));
  }
  return layers;
}

ordered_json turns(const Tensor& added, const Tensor& stream) {
  ordered_json layers = ordered_json::array();
  for (std::size_t k = 0; k < added.shape[0]; ++k) {
    ordered_json tokens = ordered_json::array();
    for (std::size_t t = 0; t < added.shape[1]; ++t) {
      tokens.push_back(nine_digits(cosine(row(added, k, t), row(stream, k, t))));
    }
    layers.push_back(std::move(tokens));
  }
  return layers;
}

// The model's own last steps, from any layer (nostalgebraist 2020, "interpreting GPT: the logit
// lens").
class Lens {
 public:
  explicit Lens(const Subject& subject)
      : subject_(subject), limit_(subject.tokenizer.vocab_size()) {}

  ordered_json to_json() {
    ordered_json top = ordered_json::array(), bits = top, next = top;
    for (std::size_t k = 0; k < subject_.recording.residual.shape[0]; ++k) {
      const std::vector<float> logits = logits_of(k);
      ordered_json top_row = ordered_json::array(), bits_row = ordered_json::array(),
                   next_row = ordered_json::array();
      for (std::size_t t = 0; t < subject_.tokens(); ++t) {
        const std::size_t vocabulary = subject_.model.config().vocab_size;
        const auto all = softmax(std::span(logits).subspan(t * vocabulary, vocabulary));
        top_row.push_back(predictions(all));
        bits_row.push_back(nine_digits(entropy_bits(all)));
        next_row.push_back(of_next(all, t));
      }
      top.push_back(std::move(top_row));
      bits.push_back(std::move(bits_row));
      next.push_back(std::move(next_row));
    }
    ordered_json tokens = ordered_json::object();
    for (const TokenId id : seen_) {
      tokens[std::to_string(id)] = token_json(subject_.tokenizer, id);
    }
    return {{"k", kPredictions},
            {"top", std::move(top)},
            {"entropy_bits", std::move(bits)},
            {"next", std::move(next)},
            {"tokens", std::move(tokens)}};
  }

 private:
  // Layer L's are those of the pass.
  std::vector<float> logits_of(std::size_t k) const {
    const Recording& recording = subject_.recording;
    const ModelConfig& config = subject_.model.config();
    if (k + 1 == recording.residual.shape[0]) return recording.logits.values;
    const ModelTensors<const float>& tensors = subject_.model.parts().tensors;
    const std::size_t tokens = subject_.tokens(), width = config.n_embd;
    std::vector<float> normed(tokens * width), logits(tokens * config.vocab_size);
    kernels::active_kernels().layer_norm(
        tokens, width, row(recording.residual, k, 0).data(), width, tensors.ln_f_weight,
        tensors.ln_f_bias, config.layer_norm_epsilon, normed.data(), width, nullptr, nullptr);
    kernels::gemm(false, true, tokens, config.vocab_size, width, normed.data(), width,
                  tensors.lm_head, width, false, logits.data(), config.vocab_size,
                  {.threads = threads()});
    return logits;
  }

  int threads() const {
    return subject_.common.threads > 0 ? subject_.common.threads : default_threads();
  }

  // A table may have more rows than the tokenizer has tokens: those have no text to show.
  ordered_json predictions(std::span<const double> all) {
    ordered_json list = ordered_json::array();
    for (const std::size_t id : largest(all.first(std::min(limit_, all.size())), kPredictions)) {
      seen_.insert(static_cast<TokenId>(id));
      list.push_back({id, nine_digits(all[id])});
    }
    return list;
  }

  ordered_json of_next(std::span<const double> all, std::size_t t) const {
    if (t + 1 == subject_.tokens()) return nullptr;
    const TokenId id = subject_.encoding.ids[t + 1];
    const auto better =
        std::count_if(all.begin(), all.end(), [&](double p) { return p > all[id]; });
    return {nine_digits(all[id]), better + 1};
  }

  const Subject& subject_;
  std::size_t limit_;
  std::set<TokenId> seen_;
};

void add_path(Document& document, const Tensor& residual, const char* name, bool directions) {
  const std::size_t width = residual.shape[2];
  std::vector<double> rows(residual.values.begin(), residual.values.end());
  for (std::size_t begin = 0; directions && begin < rows.size(); begin += width) {
    const double length = norm(std::span(residual.values).subspan(begin, width));
    for (std::size_t c = 0; c < width; ++c) rows[begin + c] /= length > 0 ? length : 1.0;
  }
  Components components = principal_components(rows, width, 3);
  document.json["layers"]["pca"][name] = {{"xyz", nullptr}, {"explained", components.explained}};
  document.put(std::string("/layers/pca/") + name + "/xyz",
               {{residual.shape[0], residual.shape[1], 3}, {}, std::move(components.coordinates)});
}

}  // namespace

void add_layers(Document& document, const Subject& subject) {
  const Recording& recording = subject.recording;
  ordered_json keys = ordered_json::array(), final_norms = keys;
  for (std::size_t k = 0; k < recording.residual.shape[0]; ++k) keys.push_back(std::to_string(k));
  keys.push_back("final");
  const std::size_t width = recording.final.shape[1];
  for (std::size_t t = 0; t < subject.tokens(); ++t) {
    final_norms.push_back(norm(std::span(recording.final.values).subspan(t * width, width)));
  }
  document.json["layers"] = {
      {"command", subject.command("embed --json --layers all --taps attention_out,mlp_out")},
      {"keys", keys},
      {"residual", nullptr},
      {"final", nullptr},
      {"attention_out", nullptr},
      {"mlp_out", nullptr},
      {"norms",
       {{"residual", norms(recording.residual)},
        {"attention_out", norms(recording.attention_out)},
        {"residual_mid", norms(recording.residual_mid)},
        {"mlp_out", norms(recording.mlp_out)},
        {"final", final_norms}}},
      {"turn",
       {{"attention", turns(recording.attention_out, recording.residual)},
        {"mlp", turns(recording.mlp_out, recording.residual_mid)}}},
      {"lens", subject.has_logits() ? Lens(subject).to_json() : ordered_json(nullptr)},
      {"pca", ordered_json::object()}};
  document.put("/layers/residual", recording.residual);
  document.put("/layers/final", recording.final);
  document.put("/layers/attention_out", recording.attention_out);
  document.put("/layers/mlp_out", recording.mlp_out);
  add_path(document, recording.residual, "direction", true);
  add_path(document, recording.residual, "raw", false);
}

}  // namespace glassgpt::walkthrough
