// The elementwise, row and reduction kernels' benchmarks: operation/implementation/shape, with /2t
// for two threads and /hot where the arrays stay in the first-level cache.
#pragma once

#include <vector>

#include "kernels/roofs/roofs.h"

namespace glassgpt::bench {

// `roofs` must outlive the run.
void register_elementwise_benchmarks(const kernels::Roofs& roofs, const std::vector<int>& threads);

}  // namespace glassgpt::bench
