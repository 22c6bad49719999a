// tokenizer/...: encoding, decoding and batches, on real texts and on runs that break slow
// tokenizers.
#pragma once

namespace glassgpt::bench {

// Reads the vocabularies and texts below GLASSGPT_SHARED (default ../shared) only when one of the
// benchmarks runs; where they are missing, it is an error of that benchmark.
void register_tokenizer_benchmarks();

}  // namespace glassgpt::bench
