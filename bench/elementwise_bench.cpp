// Each result carries x_reference, its speed over the scalar reference at the same shape, and
// copy_percent, its traffic against a plain copy of arrays of the same size, both measured beside
// it. A kernel that disagrees with its reference is not timed.
#include "bench/elementwise_bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"

namespace glassgpt::bench {
namespace {

using namespace kernels;

// Floats that begin on a cache line, as a model's buffers should: a vector that straddles two lines
// costs twice.
class Floats {
 public:
  void resize(std::size_t n) {
    size_ = n;
    memory_.reset(static_cast<float*>(std::aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64)));
    if (memory_ == nullptr) throw std::bad_alloc();
  }
  std::size_t size() const { return size_; }
  float* data() { return memory_.get(); }
  float* begin() { return memory_.get(); }
  float* end() { return memory_.get() + size_; }
  float& operator[](std::size_t i) { return memory_.get()[i]; }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> memory_;
  std::size_t size_ = 0;
};

// The arrays of one workload. Beyond the cache each is 32 MiB, which no run over them leaves in a
// cache of that size.
struct Arrays {
  std::size_t rows, cols;
  Floats a, b, out, m, v;
  Floats gamma, beta;
  std::vector<float> mean, rstd;
  std::vector<TokenId> ids;      // rows
  std::vector<TokenId> targets;  // columns

  Arrays(std::size_t row_count, std::size_t col_count) : rows(row_count), cols(col_count) {
    std::mt19937 generator(1);
    std::uniform_real_distribution<float> uniform(-2.0f, 2.0f);
    const auto fill = [&](Floats& x, std::size_t n) {
      x.resize(n);
      for (float& value : x) value = uniform(generator);
    };
    for (Floats* x : {&a, &b, &out, &m, &v}) fill(*x, size());
    for (float& value : v) value = std::fabs(value);
    fill(gamma, cols);
    fill(beta, cols);
    mean.assign(rows, 0.1f);
    rstd.assign(rows, 0.9f);
    ids.resize(rows);
    for (TokenId& id : ids) id = static_cast<TokenId>(generator() % rows);
    targets.resize(rows);
    for (TokenId& id : targets) id = static_cast<TokenId>(generator() % cols);
  }
  std::size_t size() const { return rows * cols; }
};

using Run = std::function<void(const KernelTable&, Arrays&)>;

struct Operation {
  const char* name;
  double bytes;   // moved per element
  bool row_wise;  // else one long array
  Run run;
};

AdamWStep adamw_step() { return {1e-4f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.5f, 1.0f}; }

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = {
      {"exp", 8, false, [](auto& t, auto& x) { t.exp(x.size(), x.a.data(), x.out.data()); }},
      {"tanh", 8, false, [](auto& t, auto& x) { t.tanh(x.size(), x.a.data(), x.out.data()); }},
      {"erf", 8, false, [](auto& t, auto& x) { t.erf(x.size(), x.a.data(), x.out.data()); }},
      {"gelu_tanh", 8, false,
       [](auto& t, auto& x) { t.gelu_tanh(x.size(), x.a.data(), x.out.data()); }},
      {"gelu_erf", 8, false,
       [](auto& t, auto& x) { t.gelu_erf(x.size(), x.a.data(), x.out.data()); }},
      {"gelu_tanh_backward", 12, false,
       [](auto& t, auto& x) {
         t.gelu_tanh_backward(x.size(), x.a.data(), x.b.data(), x.out.data());
       }},
      {"gelu_erf_backward", 12, false,
       [](auto& t, auto& x) {
         t.gelu_erf_backward(x.size(), x.a.data(), x.b.data(), x.out.data());
       }},
      {"add", 12, false,
       [](auto& t, auto& x) { t.add(x.size(), x.a.data(), x.b.data(), x.out.data()); }},
      {"sum_of_squares", 4, false,
       [](auto& t, auto& x) {
         x.out[0] = static_cast<float>(t.sum_of_squares(x.size(), x.a.data()));
       }},
      {"adamw", 28, false,
       [](auto& t, auto& x) {
         t.adamw(x.size(), x.out.data(), x.a.data(), x.m.data(), x.v.data(), adamw_step());
       }},
      {"softmax", 8, true,
       [](auto& t, auto& x) {
         t.softmax(x.rows, x.cols, x.a.data(), x.cols, x.out.data(), x.cols);
       }},
      {"softmax_backward", 12, true,
       [](auto& t, auto& x) {
         t.softmax_backward(x.rows, x.cols, x.a.data(), x.cols, x.b.data(), x.cols, x.out.data(),
                            x.cols);
       }},
      {"layer_norm", 8, true,
       [](auto& t, auto& x) {
         t.layer_norm(x.rows, x.cols, x.a.data(), x.cols, x.gamma.data(), x.beta.data(), 1e-5f,
                      x.out.data(), x.cols, x.m.data(), x.v.data());
       }},
      {"layer_norm_backward", 16, true,
       [](auto& t, auto& x) {
         t.layer_norm_backward(x.rows, x.cols, x.a.data(), x.cols, x.b.data(), x.cols,
                               x.gamma.data(), x.mean.data(), x.rstd.data(), x.out.data(), x.cols);
       }},
      {"layer_norm_backward_parameters", 8, true,
       [](auto& t, auto& x) {
         t.layer_norm_backward_parameters(x.rows, x.cols, x.a.data(), x.cols, x.b.data(), x.cols,
                                          x.mean.data(), x.rstd.data(), x.out.data(), x.m.data());
       }},
      {"column_sum", 4, true,
       [](auto& t, auto& x) { t.column_sum(x.rows, x.cols, x.a.data(), x.cols, x.out.data()); }},
      {"embedding_gather", 8, true,
       [](auto& t, auto& x) {
         t.embedding_gather(x.rows, x.cols, x.ids.data(), x.a.data(), x.cols, 1.5f, x.out.data(),
                            x.cols);
       }},
      {"embedding_scatter_add", 12, true,
       [](auto& t, auto& x) {
         t.embedding_scatter_add(x.rows, x.cols, x.ids.data(), x.a.data(), x.cols, 1.5f,
                                 x.out.data(), x.cols);
       }},
      {"sinusoidal_positions", 4, true,
       [](auto& t, auto& x) { t.sinusoidal_positions(x.rows, x.cols, 0, x.out.data(), x.cols); }},
      {"cross_entropy", 8, true,
       [](auto& t, auto& x) {
         t.cross_entropy(x.rows, x.cols, x.a.data(), x.cols, x.targets.data(), 0.5f, x.m.data(),
                         x.out.data(), x.cols);
       }},
      {"cosine_similarity", 4, true,
       [](auto& t, auto& x) {
         t.cosine_similarity(x.rows, x.cols, x.gamma.data(), x.a.data(), x.cols, x.out.data());
       }},
  };
  return all;
}

// The references in the places of one table, so that they run through the same code.
KernelTable reference_table() {
  KernelTable t = *supported_kernels().front();
  t.isa = "reference";
  t.layer_norm = layer_norm_reference;
  t.layer_norm_backward = layer_norm_backward_reference;
  t.layer_norm_backward_parameters = layer_norm_backward_parameters_reference;
  t.softmax = softmax_reference;
  t.softmax_backward = softmax_backward_reference;
  t.gelu_tanh = gelu_tanh_reference;
  t.gelu_erf = gelu_erf_reference;
  t.gelu_tanh_backward = gelu_tanh_backward_reference;
  t.gelu_erf_backward = gelu_erf_backward_reference;
  t.embedding_gather = embedding_gather_reference;
  t.embedding_scatter_add = embedding_scatter_add_reference;
  t.sinusoidal_positions = sinusoidal_positions_reference;
  t.cross_entropy = cross_entropy_reference;
  t.adamw = adamw_reference;
  t.cosine_similarity = cosine_similarity_reference;
  t.exp = exp_reference;
  t.tanh = tanh_reference;
  t.erf = erf_reference;
  t.add = add_reference;
  t.sum_of_squares = sum_of_squares_reference;
  t.column_sum = column_sum_reference;
  return t;
}

// This thread's own time: these kernels have one thread, and what else the machine does is not
// theirs.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double seconds(const std::function<void()>& f) {
  const double begin = thread_seconds();
  f();
  return thread_seconds() - begin;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double median_seconds(int repetitions, const std::function<void()>& f) {
  std::vector<double> times;
  for (int i = 0; i < repetitions; ++i) times.push_back(seconds(f));
  return median(times);
}

// Bytes per second (read and written) of a copy with ordinary stores: what a kernel that reads and
// writes can reach.
double copy_bandwidth(Arrays& x) {
  const auto repeat = std::max<std::size_t>(1, (std::size_t{1} << 24) / (x.size() * sizeof(float)));
  const double time = median_seconds(9, [&] {
    for (std::size_t k = 0; k < repeat; ++k) {
      supported_kernels().back()->embedding_gather(1, x.size(), x.ids.data(), x.a.data(), 0, 1.0f,
                                                   x.out.data(), 0);
      benchmark::ClobberMemory();
    }
  });
  return 2.0 * static_cast<double>(x.size() * sizeof(float) * repeat) / time;
}

// The largest difference from the reference, relative to 1 + |expected|.
double max_error(const Operation& operation, const KernelTable& table, std::size_t rows,
                 std::size_t cols) {
  Arrays expected(rows, cols);
  Arrays actual(rows, cols);
  operation.run(reference_table(), expected);
  operation.run(table, actual);
  double worst = 0.0;
  const auto compare = [&](Floats& got, Floats& want) {
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double error = std::fabs(static_cast<double>(got[i]) - static_cast<double>(want[i])) /
                           (1.0 + std::fabs(static_cast<double>(want[i])));
      if (!(error <= worst)) worst = std::isnan(error) ? HUGE_VAL : error;
    }
  };
  compare(actual.out, expected.out);
  compare(actual.m, expected.m);
  compare(actual.v, expected.v);
  return worst;
}

struct Shape {
  std::size_t rows, cols;
  bool hot;
};

std::string shape_name(const Operation& operation, const Shape& shape) {
  const std::string rows = operation.row_wise ? std::to_string(shape.rows) + "x" : "";
  return rows + std::to_string(shape.cols) + (shape.hot ? "/hot" : "");
}

void run_benchmark(benchmark::State& state, const Operation& operation, const KernelTable& table,
                   const Shape& shape) {
  constexpr double kTolerance = 2e-5;
  const double error = max_error(operation, table, std::min<std::size_t>(shape.rows, 64),
                                 std::min<std::size_t>(shape.cols, 65536));
  if (!(error <= kTolerance)) {
    state.SkipWithError("disagrees with the reference");
    return;
  }
  Arrays x(shape.rows, shape.cols);
  const double copy = copy_bandwidth(x);
  const KernelTable reference = reference_table();
  // In the cache a run takes less than a microsecond: several are timed at once.
  const int runs = shape.hot ? 64 : 1;
  const auto repeat = [&](const KernelTable& t) {
    for (int i = 0; i < runs; ++i) {
      operation.run(t, x);
      benchmark::ClobberMemory();
    }
  };
  const double reference_time =
      median_seconds(shape.hot ? 21 : 3, [&] { repeat(reference); }) / runs;
  std::vector<double> times;
  for (auto _ : state) {
    times.push_back(seconds([&] { repeat(table); }) / runs);
    state.SetIterationTime(times.back());
  }
  const double time = median(times);
  const double bytes = operation.bytes * static_cast<double>(x.size());
  state.counters["GB/s"] = bytes / time * 1e-9;
  state.counters["ns/element"] = time / static_cast<double>(x.size()) * 1e9;
  state.counters["copy_percent"] = 100.0 * bytes / time / copy;
  state.counters["x_reference"] = reference_time / time;
  state.counters["max_error"] = error;
}

}  // namespace

void register_elementwise_benchmarks() {
  static const KernelTable reference = reference_table();
  std::vector<const KernelTable*> tables = supported_kernels();
  tables.insert(tables.begin(), &reference);
  const std::vector<Shape> arrays = {{1, 2048, true}, {1, 8388608, false}};
  const std::vector<Shape> matrices = {{8, 256, true}, {4, 1024, true}, {32768, 256, false}};
  for (const Operation& operation : operations())
    for (const Shape& shape : operation.row_wise ? matrices : arrays)
      for (const KernelTable* table : tables)
        benchmark::RegisterBenchmark(
            (std::string(operation.name) + "/" + table->isa + "/" + shape_name(operation, shape))
                .c_str(),
            [&operation, table, shape](benchmark::State& state) {
              run_benchmark(state, operation, *table, shape);
            })
            ->UseManualTime()
            ->Iterations(shape.hot ? 101 : 5);
}

}  // namespace glassgpt::bench
