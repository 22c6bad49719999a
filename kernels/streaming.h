// When results go past the caches.
#pragma once

#include <cstddef>

namespace glassgpt::kernels {

// Whether a result of this many bytes, written by each thread of the calling team, would leave the
// last cache before anyone reads it. Streaming stores then save the reading of each line that is to
// be overwritten: 3 transfers per element become 2. The results' bytes are the same.
//
// From a quarter of the last cache on, all threads together. Writing and then reading an array of n
// MiB once, on two cores of an Intel Xeon (Emerald Rapids) whose 260 MiB other machines share,
// streaming took 14% longer than ordinary stores for n = 16, as long for 32, and 5, 10 and 18% less
// for 48, 64 and 128. A cache of one's own would keep input and output up to n = half of it.
bool outgrows_caches(std::size_t bytes) noexcept;

// The size from which on a result streams, for tests and measurements. Not while kernels run.
std::size_t streaming_threshold() noexcept;
void set_streaming_threshold(std::size_t bytes) noexcept;

}  // namespace glassgpt::kernels
