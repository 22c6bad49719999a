// The matrix product's benchmarks: gemm/IMPLEMENTATION/MxKxN, with /2t for two threads and /hot
// where the inputs stay in cache.
#pragma once

#include <vector>

#include "kernels/roofs/roofs.h"

namespace glassgpt::bench {

// `roofs` must outlive the run.
void register_gemm_benchmarks(const kernels::Roofs& roofs, const std::vector<int>& threads);

}  // namespace glassgpt::bench
