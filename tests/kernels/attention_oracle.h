// Causal attention with its T x T matrices, in double, and how far float32 may be from it.
//
// Written apart from kernels/attention: nothing is tiled, recomputed or rescaled here.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "kernels/attention/attention.h"
#include "tests/kernels/compare.h"

namespace glassgpt::test {

// A value and a bound of its error in units of kUnitRoundoff, first order, worst case.
struct Bounded {
  std::vector<double> value, error;
  explicit Bounded(std::size_t n) : value(n), error(n) {}
};

// One head, by copies of its rows without gaps: q [queries, D], k and v [keys, D].
struct HeadInputs {
  std::size_t queries, keys, head_dim;
  double scale;
  std::vector<double> q, k, v;

  std::size_t seen(std::size_t i) const { return keys - queries + i + 1; }
};

inline std::vector<double> head_rows(const float* from, std::size_t stride, std::size_t rows,
                                     std::size_t width) {
  std::vector<double> copy(rows * width);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t d = 0; d < width; ++d) copy[r * width + d] = from[r * stride + d];
  return copy;
}

inline HeadInputs head_inputs(const kernels::AttentionShape& shape, std::size_t head,
                              const float* q, const float* k, const float* v) {
  const std::size_t offset = head * shape.head_dim;
  return {shape.queries,
          shape.keys,
          shape.head_dim,
          shape.scale,
          head_rows(q + offset, shape.q_stride, shape.queries, shape.head_dim),
          head_rows(k + offset, shape.k_stride, shape.keys, shape.head_dim),
          head_rows(v + offset, shape.v_stride, shape.keys, shape.head_dim)};
}

inline double dot(const double* a, const double* b, std::size_t n) {
  double sum = 0.0;
  for (std::size_t d = 0; d < n; ++d) sum += a[d] * b[d];
  return sum;
}
inline double absolute_dot(const double* a, const double* b, std::size_t n) {
  double sum = 0.0;
  for (std::size_t d = 0; d < n; ++d) sum += std::fabs(a[d] * b[d]);
  return sum;
}

struct HeadForward {
  std::vector<double> scores, weights;  // [queries, keys]; masked -infinity and 0
  std::vector<double> largest;          // [queries] max over keys of scale * sum |q k|
  Bounded out, log_sum_exp;             // [queries, D], [queries]
};

// The bound: a score is a sum of D products of rounded factors, so its error is (D + 4) scale sum|q
// k| at most, and scores less their maximum round once more; a weight's relative error is what its
// score's and its maximum's are together, plus one term per addition to the sum and a few for 2^x
// and for each rescaling.
inline HeadForward oracle_forward(const HeadInputs& in) {
  const std::size_t width = in.head_dim;
  HeadForward forward{std::vector<double>(in.queries * in.keys),
                      std::vector<double>(in.queries * in.keys), std::vector<double>(in.queries),
                      Bounded(in.queries * width), Bounded(in.queries)};
  for (std::size_t i = 0; i < in.queries; ++i) {
    double* scores = forward.scores.data() + i * in.keys;
    double* weights = forward.weights.data() + i * in.keys;
    double maximum = -std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < in.keys; ++j) {
      if (j >= in.seen(i)) {
        scores[j] = -std::numeric_limits<double>::infinity();
        continue;
      }
      const double* q = in.q.data() + i * width;
      const double* k = in.k.data() + j * width;
      scores[j] = in.scale * dot(q, k, width);
      maximum = std::fmax(maximum, scores[j]);
      forward.largest[i] = std::fmax(forward.largest[i], in.scale * absolute_dot(q, k, width));
    }
    double sum = 0.0;
    for (std::size_t j = 0; j < in.keys; ++j) sum += weights[j] = std::exp(scores[j] - maximum);
    for (std::size_t j = 0; j < in.keys; ++j) weights[j] /= sum;

    const double terms = static_cast<double>(in.seen(i));
    const double error =
        (2.0 * static_cast<double>(width) + 16.0) * forward.largest[i] + 2.0 * terms + 16.0;
    for (std::size_t j = 0; j < in.seen(i); ++j)
      for (std::size_t d = 0; d < width; ++d) {
        forward.out.value[i * width + d] += weights[j] * in.v[j * width + d];
        forward.out.error[i * width + d] += error * weights[j] * std::fabs(in.v[j * width + d]);
      }
    forward.log_sum_exp.value[i] = maximum + std::log(sum);
    forward.log_sum_exp.error[i] = error + 4.0 * std::fabs(forward.log_sum_exp.value[i]);
  }
  return forward;
}

struct HeadBackward {
  Bounded d_q, d_k, d_v;  // [T, D] each
};

// Given what the forward pass left behind in float: out [T, D] and log_sum_exp [T]. The bounds
// follow the operations: a weight's relative error comes from its score, from the two conversions
// to units of log2 and their difference; the error of d_s = w (d_w - delta) from w's, from two sums
// of D products and a subtraction; each gradient then is a sum of up to T.
inline HeadBackward oracle_backward(const HeadInputs& in, const std::vector<double>& out,
                                    const std::vector<double>& d_out, const float* log_sum_exp) {
  const std::size_t tokens = in.queries, width = in.head_dim;
  const double n = static_cast<double>(tokens), w = static_cast<double>(width);
  HeadBackward back{Bounded(tokens * width), Bounded(tokens * width), Bounded(tokens * width)};
  const auto add = [&](Bounded& to, std::size_t at, double factor, double factor_error, double x) {
    to.value[at] += factor * x;
    to.error[at] += (factor_error + (n + 4.0) * std::fabs(factor)) * std::fabs(x);
  };
  for (std::size_t i = 0; i < tokens; ++i) {
    const double* q = in.q.data() + i * width;
    const double* d_out_i = d_out.data() + i * width;
    const double lse = double{log_sum_exp[i]};
    const double delta = dot(d_out_i, out.data() + i * width, width);
    const double delta_error = (w + 2.0) * absolute_dot(d_out_i, out.data() + i * width, width);
    for (std::size_t j = 0; j < in.seen(i); ++j) {
      const double* k = in.k.data() + j * width;
      const double* v = in.v.data() + j * width;
      const double score = in.scale * dot(q, k, width);
      const double weight = std::exp(score - lse);
      const double weight_error = weight * ((w + 4.0) * in.scale * absolute_dot(q, k, width) +
                                            3.0 * (std::fabs(score) + std::fabs(lse)) + 8.0);
      const double difference = dot(d_out_i, v, width) - delta;
      const double d_score = in.scale * weight * difference;
      const double d_score_error =
          in.scale * (weight_error * std::fabs(difference) +
                      weight * ((w + 2.0) * absolute_dot(d_out_i, v, width) + delta_error +
                                4.0 * std::fabs(difference)));
      for (std::size_t d = 0; d < width; ++d) {
        add(back.d_q, i * width + d, d_score, d_score_error, k[d]);
        add(back.d_k, j * width + d, d_score, d_score_error, q[d]);
        add(back.d_v, j * width + d, weight, weight_error, d_out_i[d]);
      }
    }
  }
  return back;
}

// Rows of one head against the oracle.
inline testing::AssertionResult compare_bounded(const float* actual, std::size_t stride,
                                                std::size_t rows, std::size_t width,
                                                const Bounded& expected) {
  std::vector<float> gathered(rows * width);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t d = 0; d < width; ++d) gathered[r * width + d] = actual[r * stride + d];
  // Below 2^-126 weights are 0, and what is subnormal has an absolute error.
  std::vector<double> bound(expected.error);
  for (double& b : bound) b += 0x1p-100;
  return compare_reduction(gathered.data(), expected.value.data(), bound.data(), 1, gathered.size(),
                           1.0);
}

}  // namespace glassgpt::test
