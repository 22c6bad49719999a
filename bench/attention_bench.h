// Attention's benchmarks, of one thread: attention_forward/ISA/TxDxH (T tokens, D head width, H
// heads), attention_backward, and attention_decode, one query against a cache of T tokens; with
// /hot where the sequence stays in cache.
#pragma once

#include "kernels/roofs/roofs.h"

namespace glassgpt::bench {

// `roofs` must outlive the run.
void register_attention_benchmarks(const kernels::Roofs& roofs);

}  // namespace glassgpt::bench
