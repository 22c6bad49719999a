#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {
// cosine[r] = dot(query, x[r]) / (|query| |x[r]|); 0 where either norm is 0.
using CosineSimilarityFn = void(std::size_t rows, std::size_t cols, const float* query,
                                const float* x, std::size_t x_stride, float* cosine) noexcept;
CosineSimilarityFn cosine_similarity_reference;
}  // namespace glassgpt::kernels
