#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>

#include "glassgpt/nearest.h"
#include "io/half.h"
#include "kernels/dispatch.h"
#include "kernels/gemm/gemm.h"
#include "kernels/kernel_table.h"
#include "model/parallel.h"

namespace glassgpt {
namespace {

// Rows that stay in the second-level cache while all queries meet them, and rows that a thread
// takes at a time.
constexpr std::size_t kBlockBytes = std::size_t{1} << 19;
constexpr std::size_t kBlocksPerTask = 4;
// Queries that are searched together: enough to fill the product's tiles many times over, few
// enough that what a thread keeps for them stays small.
constexpr std::size_t kMostQueries = 1024;
constexpr std::size_t kMostEntries = std::size_t{1} << 22;  // queries times results
constexpr std::size_t kMostScores = std::size_t{1} << 20;   // queries times rows of a block
// Fewer queries than this do not fill a tile of the matrix product: a dot product for each is
// faster.
constexpr std::size_t kQueriesForProduct = 5;
// Between these a float sum of squares is as good as a double one.
constexpr double kSquaresMin = 0x1p-80, kSquaresMax = 0x1p+100;

bool in_range(double squares) { return squares >= kSquaresMin && squares <= kSquaresMax; }

bool is_better(const Neighbour& a, const Neighbour& b) {
  return a.cosine != b.cosine ? a.cosine > b.cosine : a.row < b.row;
}

// The best `count` so far: a heap with the worst of them on top.
class Best {
 public:
  explicit Best(std::size_t count) : count_(count) { found_.reserve(count); }

  // No row with a cosine below this can be among the best.
  double limit() const {
    return found_.size() < count_ ? -std::numeric_limits<double>::infinity()
                                  : found_.front().cosine;
  }
  void add(const Neighbour& candidate) {
    if (std::isnan(candidate.cosine)) return;
    if (found_.size() == count_) {
      if (!is_better(candidate, found_.front())) return;
      std::pop_heap(found_.begin(), found_.end(), is_better);
      found_.pop_back();
    }
    found_.push_back(candidate);
    std::push_heap(found_.begin(), found_.end(), is_better);
  }
  const std::vector<Neighbour>& found() const { return found_; }

 private:
  std::size_t count_;
  std::vector<Neighbour> found_;
};

class Search {
 public:
  Search(const RowsView& rows, std::span<const float> queries, std::size_t count, int threads)
      : rows_(rows),
        queries_(queries),
        query_count_(queries.size() / rows.cols),
        margin_(static_cast<double>(2 * rows.cols + 16) * 0x1p-24),
        kernels_(kernels::active_kernels()),
        block_(std::min({std::max(rows_in_cache(), kLeastBlock), rows.rows,
                         std::max(kMostScores / query_count_, kLeastBlock)})) {
    workers_.reserve(static_cast<std::size_t>(threads));
    for (int thread = 0; thread < threads; ++thread) {
      workers_.emplace_back(query_count_, count, block_, rows_.half ? block_ * rows_.cols : 0);
    }
    scale_queries();
  }

  std::vector<std::vector<Neighbour>> run(int threads, std::size_t count) {
    const std::size_t block = block_;
    const std::size_t task_rows = block * kBlocksPerTask;
    for_tasks((rows_.rows + task_rows - 1) / task_rows, threads, [&](std::size_t task, int thread) {
      const std::size_t end = std::min(rows_.rows, (task + 1) * task_rows);
      for (std::size_t row = task * task_rows; row < end; row += block) {
        search_block(workers_[static_cast<std::size_t>(thread)], row, std::min(end, row + block));
      }
    });
    std::vector<std::vector<Neighbour>> results(query_count_);
    for (std::size_t q = 0; q < query_count_; ++q) {
      std::vector<Neighbour>& all = results[q];
      for (const Worker& worker : workers_) {
        const std::vector<Neighbour>& found = worker.best[q].found();
        all.insert(all.end(), found.begin(), found.end());
      }
      std::sort(all.begin(), all.end(), is_better);
      all.resize(std::min(all.size(), count));
    }
    return results;
  }

 private:
  static constexpr std::size_t kLeastBlock = 16;

  // All of a thread's memory is taken before the threads begin: where there is too little, they
  // could not tell.
  struct Worker {
    Worker(std::size_t queries, std::size_t count, std::size_t block, std::size_t widened)
        : limit(queries, -std::numeric_limits<float>::infinity()),
          floats(widened),
          scores(block * queries),
          scales(block),
          column(block) {
      best.reserve(queries);
      for (std::size_t q = 0; q < queries; ++q) best.emplace_back(count);
    }
    std::vector<Best> best;     // per query
    std::vector<float> limit;   // best[q].limit() less the margin
    std::vector<float> floats;  // a block's rows, where they are stored as halves
    std::vector<float> scores;  // [rows of the block, queries]
    std::vector<float> scales;  // 1 / |row|
    std::vector<float> column;  // a query's scores
  };

  std::size_t rows_in_cache() const {
    return kBlockBytes / (rows_.cols * sizeof(float)) / kLeastBlock * kLeastBlock;
  }

  // Queries of length 1, so that products are cosines times the row's length. Those whose squares
  // leave float's range are compared in double alone.
  void scale_queries() {
    unit_queries_.resize(queries_.size());
    for (std::size_t q = 0; q < query_count_; ++q) {
      const float* query = queries_.data() + q * rows_.cols;
      const double squares = kernels_.sum_of_squares(rows_.cols, query);
      exact_only_.push_back(!in_range(squares));
      any_exact_only_ |= exact_only_[q];
      const double scale = exact_only_[q] ? 0.0 : 1 / std::sqrt(squares);
      for (std::size_t c = 0; c < rows_.cols; ++c) {
        unit_queries_[q * rows_.cols + c] =
            exact_only_[q] ? 0.0F : static_cast<float>(query[c] * scale);
      }
    }
    if (query_count_ < kQueriesForProduct) return;
    product_ = kernels::WeightMatrix(rows_.cols, query_count_, unit_queries_.data(), rows_.cols,
                                     /*transposed=*/true);
    product_.pack(product_options());
  }

  static kernels::GemmOptions product_options() {
    kernels::GemmOptions options;
    options.backend = kernels::GemmBackend::kSimd;
    return options;
  }

  // Rows begin .. end as floats, `stride` apart.
  const float* block_rows(Worker& worker, std::size_t begin, std::size_t end,
                          std::size_t& stride) const {
    stride = rows_.stride;
    if (!rows_.half) return static_cast<const float*>(rows_.data) + begin * stride;
    const auto* halves = static_cast<const std::uint16_t*>(rows_.data) + begin * stride;
    for (std::size_t r = 0; r < end - begin; ++r) {
      io::halves_to_floats(halves + r * stride, rows_.cols, worker.floats.data() + r * rows_.cols);
    }
    stride = rows_.cols;
    return worker.floats.data();
  }

  void score(Worker& worker, const float* x, std::size_t stride, std::size_t count) const {
    if (query_count_ >= kQueriesForProduct) {
      kernels::linear(count, x, stride, product_, {}, worker.scores.data(), query_count_,
                      product_options());
      return;
    }
    // By query, then by row: each fills a column.
    float* const column = worker.column.data();
    for (std::size_t q = 0; q < query_count_; ++q) {
      kernels_.cosine_similarity(count, rows_.cols, unit_queries_.data() + q * rows_.cols, x,
                                 stride, column);
      for (std::size_t r = 0; r < count; ++r) worker.scores[r * query_count_ + q] = column[r];
    }
  }

  // What turns a score into a cosine: 1 / |row|, infinite for rows that only double can judge. The
  // dot products of few queries are cosines already, and NaN for such rows.
  void scale_rows(Worker& worker, const float* x, std::size_t stride, std::size_t count) const {
    std::fill_n(worker.scales.begin(), count, 1.0F);
    if (query_count_ < kQueriesForProduct) return;
    for (std::size_t r = 0; r < count; ++r) {
      const double squares = kernels_.sum_of_squares(rows_.cols, x + r * stride);
      worker.scales[r] = in_range(squares) ? static_cast<float>(1 / std::sqrt(squares))
                                           : std::numeric_limits<float>::infinity();
    }
  }

  void search_block(Worker& worker, std::size_t begin, std::size_t end) const {
    std::size_t stride = 0;
    const float* x = block_rows(worker, begin, end, stride);
    scale_rows(worker, x, stride, end - begin);
    score(worker, x, stride, end - begin);
    for (std::size_t r = 0; r < end - begin; ++r) {
      const float* scores = worker.scores.data() + r * query_count_;
      const float scale = worker.scales[r];
      const bool unsure = std::isinf(scale);
      // Hardly any row is near: one quick look at all queries first.
      bool any = unsure || any_exact_only_;
      for (std::size_t q = 0; q < query_count_; ++q) any |= !(scores[q] * scale < worker.limit[q]);
      if (!any) continue;
      for (std::size_t q = 0; q < query_count_; ++q) {
        if (unsure || exact_only_[q] || !(scores[q] * scale < worker.limit[q])) {
          consider(worker, q, begin + r, x + r * stride);
        }
      }
    }
  }

  void consider(Worker& worker, std::size_t q, std::size_t row, const float* x) const {
    Best& best = worker.best[q];
    best.add({row, exact_cosine(queries_.data() + q * rows_.cols, x, rows_.cols)});
    worker.limit[q] = static_cast<float>(best.limit() - margin_);
  }

  RowsView rows_;
  std::span<const float> queries_;
  std::size_t query_count_;
  double margin_;
  const kernels::KernelTable& kernels_;
  std::size_t block_;  // rows that are compared at a time
  std::vector<Worker> workers_;
  std::vector<float> unit_queries_;
  std::vector<bool> exact_only_;
  bool any_exact_only_ = false;
  kernels::WeightMatrix product_;
};

}  // namespace

double exact_cosine(const float* a, const float* b, std::size_t cols) noexcept {
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t c = 0; c < cols; ++c) {
    const auto x = static_cast<double>(a[c]), y = static_cast<double>(b[c]);
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (!std::isfinite(aa) || !std::isfinite(bb)) return std::numeric_limits<double>::quiet_NaN();
  if (aa == 0 || bb == 0) return 0.0;
  return std::clamp(dot / (std::sqrt(aa) * std::sqrt(bb)), -1.0, 1.0);
}

std::vector<std::vector<Neighbour>> nearest_rows(const RowsView& rows,
                                                 std::span<const float> queries, std::size_t count,
                                                 int threads) {
  if (rows.cols == 0 || queries.size() % rows.cols != 0) {
    throw std::invalid_argument("expected queries of " + std::to_string(rows.cols) +
                                " values each, got " + std::to_string(queries.size()) +
                                " values in all");
  }
  if (rows.rows > 0 && rows.stride < rows.cols) {
    throw std::invalid_argument("rows of " + std::to_string(rows.cols) + " values are only " +
                                std::to_string(rows.stride) + " apart");
  }
  count = std::min(count, rows.rows);
  if (count == 0 || queries.empty()) return {queries.size() / rows.cols, std::vector<Neighbour>()};
  const int shares = threads_worth(rows.rows * rows.cols, std::max(1, threads));
  const std::size_t together =
      rows.cols * std::clamp(kMostEntries / count, std::size_t{1}, kMostQueries);
  std::vector<std::vector<Neighbour>> results;
  results.reserve(queries.size() / rows.cols);
  for (std::size_t at = 0; at < queries.size(); at += together) {
    const auto part = queries.subspan(at, std::min(together, queries.size() - at));
    auto found = Search(rows, part, count, shares).run(shares, count);
    std::move(found.begin(), found.end(), std::back_inserter(results));
  }
  return results;
}

}  // namespace glassgpt
