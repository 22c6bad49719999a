// Cuts a product into blocks for caches and threads. Whatever the cuts in M and N and whoever
// computes a block, each element of C is the same chain of operations: cuts in K alone would show,
// and those depend on K alone.
#include <omp.h>

#include <algorithm>

#include "kernels/gemm/gemm_backends.h"

namespace glassgpt::kernels {
namespace {

constexpr std::size_t divide_up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// Floats of packed A that a thread goes through per panel of B: half of a 1 MB L2 cache, so that
// the panel fits beside it.
constexpr std::size_t kPackedAFloats = 128 * 1024;
// Floats of B that gemm() packs at a time, and values of k of it: they stay in the last cache until
// they are used.
constexpr std::size_t kPackedBFloats = 1024 * 1024;
constexpr std::size_t kPackedBDepth = 4 * kGemmKBlock;
// Columns after which the activation function runs over a block's rows, while they are in cache.
constexpr std::size_t kActivationCols = 256;
// Tile steps (a whole tile, one value of k: about 24 cycles) that pay for waking a thread (some
// microseconds).
constexpr std::size_t kMinStepsPerThread = 4096;

// A thread's rectangle of C, in tiles and panels.
struct Grid {
  std::size_t tiles, panels;         // of C
  std::size_t row_parts, col_parts;  // the rectangles
};

// The cut of C among at most `threads` that takes the longest-working thread the fewest cycles.
// Splitting rows makes every thread read all of B, splitting columns makes every thread pack all of
// A.
Grid choose_grid(std::size_t m, std::size_t n, std::size_t k, std::size_t threads,
                 const GemmKernel& kernel) {
  Grid grid{divide_up(m, kernel.mr), divide_up(n, kernel.nr), 1, 1};
  const std::size_t steps = grid.tiles * grid.panels * k;
  threads = std::clamp(steps / kMinStepsPerThread, std::size_t{1}, threads);
  constexpr double kTileCycles = 24, kPackRowCycles = 0.5, kReadPanelCycles = 4;
  double best = 0;
  for (std::size_t rows = 1; rows <= std::min(threads, grid.tiles); ++rows) {
    const std::size_t cols = std::min(threads / rows, grid.panels);
    const double tiles = static_cast<double>(divide_up(grid.tiles, rows));
    const double panels = static_cast<double>(divide_up(grid.panels, cols));
    const double cost = tiles * panels * kTileCycles +
                        tiles * static_cast<double>(kernel.mr) * kPackRowCycles +
                        panels * kReadPanelCycles;
    if (rows > 1 && cost >= best) continue;
    best = cost;
    grid.row_parts = rows;
    grid.col_parts = cols;
  }
  return grid;
}

struct Range {
  std::size_t begin, end;
};
Range part_of(std::size_t count, std::size_t part, std::size_t parts) {
  return {part * count / parts, (part + 1) * count / parts};
}

std::size_t tile_floats(std::size_t k, const GemmKernel& kernel) {
  return divide_up(k, kGemmKBlock) * kernel.mr * kGemmAStride;
}

// Tiles whose packed rows a thread goes through per panel.
std::size_t tiles_at_once(std::size_t k, const GemmKernel& kernel) {
  return std::clamp(kPackedAFloats / std::max<std::size_t>(tile_floats(k, kernel), 1),
                    std::size_t{1}, kGemmMaxTiles);
}

const float* at(const float* p, std::size_t row, std::size_t stride, std::size_t col) {
  return p == nullptr ? nullptr : p + row * stride + col;
}

// What a thread writes to beside C.
struct Scratch {
  float* packed_a;
  float* activated;  // [kGemmMaxTiles * mr, kActivationCols], where an activation and a residual
                     // follow the product
};

bool needs_activated(const Epilogue& e) {
  return e.activation != Activation::kNone && e.residual != nullptr;
}

// C = activation(x) (+ residual) for the columns of C that `x` holds.
void activate(const Product& p, Range rows, Range cols, float* x, std::size_t x_stride) {
  GeluFn* gelu =
      p.epilogue.activation == Activation::kGeluTanh ? p.kernels->gelu_tanh : p.kernels->gelu_erf;
  const std::size_t n = cols.end - cols.begin;
  for (std::size_t i = rows.begin; i < rows.end; ++i, x += x_stride) {
    gelu(n, x, x);
    if (p.epilogue.residual != nullptr)
      p.kernels->add(n, x, at(p.epilogue.residual, i, p.epilogue.residual_stride, cols.begin),
                     p.c + i * p.c_stride + cols.begin);
  }
}

// Columns [cols) of rows [rows), whose part of A is packed; `panels` is the packed panel of column
// cols.begin.
void multiply_block(const Product& p, Range rows, Range cols, const Scratch& scratch,
                    const float* panels, std::size_t panel_stride, bool accumulate) {
  const Epilogue& e = p.epilogue;
  const bool activates = e.activation != Activation::kNone;
  const std::size_t step = activates ? kActivationCols : cols.end - cols.begin;
  for (std::size_t j = cols.begin; j < cols.end; j += step) {
    const Range part{j, std::min(j + step, cols.end)};
    // The residual may be C itself, which must not be overwritten before it is read.
    const bool aside = needs_activated(e);
    float* c = aside ? scratch.activated : p.c + rows.begin * p.c_stride + j;
    const std::size_t c_stride = aside ? kActivationCols : p.c_stride;
    const GemmBlock block{
        .rows = rows.end - rows.begin,
        .cols = part.end - part.begin,
        .k = p.k,
        .a = scratch.packed_a,
        .b = panels + (j - cols.begin) / p.kernels->gemm.nr * panel_stride,
        .panel_stride = panel_stride,
        .c = c,
        .c_stride = c_stride,
        .accumulate = accumulate,
        .bias = at(e.bias, 0, 0, j),
        .pre_activation =
            const_cast<float*>(at(e.pre_activation, rows.begin, e.pre_activation_stride, j)),
        .pre_activation_stride = e.pre_activation_stride,
        .residual = activates ? nullptr : at(e.residual, rows.begin, e.residual_stride, j),
        .residual_stride = e.residual_stride};
    p.kernels->gemm.block(block);
    if (activates) activate(p, rows, part, c, c_stride);
  }
}

// One thread's rectangle: packs its rows of A, a cacheful at a time, and goes through its panels
// with them.
void multiply_part(const Product& p, const Grid& grid, std::size_t part, const float* packed_b,
                   std::size_t panel_stride, const Scratch& scratch, bool accumulate) {
  const GemmKernel& kernel = p.kernels->gemm;
  const Range tiles = part_of(grid.tiles, part / grid.col_parts, grid.row_parts);
  const Range panels = part_of(grid.panels, part % grid.col_parts, grid.col_parts);
  const Range cols{panels.begin * kernel.nr, std::min(panels.end * kernel.nr, p.n)};
  const std::size_t at_once = tiles_at_once(p.k, kernel);
  const std::size_t chunks = divide_up(tiles.end - tiles.begin, at_once);
  for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
    const Range some = part_of(tiles.end - tiles.begin, chunk, chunks);
    const Range rows{(tiles.begin + some.begin) * p.m / grid.tiles,
                     (tiles.begin + some.end) * p.m / grid.tiles};
    const float* a = p.a.data + (p.a.transposed ? rows.begin : rows.begin * p.a.stride);
    kernel.pack_a(rows.end - rows.begin, p.k, a, p.a.stride, p.a.transposed, scratch.packed_a);
    multiply_block(p, rows, cols, scratch, packed_b + panels.begin * panel_stride, panel_stride,
                   accumulate);
  }
}

// A thread's share of packing op(B)[k, n]: whole rows of the source where they are rows of B, whole
// panels where they are columns.
void pack_part(std::size_t k, std::size_t n, const Operand& b, const GemmKernel& kernel,
               std::size_t part, std::size_t parts, float* packed, std::size_t panel_stride) {
  if (b.transposed) {
    const Range panels = part_of(divide_up(n, kernel.nr), part, parts);
    const std::size_t begin = panels.begin * kernel.nr, end = std::min(panels.end * kernel.nr, n);
    if (begin < end)
      kernel.pack_b(k, end - begin, b.data + begin * b.stride, b.stride, true,
                    packed + panels.begin * panel_stride, panel_stride);
  } else {
    const Range rows = part_of(k, part, parts);
    kernel.pack_b(rows.end - rows.begin, n, b.data + rows.begin * b.stride, b.stride, false,
                  packed + rows.begin * kernel.nr, panel_stride);
  }
}

// Enough for every slice of up to k values.
std::size_t packed_a_floats(std::size_t k, const Grid& grid, const GemmKernel& kernel) {
  const std::size_t tile = tile_floats(k, kernel);
  return std::min(divide_up(grid.tiles, grid.row_parts) * tile, std::max(kPackedAFloats, tile));
}

// Packed A of every thread and gemm()'s packed B. One per calling thread, kept for its next
// product.
float* workspace(std::size_t floats) {
  thread_local PackedBuffer buffer;
  return buffer.reserve(floats);
}

std::size_t whole_lines(std::size_t floats) { return divide_up(floats, 16) * 16; }

// Part of a product: columns [cols) and values of k [depth).
Product slice(const Product& p, Range cols, Range depth) {
  Product q = p;
  q.n = cols.end - cols.begin;
  q.k = depth.end - depth.begin;
  q.a.data += p.a.transposed ? depth.begin * p.a.stride : depth.begin;
  q.b.data += p.b.transposed ? cols.begin * p.b.stride + depth.begin
                             : depth.begin * p.b.stride + cols.begin;
  q.c += cols.begin;
  return q;
}

}  // namespace

std::size_t packed_floats(std::size_t k, std::size_t n, const KernelTable& kernels) noexcept {
  return divide_up(n, kernels.gemm.nr) * kernels.gemm.nr * k;
}

void pack_weights(std::size_t k, std::size_t n, const Operand& b, const KernelTable& kernels,
                  int threads, float* packed) {
  const GemmKernel& kernel = kernels.gemm;
  constexpr std::size_t kMinFloatsPerThread = 16 * 1024;
  const std::size_t useful = std::max<std::size_t>(k * n / kMinFloatsPerThread, 1);
  const int parts = static_cast<int>(std::min(useful, static_cast<std::size_t>(threads)));
#pragma omp parallel for num_threads(parts) schedule(static)
  for (int part = 0; part < parts; ++part)
    pack_part(k, n, b, kernel, static_cast<std::size_t>(part), static_cast<std::size_t>(parts),
              packed, k * kernel.nr);
}

void gemm_simd_packed(const Product& p, const float* packed) {
  const GemmKernel& kernel = p.kernels->gemm;
  const Grid grid = choose_grid(p.m, p.n, p.k, static_cast<std::size_t>(p.threads), kernel);
  const int parts = static_cast<int>(grid.row_parts * grid.col_parts);
  const std::size_t a_floats = packed_a_floats(p.k, grid, kernel);
  const std::size_t activated_floats =
      needs_activated(p.epilogue) ? kGemmMaxTiles * kernel.mr * kActivationCols : 0;
  const std::size_t floats = a_floats + activated_floats;
  float* memory = workspace(floats * static_cast<std::size_t>(parts));
#pragma omp parallel for num_threads(parts) schedule(static)
  for (int part = 0; part < parts; ++part) {
    float* own = memory + static_cast<std::size_t>(part) * floats;
    multiply_part(p, grid, static_cast<std::size_t>(part), packed, p.k * kernel.nr,
                  {own, own + a_floats}, false);
  }
}

void gemm_simd(const Product& p) {
  const GemmKernel& kernel = p.kernels->gemm;
  const std::size_t depth = std::max<std::size_t>(std::min(p.k, kPackedBDepth), 1);
  const std::size_t width =
      std::max(kPackedBFloats / depth / kernel.nr, std::size_t{1}) * kernel.nr;
  const Grid widest =
      choose_grid(p.m, std::min(width, p.n), depth, static_cast<std::size_t>(p.threads), kernel);
  const int parts = static_cast<int>(widest.row_parts * widest.col_parts);
  const std::size_t a_floats = packed_a_floats(depth, widest, kernel);
  const std::size_t b_floats = whole_lines(packed_floats(depth, std::min(width, p.n), *p.kernels));
  float* packed_b = workspace(b_floats + a_floats * static_cast<std::size_t>(parts));
  float* packed_a = packed_b + b_floats;
  for (std::size_t j = 0; j < p.n; j += width) {
    for (std::size_t k = 0; k == 0 || k < p.k; k += depth) {
      const Product q = slice(p, {j, std::min(j + width, p.n)}, {k, std::min(k + depth, p.k)});
      Grid grid = widest;
      grid.panels = divide_up(q.n, kernel.nr);
#pragma omp parallel for num_threads(parts) schedule(static)
      for (int part = 0; part < parts; ++part)
        pack_part(q.k, q.n, q.b, kernel, static_cast<std::size_t>(part),
                  static_cast<std::size_t>(parts), packed_b, q.k * kernel.nr);
#pragma omp parallel for num_threads(parts) schedule(static)
      for (int part = 0; part < parts; ++part)
        multiply_part(q, grid, static_cast<std::size_t>(part), packed_b, q.k * kernel.nr,
                      {packed_a + static_cast<std::size_t>(part) * a_floats, nullptr},
                      p.accumulate || k > 0);
    }
  }
}

}  // namespace glassgpt::kernels
