// Which instruction set this process uses, chosen once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernel_table.h"

namespace glassgpt::kernels {

// The table in use: the best ISA that the CPU and the operating system support, or the one named by
// the environment variable GLASSGPT_ISA, or by force_isa() before the first use. Throws
// glassgpt::Error (kUnavailable) for an unknown or unsupported name. The choice is made at the
// first call and does not change after.
const KernelTable& active_kernels();

// Every table that was built in and that this CPU can run, slowest first ("scalar" is always
// there). For tests and benchmarks.
std::vector<const KernelTable*> supported_kernels();

// Names of all ISAs that were built in, supported or not.
std::vector<std::string> built_isas();

// Chooses by name, as GLASSGPT_ISA does and before it. Throws Error for a name that cannot be had,
// or if another was already in use.
void force_isa(std::string_view name);

// The CPU's name as the operating system gives it, or "unknown". For people to read.
std::string cpu_name();

// What the two choices above share: the supported table of that name. Throws Error (kUnavailable)
// that starts with `source` (who asked) and tells an ISA that was built but that this CPU lacks
// from one that nobody knows.
const KernelTable& find_kernels(std::string_view name, std::string_view source,
                                const std::vector<const KernelTable*>& built,
                                const std::vector<const KernelTable*>& supported);

}  // namespace glassgpt::kernels
