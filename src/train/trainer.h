// Training by several processes at once.
#pragma once

#include "distributed/communicator.h"
#include "glassgpt/train.h"

namespace glassgpt::training {

// train() of glassgpt/train.h as each rank of a run calls it. The windows of a step are shared out
// among the ranks, their gradients summed in the order of the ranks; the loss is that of one
// process but for rounding, and every repetition with the same number of ranks gives the same
// bytes. Rank 0 alone writes, evaluates and calls back (but for `stop`, which any rank may see);
// the output must be on a file system that all ranks see. Throws Error (kUnsupported), on all
// ranks, if they have other options, another instruction set or other data.
TrainingSummary train(const TrainingOptions& options, const TrainingCallbacks& callbacks,
                      distributed::Communicator& ranks);

}  // namespace glassgpt::training
