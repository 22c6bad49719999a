// The benchmark of a step of skip-gram, of one thread: skip_gram/ISA/BxNxC (B inputs, N targets,
// rows of C), whose rows stay in cache, as those of a block of sentences do.
#pragma once

#include "kernels/roofs/roofs.h"

namespace glassgpt::bench {

// `roofs` must outlive the run.
void register_skip_gram_benchmarks(const kernels::Roofs& roofs);

}  // namespace glassgpt::bench
