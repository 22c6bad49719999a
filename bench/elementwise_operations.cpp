#include "bench/elementwise_operations.h"

#include <cmath>
#include <cstdint>
#include <random>

#include "kernels/dispatch.h"

namespace glassgpt::bench {

using namespace kernels;

Arrays::Arrays(std::size_t row_count, std::size_t col_count) : rows(row_count), cols(col_count) {
  constexpr std::size_t kPage = 4096 / sizeof(float);
  const auto pages = [](std::size_t floats) { return (floats + kPage - 1) / kPage * kPage; };
  float* next = memory_.reserve(5 * pages(size()) + 2 * pages(cols) + kPage);
  next += (4096 - reinterpret_cast<std::uintptr_t>(next) % 4096) % 4096 / sizeof(float);
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform(-2.0f, 2.0f);
  const auto take = [&](std::size_t floats) {
    float* array = next;
    next += pages(floats);
    // Drawing hundreds of millions would take longer than what is measured.
    constexpr std::size_t kDrawn = std::size_t{1} << 20;
    for (std::size_t i = 0; i < floats; ++i)
      array[i] = i < kDrawn ? uniform(generator) : array[i - kDrawn];
    return array;
  };
  for (float** array : {&a, &b, &out, &m, &v}) *array = take(size());
  for (std::size_t i = 0; i < size(); ++i) v[i] = std::fabs(v[i]);
  gamma = take(cols);
  beta = take(cols);
  mean.assign(rows, 0.1f);
  rstd.assign(rows, 0.9f);
  ids.resize(rows);
  for (TokenId& id : ids) id = static_cast<TokenId>(generator() % rows);
  targets.resize(rows);
  for (TokenId& id : targets) id = static_cast<TokenId>(generator() % cols);
}

namespace {

constexpr AdamWStep kStep = {1e-4f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.5f, 1.0f};

using Table = KernelTable;

// Elementwise y = f(x), and y = f(x, z).
template <auto Member>
void unary(const Table& t, Arrays& x, Part p) {
  (t.*Member)(p.count, x.a + p.begin, x.out + p.begin);
}
template <auto Member>
void binary(const Table& t, Arrays& x, Part p) {
  (t.*Member)(p.count, x.a + p.begin, x.b + p.begin, x.out + p.begin);
}

void run_sum_of_squares(const Table& t, Arrays& x, Part p) {
  x.out[p.begin] = static_cast<float>(t.sum_of_squares(p.count, x.a + p.begin));
}
void run_adamw(const Table& t, Arrays& x, Part p) {
  t.adamw(p.count, x.out + p.begin, x.a + p.begin, x.m + p.begin, x.v + p.begin, kStep);
}
void run_softmax(const Table& t, Arrays& x, Part p) {
  const std::size_t at = p.begin * x.cols;
  t.softmax(p.count, x.cols, x.a + at, x.cols, x.out + at, x.cols);
}
void run_softmax_backward(const Table& t, Arrays& x, Part p) {
  const std::size_t at = p.begin * x.cols;
  t.softmax_backward(p.count, x.cols, x.a + at, x.cols, x.b + at, x.cols, x.out + at, x.cols);
}
void run_layer_norm(const Table& t, Arrays& x, Part p) {
  const std::size_t at = p.begin * x.cols;
  t.layer_norm(p.count, x.cols, x.a + at, x.cols, x.gamma, x.beta, 1e-5f, x.out + at, x.cols,
               x.m + p.begin, x.v + p.begin);
}
void run_layer_norm_backward(const Table& t, Arrays& x, Part p) {
  const std::size_t at = p.begin * x.cols;
  t.layer_norm_backward(p.count, x.cols, x.a + at, x.cols, x.b + at, x.cols, x.gamma,
                        x.mean.data() + p.begin, x.rstd.data() + p.begin, x.out + at, x.cols);
}
void run_layer_norm_backward_parameters(const Table& t, Arrays& x, Part p) {
  t.layer_norm_backward_parameters(x.rows, p.count, x.a + p.begin, x.cols, x.b + p.begin, x.cols,
                                   x.mean.data(), x.rstd.data(), x.out + p.begin, x.m + p.begin);
}
void run_column_sum(const Table& t, Arrays& x, Part p) {
  t.column_sum(x.rows, p.count, x.a + p.begin, x.cols, x.out + p.begin);
}
void run_embedding_gather(const Table& t, Arrays& x, Part p) {
  t.embedding_gather(p.count, x.cols, x.ids.data() + p.begin, x.a, x.cols, 1.5f,
                     x.out + p.begin * x.cols, x.cols);
}
void run_embedding_scatter_add(const Table& t, Arrays& x, Part p) {
  t.embedding_scatter_add(x.rows, p.count, x.ids.data(), x.a + p.begin, x.cols, 1.5f,
                          x.out + p.begin, x.cols);
}
void run_sinusoidal_positions(const Table& t, Arrays& x, Part p) {
  t.sinusoidal_positions(p.count, x.cols, p.begin, x.out + p.begin * x.cols, x.cols);
}
void run_cross_entropy(const Table& t, Arrays& x, Part p) {
  const std::size_t at = p.begin * x.cols;
  t.cross_entropy(p.count, x.cols, x.a + at, x.cols, x.targets.data() + p.begin, 0.5f,
                  x.m + p.begin, x.out + at, x.cols);
}
void run_cosine_similarity(const Table& t, Arrays& x, Part p) {
  t.cosine_similarity(p.count, x.cols, x.gamma, x.a + p.begin * x.cols, x.cols, x.out + p.begin);
}

}  // namespace

const std::vector<Operation>& operations() {
  using enum Split;
  static const std::vector<Operation> all = {
      {"exp", kElements, 20, 4, 4, false, unary<&Table::exp>},
      {"tanh", kElements, 18, 4, 4, false, unary<&Table::tanh>},
      {"erf", kElements, 16, 4, 4, false, unary<&Table::erf>},
      {"gelu_tanh", kElements, 25, 4, 4, false, unary<&Table::gelu_tanh>},
      {"gelu_erf", kElements, 35, 4, 4, false, unary<&Table::gelu_erf>},
      {"gelu_tanh_backward", kElements, 35, 8, 4, false, binary<&Table::gelu_tanh_backward>},
      {"gelu_erf_backward", kElements, 40, 8, 4, false, binary<&Table::gelu_erf_backward>},
      {"add", kElements, 1, 8, 4, false, binary<&Table::add>},
      {"sum_of_squares", kElements, 2, 4, 0, false, run_sum_of_squares},
      {"adamw", kElements, 15, 16, 12, true, run_adamw},
      {"softmax", kRows, 25, 4, 4, false, run_softmax},
      {"softmax_backward", kRows, 4, 8, 4, false, run_softmax_backward},
      {"layer_norm", kRows, 9, 4, 4, false, run_layer_norm},
      {"layer_norm_backward", kRows, 14, 12, 4, true, run_layer_norm_backward},
      {"layer_norm_backward_parameters", kColumns, 5, 8, 0, false,
       run_layer_norm_backward_parameters},
      {"column_sum", kColumns, 1, 4, 0, false, run_column_sum},
      {"embedding_gather", kRows, 1, 4, 4, false, run_embedding_gather},
      {"embedding_scatter_add", kColumns, 2, 8, 4, true, run_embedding_scatter_add},
      {"sinusoidal_positions", kRows, 30, 0, 4, false, run_sinusoidal_positions},
      {"cross_entropy", kRows, 25, 4, 4, false, run_cross_entropy},
      {"cosine_similarity", kRows, 4, 4, 0, false, run_cosine_similarity},
  };
  return all;
}

}  // namespace glassgpt::bench
