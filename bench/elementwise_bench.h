// The elementwise, row and reduction kernels' benchmarks, of one thread:
// operation/implementation/shape, with /hot where the arrays stay in the first-level cache.
#pragma once

namespace glassgpt::bench {

void register_elementwise_benchmarks();

}  // namespace glassgpt::bench
