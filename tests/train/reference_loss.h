// The forward pass and its loss once more, in double and plain loops: the oracle of the backward
// pass. Shares nothing with the library but the names and order of the tensors.
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "glassgpt/config.h"
#include "glassgpt/types.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "model/parts.h"

namespace glassgpt::testing {

class ReferenceLoss {
 public:
  ReferenceLoss(const ModelConfig& config, std::vector<double> parameters)
      : config_(config), parameters_(std::move(parameters)) {
    for (const TensorLayout::Entry& entry : TensorLayout(config).entries) {
      offsets_[entry.name] = entry.offset;
    }
  }

  std::vector<double>& parameters() { return parameters_; }

  // What a value is multiplied by at a place of dropout (0: embedding, 1 + 2 k: attention of block
  // k, 2
  // + 2 k: its MLP); empty: 1.
  std::function<double(std::size_t place, std::size_t sequence, std::size_t t, std::size_t c)> mask;

  // The sum of the rows' cross-entropies, in nats.
  double sum(const Batch& batch, std::span<const TokenId> targets) const {
    double total = 0;
    for (std::size_t s = 0; s < batch.sequences(); ++s) {
      const std::size_t begin = batch.offsets[s], tokens = batch.offsets[s + 1] - begin;
      total += sequence(s, batch.ids.subspan(begin, tokens), targets.subspan(begin, tokens));
    }
    return total;
  }

 private:
  using Matrix = std::vector<std::vector<double>>;

  const double* tensor(const std::string& name) const {
    return parameters_.data() + offsets_.at(name);
  }

  Matrix layer_norm(const Matrix& x, const std::string& name) const {
    const double *weight = tensor(name + ".weight"), *bias = tensor(name + ".bias");
    const double n = static_cast<double>(config_.n_embd);
    Matrix y = x;
    for (std::vector<double>& row : y) {
      double mean = 0, variance = 0;
      for (const double v : row) mean += v / n;
      for (const double v : row) variance += (v - mean) * (v - mean) / n;
      for (std::size_t c = 0; c < row.size(); ++c) {
        row[c] =
            (row[c] - mean) / std::sqrt(variance + double{config_.layer_norm_epsilon}) * weight[c] +
            bias[c];
      }
    }
    return y;
  }

  Matrix linear(const Matrix& x, const std::string& name, std::size_t out) const {
    const double *weight = tensor(name + ".weight"), *bias = tensor(name + ".bias");
    Matrix y(x.size(), std::vector<double>(out));
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (std::size_t o = 0; o < out; ++o) {
        y[t][o] = bias[o];
        for (std::size_t i = 0; i < x[t].size(); ++i) y[t][o] += x[t][i] * weight[i * out + o];
      }
    }
    return y;
  }

  double activation(double x) const {
    if (config_.activation == ActivationFunction::kGeluErf) {
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    }
    const double pi = 3.14159265358979323846;
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
  }

  Matrix attention(const Matrix& qkv, std::size_t block) const {
    const std::size_t C = config_.n_embd, D = config_.head_dim();
    double divisor = config_.scale_attn_weights ? std::sqrt(static_cast<double>(D)) : 1.0;
    if (config_.scale_attn_by_inverse_layer_idx) divisor *= static_cast<double>(block + 1);
    Matrix out(qkv.size(), std::vector<double>(C, 0.0));
    for (std::size_t t = 0; t < qkv.size(); ++t) {
      for (std::size_t h = 0; h < config_.n_head; ++h) {
        std::vector<double> weights(t + 1);
        double sum = 0;
        for (std::size_t u = 0; u <= t; ++u) {
          double score = 0;
          for (std::size_t d = h * D; d < (h + 1) * D; ++d) score += qkv[t][d] * qkv[u][C + d];
          weights[u] = std::exp(score / divisor);
          sum += weights[u];
        }
        for (std::size_t u = 0; u <= t; ++u) {
          for (std::size_t d = h * D; d < (h + 1) * D; ++d) {
            out[t][d] += weights[u] / sum * qkv[u][2 * C + d];
          }
        }
      }
    }
    return out;
  }

  void apply_mask(Matrix& x, std::size_t place, std::size_t number) const {
    if (!mask) return;
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (std::size_t c = 0; c < x[t].size(); ++c) x[t][c] *= mask(place, number, t, c);
    }
  }

  static void add(Matrix& x, const Matrix& y) {
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (std::size_t c = 0; c < x[t].size(); ++c) x[t][c] += y[t][c];
    }
  }

  double sequence(std::size_t number, std::span<const TokenId> ids,
                  std::span<const TokenId> targets) const {
    const std::size_t C = config_.n_embd;
    const double *tokens = tensor("wte.weight"), *positions = tensor("wpe.weight");
    Matrix x(ids.size(), std::vector<double>(C));
    for (std::size_t t = 0; t < ids.size(); ++t) {
      for (std::size_t c = 0; c < C; ++c) {
        x[t][c] = double{config_.embedding_scale} * tokens[ids[t] * C + c] + positions[t * C + c];
      }
    }
    apply_mask(x, 0, number);
    for (std::size_t k = 0; k < config_.n_layer; ++k) {
      const std::string h = "h." + std::to_string(k) + ".";
      const Matrix qkv = linear(layer_norm(x, h + "ln_1"), h + "attn.c_attn", 3 * C);
      Matrix branch = linear(attention(qkv, k), h + "attn.c_proj", C);
      apply_mask(branch, 1 + 2 * k, number);
      add(x, branch);
      Matrix hidden = linear(layer_norm(x, h + "ln_2"), h + "mlp.c_fc", config_.inner());
      for (std::vector<double>& row : hidden) {
        for (double& v : row) v = activation(v);
      }
      branch = linear(hidden, h + "mlp.c_proj", C);
      apply_mask(branch, 2 + 2 * k, number);
      add(x, branch);
    }
    return cross_entropy(layer_norm(x, "ln_f"), targets);
  }

  double cross_entropy(const Matrix& final, std::span<const TokenId> targets) const {
    const double* head = tensor(config_.tie_word_embeddings ? "wte.weight" : "lm_head.weight");
    double total = 0;
    for (std::size_t t = 0; t < final.size(); ++t) {
      if (targets[t] == kernels::kIgnoreTarget) continue;
      std::vector<double> logits(config_.vocab_size, 0.0);
      double sum = 0;
      for (std::size_t v = 0; v < logits.size(); ++v) {
        for (std::size_t c = 0; c < config_.n_embd; ++c) {
          logits[v] += final[t][c] * head[v * config_.n_embd + c];
        }
        sum += std::exp(logits[v]);
      }
      total += std::log(sum) - logits[targets[t]];
    }
    return total;
  }

  ModelConfig config_;
  std::vector<double> parameters_;
  std::map<std::string, std::size_t> offsets_;
};

}  // namespace glassgpt::testing
