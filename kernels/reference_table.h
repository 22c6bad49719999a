// The scalar references as one more table: tests hold them to the same oracles as what they vouch
// for, benchmarks time them beside it.
#pragma once

#include "kernels/kernel_table.h"

namespace glassgpt::kernels {

// "reference", one lane. The matrix product and attention, which have references of other forms,
// are those of the slowest ISA.
const KernelTable& reference_table();

}  // namespace glassgpt::kernels
