// Causal attention, row by row, in double: what every other implementation is measured against.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

#include "kernels/attention/attention.h"

namespace glassgpt::kernels {
namespace {

// Keys that query i sees: 0 .. its own position.
std::size_t visible_keys(const AttentionShape& shape, std::size_t i) {
  return shape.keys - shape.queries + i + 1;
}

double dot(const float* a, const float* b, std::size_t n) {
  double sum = 0.0;
  for (std::size_t d = 0; d < n; ++d) sum += double{a[d]} * double{b[d]};
  return sum;
}

// n doubles, set to zero, inside a scratch of 2n + 1 floats that is aligned for float alone.
double* zeroed_doubles(float* scratch, std::size_t n) {
  if (reinterpret_cast<std::uintptr_t>(scratch) % alignof(double) != 0) ++scratch;
  return new (scratch) double[n]();
}

void store_as_float(const double* from, std::size_t n, float* to) {
  for (std::size_t d = 0; d < n; ++d) to[d] = static_cast<float>(from[d]);
}

// The rows of one head. Row t of `q` starts at q + t * q_stride, and so on.
struct Head {
  const AttentionShape& shape;
  const float *q, *k, *v;

  double score(std::size_t i, std::size_t j) const {
    return double{shape.scale} *
           dot(q + i * shape.q_stride, k + j * shape.k_stride, shape.head_dim);
  }
  // log(sum_j exp(score_ij)), with the maximum taken out so that exp cannot overflow.
  double log_sum_exp(std::size_t i) const {
    double maximum = -std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < visible_keys(shape, i); ++j)
      maximum = std::fmax(maximum, score(i, j));
    double sum = 0.0;
    for (std::size_t j = 0; j < visible_keys(shape, i); ++j) sum += std::exp(score(i, j) - maximum);
    return maximum + std::log(sum);
  }
};

Head head_of(const AttentionShape& shape, std::size_t head, const float* q, const float* k,
             const float* v) {
  const std::size_t offset = head * shape.head_dim;
  return {shape, q + offset, k + offset, v == nullptr ? nullptr : v + offset};
}

// What the backward pass knows about one head.
struct HeadGradient {
  Head head;
  const float *out, *d_out, *log_sum_exp;

  double weight(std::size_t i, std::size_t j) const {
    return std::exp(head.score(i, j) - double{log_sum_exp[i]});
  }
  // Inverts weights = softmax(scores): d_score_ij = w_ij (d_w_ij - sum_j w_ij d_w_ij), where d_w_ij
  // = d_out_i . v_j, and the sum is d_out_i . out_i.
  double d_score(std::size_t i, std::size_t j) const {
    const AttentionShape& shape = head.shape;
    const float* d_out_i = d_out + i * shape.out_stride;
    const double d_weight = dot(d_out_i, head.v + j * shape.v_stride, shape.head_dim);
    return weight(i, j) * (d_weight - dot(d_out_i, out + i * shape.out_stride, shape.head_dim));
  }
};

}  // namespace

std::size_t attention_scratch_reference(const AttentionShape& shape) noexcept {
  return 2 * (2 * shape.head_dim) + 1;
}

void attention_forward_reference(const AttentionShape& shape, std::size_t head_begin,
                                 std::size_t head_end, std::size_t query_begin,
                                 std::size_t query_end, const float* q, const float* k,
                                 const float* v, float* out, float* log_sum_exp,
                                 float* scratch) noexcept {
  for (std::size_t h = head_begin; h < head_end; ++h) {
    const Head head = head_of(shape, h, q, k, v);
    for (std::size_t i = query_begin; i < query_end; ++i) {
      const double lse = head.log_sum_exp(i);
      double* sum = zeroed_doubles(scratch, shape.head_dim);
      for (std::size_t j = 0; j < visible_keys(shape, i); ++j) {
        const double weight = std::exp(head.score(i, j) - lse);
        for (std::size_t d = 0; d < shape.head_dim; ++d)
          sum[d] += weight * double{head.v[j * shape.v_stride + d]};
      }
      store_as_float(sum, shape.head_dim, out + i * shape.out_stride + h * shape.head_dim);
      if (log_sum_exp != nullptr) log_sum_exp[h * shape.queries + i] = static_cast<float>(lse);
    }
  }
}

void attention_backward_reference(const AttentionShape& shape, std::size_t head_begin,
                                  std::size_t head_end, const float* q, const float* k,
                                  const float* v, const float* out, const float* d_out,
                                  const float* log_sum_exp, float* d_q, float* d_k, float* d_v,
                                  float* scratch) noexcept {
  const std::size_t tokens = shape.queries;
  const std::size_t width = shape.head_dim;
  for (std::size_t h = head_begin; h < head_end; ++h) {
    const std::size_t offset = h * width;
    const HeadGradient gradient{head_of(shape, h, q, k, v), out + offset, d_out + offset,
                                log_sum_exp + h * tokens};
    const Head& head = gradient.head;
    // Inverts score_ij = scale * q_i . k_j with respect to q_i.
    for (std::size_t i = 0; i < tokens; ++i) {
      double* sum = zeroed_doubles(scratch, width);
      for (std::size_t j = 0; j <= i; ++j) {
        const double d_score = double{shape.scale} * gradient.d_score(i, j);
        for (std::size_t d = 0; d < width; ++d)
          sum[d] += d_score * double{head.k[j * shape.k_stride + d]};
      }
      store_as_float(sum, width, d_q + i * shape.q_stride + offset);
    }
    // The same with respect to k_j; and inverts out_i = sum_j weight_ij v_j with respect to v_j.
    for (std::size_t j = 0; j < tokens; ++j) {
      double* k_sum = zeroed_doubles(scratch, 2 * width);
      double* v_sum = k_sum + width;
      for (std::size_t i = j; i < tokens; ++i) {
        const double d_score = double{shape.scale} * gradient.d_score(i, j);
        const double weight = gradient.weight(i, j);
        for (std::size_t d = 0; d < width; ++d) {
          k_sum[d] += d_score * double{head.q[i * shape.q_stride + d]};
          v_sum[d] += weight * double{gradient.d_out[i * shape.out_stride + d]};
        }
      }
      store_as_float(k_sum, width, d_k + j * shape.k_stride + offset);
      store_as_float(v_sum, width, d_v + j * shape.v_stride + offset);
    }
  }
}

void attention_weights_reference(const AttentionShape& shape, std::size_t head_index,
                                 const float* q, const float* k, float* scores,
                                 float* weights) noexcept {
  const Head head = head_of(shape, head_index, q, k, nullptr);
  for (std::size_t i = 0; i < shape.queries; ++i) {
    const double lse = weights != nullptr ? head.log_sum_exp(i) : 0.0;
    for (std::size_t j = 0; j < shape.keys; ++j) {
      const bool visible = j < visible_keys(shape, i);
      const double score = visible ? head.score(i, j) : -std::numeric_limits<double>::infinity();
      if (scores != nullptr) scores[i * shape.keys + j] = static_cast<float>(score);
      if (weights != nullptr)
        weights[i * shape.keys + j] = visible ? static_cast<float>(std::exp(score - lse)) : 0.0f;
    }
  }
}

}  // namespace glassgpt::kernels
