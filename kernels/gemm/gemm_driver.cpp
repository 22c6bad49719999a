// Cuts a product into blocks for caches and threads. Whatever the cuts in M and N and whoever
// computes a block, each element of C is the same chain of operations: cuts in K alone would show,
// and those depend on K alone.
#include <omp.h>

#include <algorithm>

#include "kernels/gemm/gemm_backends.h"

namespace glassgpt::kernels {
namespace {

constexpr std::size_t divide_up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// Words of packed A that a thread goes through per panel of B: half of a 1 MB L2 cache, so that
// the panel fits beside it.
constexpr std::size_t kPackedAFloats = std::size_t{128} * 1024;
// Words of B that gemm() packs at a time, and how many of a column: they stay in the last cache
// until they are used.
constexpr std::size_t kPackedBFloats = std::size_t{1024} * 1024;
// Words of packed B that stay in an inner cache from one product to the next, where they are used
// so.
constexpr std::size_t kSmallBFloats = std::size_t{256} * 1024;
constexpr std::size_t kPackedBWords = 2 * kGemmKBlock;
// Columns of one piece of work. An activation function runs over them while they are in cache.
constexpr std::size_t kPieceCols = 256;
// Tile steps (a whole tile, one word of k: up to 24 cycles) that pay for waking a thread (some
// microseconds).
constexpr std::size_t kMinStepsPerThread = 3072;
// Pieces per thread: threads that are interrupted leave theirs to the others.
constexpr std::size_t kPiecesPerThread = 16, kMinPiecesPerThread = 2;
// Tiles per thread from which rows are split and not columns: fewer would read B faster than the
// last cache gives it, but for a small B, where it costs more that half of A comes from the other
// core's cache.
constexpr std::size_t kOwnTiles = 4, kOwnTilesOfSmallB = 2;

struct Range {
  std::size_t begin, end;
  std::size_t size() const { return end - begin; }
};
Range part_of(std::size_t count, std::size_t part, std::size_t parts) {
  return {part * count / parts, (part + 1) * count / parts};
}

std::size_t tile_floats(std::size_t k, const GemmKernel& kernel) {
  return divide_up(kernel.words(k), kGemmKBlock) * kernel.mr *
         gemm_a_stride(kernel.a_floats_per_word);
}

// How C is cut: chunks of rows whose part of A a thread packs at once, and for each chunk pieces of
// columns. Pieces are numbered chunk by chunk, so that a thread with consecutive pieces packs a
// chunk once.
struct Plan {
  std::size_t panels;               // of C
  std::size_t chunks, chunk_tiles;  // chunk_tiles: the most that a chunk has
  std::size_t pieces, piece_panels;
  std::size_t count() const { return chunks * pieces; }
};

Plan make_plan(std::size_t m, std::size_t n, std::size_t k, std::size_t threads,
               const GemmKernel& kernel) {
  Plan plan{};
  plan.panels = divide_up(n, kernel.nr);
  const std::size_t at_once =
      kernel.mr * std::clamp(kPackedAFloats / std::max<std::size_t>(tile_floats(k, kernel), 1),
                             std::size_t{1}, kGemmMaxTiles);
  // Threads with rows of their own pack nothing of A twice but each read all of B: worth it where
  // the rows are many, or the columns too few to share.
  const std::size_t own_tiles =
      packed_floats(k, n, kernel) <= kSmallBFloats ? kOwnTilesOfSmallB : kOwnTiles;
  const bool splits_rows =
      m >= threads * own_tiles * kernel.mr || plan.panels < kMinPiecesPerThread * threads;
  const std::size_t sharers = splits_rows ? std::min(threads, divide_up(m, kernel.mr)) : 1;
  plan.chunks = sharers * divide_up(m, sharers * at_once);
  plan.chunk_tiles = divide_up(divide_up(m, plan.chunks), kernel.mr);
  const std::size_t wanted = threads == 1 ? 1 : divide_up(kPiecesPerThread * threads, plan.chunks);
  // Even, because one or two rows take panels in pairs.
  const std::size_t even = divide_up(divide_up(plan.panels, wanted), 2) * 2;
  plan.piece_panels = std::min(even, std::max<std::size_t>(kPieceCols / kernel.nr, 2));
  plan.pieces = divide_up(plan.panels, plan.piece_panels);
  return plan;
}

std::size_t useful_threads(std::size_t m, std::size_t n, std::size_t k, int threads,
                           const GemmKernel& kernel) {
  const std::size_t steps = divide_up(m, kernel.mr) * divide_up(n, kernel.nr) * kernel.words(k);
  return std::clamp(steps / kMinStepsPerThread, std::size_t{1}, static_cast<std::size_t>(threads));
}

bool needs_aside(const Epilogue& e) {
  return e.activation != Activation::kNone && e.residual != nullptr;
}

// What each thread writes to beside C.
struct Scratch {
  std::size_t packed_a_floats, aside_floats;

  Scratch(const Product& p, std::size_t k, const Plan& plan)
      : packed_a_floats(plan.chunk_tiles * tile_floats(k, *p.kernel)),
        aside_floats(needs_aside(p.epilogue)
                         ? plan.chunk_tiles * p.kernel->mr * plan.piece_panels * p.kernel->nr
                         : 0) {}
  std::size_t floats() const { return packed_a_floats + aside_floats; }
};

// Scratch of all threads and gemm()'s packed B. One per calling thread, kept for its next product.
float* workspace(std::size_t floats) {
  thread_local PackedBuffer buffer;
  return buffer.reserve(floats);
}

template <class T>
T* at(T* p, std::size_t row, std::size_t stride, std::size_t col) {
  return p == nullptr ? nullptr : p + row * stride + col;
}

// C = activation(x) (+ residual) for the part of C that `x` holds.
void activate(const Product& p, Range rows, Range cols, float* x, std::size_t x_stride) {
  const Epilogue& e = p.epilogue;
  GeluFn* gelu = e.activation == Activation::kGeluTanh ? p.kernels->gelu_tanh : p.kernels->gelu_erf;
  for (std::size_t i = rows.begin; i < rows.end; ++i, x += x_stride) {
    gelu(cols.size(), x, x);
    if (e.residual != nullptr)
      p.kernels->add(cols.size(), x, at(e.residual, i, e.residual_stride, cols.begin),
                     p.c + i * p.c_stride + cols.begin);
  }
}

// One piece: rows whose part of A is packed, and columns whose first packed panel is `panels`.
void multiply_piece(const Product& p, Range rows, Range cols, const float* packed_a,
                    const float* panels, float* aside) {
  const Epilogue& e = p.epilogue;
  const bool activates = e.activation != Activation::kNone;
  float* c = p.c + rows.begin * p.c_stride + cols.begin;
  std::size_t c_stride = p.c_stride;
  if (needs_aside(
          e)) {  // the residual may be C itself, which must not be overwritten before it is read
    c = aside;
    c_stride = cols.size();
  }
  const std::size_t words = p.kernel->words(p.k);
  p.kernel->block(
      {.rows = rows.size(),
       .cols = cols.size(),
       .words = words,
       .a = packed_a,
       .b = panels,
       .panel_stride = words * p.kernel->nr,
       .b_is_small = packed_floats(p.k, p.n, *p.kernel) <= kSmallBFloats,
       .c = c,
       .c_stride = c_stride,
       .accumulate = p.accumulate,
       .bias = at(e.bias, 0, 0, cols.begin),
       .pre_activation = at(e.pre_activation, rows.begin, e.pre_activation_stride, cols.begin),
       .pre_activation_stride = e.pre_activation_stride,
       .residual = activates ? nullptr : at(e.residual, rows.begin, e.residual_stride, cols.begin),
       .residual_stride = e.residual_stride});
  if (activates) activate(p, rows, cols, c, c_stride);
}

// C = A times the packed B: called by every thread of a parallel region, which share the pieces
// out. Guided: a thread starts with a long run of pieces and so packs few chunks of A, and the last
// ones are small.
void multiply_pieces(const Product& p, const Plan& plan, const float* packed_b, float* scratch,
                     const Scratch& layout) {
  const GemmKernel& kernel = *p.kernel;
  float* packed_a = scratch + static_cast<std::size_t>(omp_get_thread_num()) * layout.floats();
  float* aside = packed_a + layout.packed_a_floats;
  std::size_t packed_chunk = plan.chunks;
#pragma omp for schedule(guided)
  for (std::size_t index = 0; index < plan.count(); ++index) {
    const std::size_t chunk = index / plan.pieces, piece = index % plan.pieces;
    const Range rows = part_of(p.m, chunk, plan.chunks);
    if (chunk != packed_chunk && p.k > 0) {
      kernel.pack_a(rows.size(), p.k,
                    p.a.data + (p.a.transposed ? rows.begin : rows.begin * p.a.stride), p.a.stride,
                    p.a.transposed, packed_a);
      packed_chunk = chunk;
    }
    const std::size_t panel = piece * plan.piece_panels;
    const Range cols = {panel * kernel.nr, std::min((panel + plan.piece_panels) * kernel.nr, p.n)};
    multiply_piece(p, rows, cols, packed_a, packed_b + panel * kernel.words(p.k) * kernel.nr,
                   aside);
  }
}

// Packs op(B)[k, n]: called by every thread of a parallel region. Shares are whole rows of the
// source where those are rows of B, and whole panels where they are columns.
void pack_shares(std::size_t k, std::size_t n, const Operand& b, const GemmKernel& kernel,
                 float* packed) {
  const std::size_t panels = divide_up(n, kernel.nr), panel_stride = kernel.words(k) * kernel.nr;
  constexpr std::size_t kShareRows = 64;
  const std::size_t shares = b.transposed ? panels : divide_up(k, kShareRows);
#pragma omp for schedule(guided)
  for (std::size_t share = 0; share < shares; ++share) {
    if (b.transposed) {
      const std::size_t col = share * kernel.nr;
      kernel.pack_b(k, std::min(kernel.nr, n - col), b.data + col * b.stride, b.stride, true,
                    packed + share * panel_stride, panel_stride);
    } else {
      const std::size_t row = share * kShareRows;
      kernel.pack_b(std::min(kShareRows, k - row), n, b.data + row * b.stride, b.stride, false,
                    packed + kernel.words(row) * kernel.nr, panel_stride);
    }
  }
}

// Part of a product: columns [cols) and values of k [depth).
Product slice(const Product& p, Range cols, Range depth) {
  Product q = p;
  q.n = cols.size();
  q.k = depth.size();
  q.a.data += p.a.transposed ? depth.begin * p.a.stride : depth.begin;
  q.b.data += p.b.transposed ? cols.begin * p.b.stride + depth.begin
                             : depth.begin * p.b.stride + cols.begin;
  q.c += cols.begin;
  q.accumulate = p.accumulate || depth.begin > 0;
  return q;
}

}  // namespace

std::size_t packed_floats(std::size_t k, std::size_t n, const GemmKernel& kernel) noexcept {
  return divide_up(n, kernel.nr) * kernel.nr * kernel.words(k);
}

void pack_weights(std::size_t k, std::size_t n, const Operand& b, const GemmKernel& kernel,
                  int threads, float* packed) {
  constexpr std::size_t kMinFloatsPerThread = std::size_t{64} * 1024;
  const int useful = static_cast<int>(
      std::clamp(k * n / kMinFloatsPerThread, std::size_t{1}, static_cast<std::size_t>(threads)));
#pragma omp parallel num_threads(useful) if (useful > 1)
  pack_shares(k, n, b, kernel, packed);
}

void gemm_simd_packed(const Product& p, const float* packed) {
  const GemmKernel& kernel = *p.kernel;
  const std::size_t threads = useful_threads(p.m, p.n, p.k, p.threads, kernel);
  const Plan plan = make_plan(p.m, p.n, p.k, threads, kernel);
  const Scratch layout(p, p.k, plan);
  float* scratch = workspace(layout.floats() * threads);
#pragma omp parallel num_threads(static_cast <int>(threads)) if (threads > 1)
  multiply_pieces(p, plan, packed, scratch, layout);
}

void gemm_simd(const Product& p) {
  const GemmKernel& kernel = *p.kernel;
  const std::size_t depth =
      std::max<std::size_t>(std::min(p.k, kPackedBWords * kernel.k_per_word), 1);
  const std::size_t columns = kPackedBFloats / kernel.words(depth) / kernel.nr;
  const std::size_t width = std::min(std::max(columns, std::size_t{1}) * kernel.nr, p.n);
  const std::size_t threads = useful_threads(p.m, width, depth, p.threads, kernel);
  // A plan for all slices; what is left of the columns goes through with the same number of rows at
  // once.
  const Plan plan = make_plan(p.m, width, depth, threads, kernel);
  const Scratch layout(p, depth, plan);
  const std::size_t b_floats = divide_up(packed_floats(depth, width, kernel), 16) * 16;
  float* packed_b = workspace(b_floats + layout.floats() * threads);
#pragma omp parallel num_threads(static_cast <int>(threads)) if (threads > 1)
  for (std::size_t j = 0; j < p.n; j += width) {
    for (std::size_t k = 0; k == 0 || k < p.k; k += depth) {
      const Product q = slice(p, {j, std::min(j + width, p.n)}, {k, std::min(k + depth, p.k)});
      Plan sliced = plan;
      sliced.panels = divide_up(q.n, kernel.nr);
      sliced.pieces = divide_up(sliced.panels, sliced.piece_panels);
      pack_shares(q.k, q.n, q.b, kernel, packed_b);
      multiply_pieces(q, sliced, packed_b, packed_b + b_floats, layout);
    }
  }
}

}  // namespace glassgpt::kernels
