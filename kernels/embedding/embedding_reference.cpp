#include "kernels/embedding/embedding.h"

namespace glassgpt::kernels {

// y[r, c] = scale * table[ids[r], c]
void embedding_gather_reference(std::size_t rows, std::size_t cols, const TokenId* ids,
                                const float* table, std::size_t table_stride, float scale, float* y,
                                std::size_t y_stride) noexcept {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < cols; ++c)
      y[r * y_stride + c] = scale * table[ids[r] * table_stride + c];
}

// Forward: y[r, c] = scale * table[ids[r], c], so d_table[ids[r], c] += scale * d_y[r, c]. An id
// may occur often; its rows are added in ascending order, each rounded to float: this order is the
// contract, there is no wider accumulator.
void embedding_scatter_add_reference(std::size_t rows, std::size_t cols, const TokenId* ids,
                                     const float* d_y, std::size_t d_y_stride, float scale,
                                     float* d_table, std::size_t table_stride) noexcept {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < cols; ++c)
      d_table[ids[r] * table_stride + c] += scale * d_y[r * d_y_stride + c];
}

}  // namespace glassgpt::kernels
