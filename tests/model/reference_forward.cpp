// GPT-2's forward pass from its definition, in double and plain loops. Nothing here calls the code
// under test.
#include <cmath>
#include <limits>

#include "support.h"

namespace glassgpt::testing {
namespace {

using Matrix = StageData<double>;

Matrix zeros(std::size_t rows, std::size_t cols) {
  return {.rows = rows, .cols = cols, .values = std::vector<double>(rows * cols)};
}
double& at(Matrix& m, std::size_t r, std::size_t c) { return m.values[r * m.cols + c]; }
double at(const Matrix& m, std::size_t r, std::size_t c) { return m.values[r * m.cols + c]; }

class ReferencePass {
 public:
  ReferencePass(const PlainModel& model, std::span<const TokenId> ids) : model_(model), ids_(ids) {}

  std::map<StageKey, Matrix> run() {
    const ModelConfig& config = model_.config;
    seen_[{Stage::kTokens, 0, 0, 0}] = {.rows = ids_.size(), .cols = 1, .values = {}};
    Matrix x = embed();
    for (std::size_t k = 0; k < config.n_layer; ++k) {
      const std::string block = "h." + std::to_string(k) + ".";
      const Matrix normed = keep(Stage::kLn1, k, normalize(x, block + "ln_1"));
      const Matrix heads = attend(k, product(normed, block + "attn.c_attn"));
      x = sum(x, keep(Stage::kAttentionOut, k, product(heads, block + "attn.c_proj")));
      keep(Stage::kResidualMid, k, x);
      const Matrix normed_2 = keep(Stage::kLn2, k, normalize(x, block + "ln_2"));
      Matrix hidden = product(normed_2, block + "mlp.c_fc");
      for (double& value : hidden.values) value = gelu(value);
      keep(Stage::kMlpHidden, k, hidden);
      x = sum(x, keep(Stage::kMlpOut, k, product(hidden, block + "mlp.c_proj")));
      keep(Stage::kResidual, k, x);
    }
    const Matrix final = keep(Stage::kFinal, 0, normalize(x, "ln_f"));
    keep(Stage::kLogits, 0, predict(final));
    return std::move(seen_);
  }

 private:
  const std::vector<double>& tensor(const std::string& name) const {
    return model_.tensors.at(name);
  }

  const Matrix& keep(Stage stage, std::size_t layer, Matrix m) {
    return seen_[{stage, layer, 0, 0}] = std::move(m);
  }

  Matrix embed() {
    const std::size_t width = model_.config.n_embd;
    Matrix token = zeros(ids_.size(), width), position = token;
    for (std::size_t t = 0; t < ids_.size(); ++t)
      for (std::size_t c = 0; c < width; ++c) {
        at(token, t, c) = static_cast<double>(model_.config.embedding_scale) *
                          tensor("wte.weight")[ids_[t] * width + c];
        at(position, t, c) = tensor("wpe.weight")[t * width + c];
      }
    keep(Stage::kTokenEmbedding, 0, token);
    keep(Stage::kPosition, 0, position);
    return keep(Stage::kEmbedding, 0, sum(token, position));
  }

  Matrix normalize(const Matrix& x, const std::string& name) const {
    Matrix y = zeros(x.rows, x.cols);
    const double n = static_cast<double>(x.cols);
    for (std::size_t r = 0; r < x.rows; ++r) {
      double mean = 0.0, variance = 0.0;
      for (std::size_t c = 0; c < x.cols; ++c) mean += at(x, r, c) / n;
      for (std::size_t c = 0; c < x.cols; ++c) variance += std::pow(at(x, r, c) - mean, 2) / n;
      const double deviation =
          std::sqrt(variance + static_cast<double>(model_.config.layer_norm_epsilon));
      for (std::size_t c = 0; c < x.cols; ++c)
        at(y, r, c) = (at(x, r, c) - mean) / deviation * tensor(name + ".weight")[c] +
                      tensor(name + ".bias")[c];
    }
    return y;
  }

  Matrix product(const Matrix& x, const std::string& name) const {
    const std::vector<double>&weight = tensor(name + ".weight"), &bias = tensor(name + ".bias");
    Matrix y = zeros(x.rows, bias.size());
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t n = 0; n < y.cols; ++n) {
        double total = bias[n];
        for (std::size_t k = 0; k < x.cols; ++k) total += at(x, r, k) * weight[k * y.cols + n];
        at(y, r, n) = total;
      }
    return y;
  }

  Matrix columns(const Matrix& x, std::size_t begin, std::size_t count) const {
    Matrix y = zeros(x.rows, count);
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t c = 0; c < count; ++c) at(y, r, c) = at(x, r, begin + c);
    return y;
  }

  Matrix attend(std::size_t layer, const Matrix& qkv) {
    const std::size_t width = model_.config.n_embd, heads = model_.config.n_head;
    const std::size_t head_width = width / heads, tokens = qkv.rows;
    double divisor =
        model_.config.scale_attn_weights ? std::sqrt(static_cast<double>(head_width)) : 1.0;
    if (model_.config.scale_attn_by_inverse_layer_idx) divisor *= static_cast<double>(layer + 1);
    const Matrix q = keep(Stage::kQ, layer, columns(qkv, 0, width));
    const Matrix k = keep(Stage::kK, layer, columns(qkv, width, width));
    const Matrix v = keep(Stage::kV, layer, columns(qkv, 2 * width, width));
    Matrix out = zeros(tokens, width);
    for (std::size_t head = 0; head < heads; ++head) {
      Matrix scores = zeros(tokens, tokens), weights = scores;
      for (std::size_t i = 0; i < tokens; ++i) {
        double sum_of_exp = 0.0;
        for (std::size_t j = 0; j < tokens; ++j) {
          double dot = 0.0;
          for (std::size_t d = head * head_width; d < (head + 1) * head_width; ++d)
            dot += at(q, i, d) * at(k, j, d);
          at(scores, i, j) = j > i ? -std::numeric_limits<double>::infinity() : dot / divisor;
          at(weights, i, j) = std::exp(at(scores, i, j));
          sum_of_exp += at(weights, i, j);
        }
        for (std::size_t j = 0; j < tokens; ++j) {
          at(weights, i, j) /= sum_of_exp;
          for (std::size_t d = head * head_width; d < (head + 1) * head_width; ++d)
            at(out, i, d) += at(weights, i, j) * at(v, j, d);
        }
      }
      seen_[{Stage::kScores, layer, 0, head}] = scores;
      seen_[{Stage::kAttention, layer, 0, head}] = weights;
    }
    return keep(Stage::kAttentionHeads, layer, out);
  }

  double gelu(double x) const {
    if (model_.config.activation == ActivationFunction::kGeluErf)
      return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
  }

  Matrix sum(const Matrix& a, const Matrix& b) const {
    Matrix y = a;
    for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] += b.values[i];
    return y;
  }

  Matrix predict(const Matrix& final) const {
    const auto& rows = tensor(model_.config.tie_word_embeddings ? "wte.weight" : "lm_head.weight");
    Matrix logits = zeros(final.rows, model_.config.vocab_size);
    for (std::size_t r = 0; r < final.rows; ++r)
      for (std::size_t v = 0; v < logits.cols; ++v)
        for (std::size_t c = 0; c < final.cols; ++c)
          at(logits, r, v) += at(final, r, c) * rows[v * final.cols + c];
    return logits;
  }

  const PlainModel& model_;
  std::span<const TokenId> ids_;
  std::map<StageKey, Matrix> seen_;
};

}  // namespace

std::map<StageKey, StageData<double>> reference_forward(const PlainModel& model,
                                                        std::span<const TokenId> ids) {
  return ReferencePass(model, ids).run();
}

}  // namespace glassgpt::testing
