// What a model in training has to say.
#pragma once

#include <string>
#include <string_view>

#include "glassgpt/tokenizer.h"
#include "train/learner.h"

namespace glassgpt::training {

// The prompt and `tokens` tokens that the model continues it with, chosen at temperature 0.8 with a
// seed that never changes, so that samples of different steps can be compared. An empty prompt is
// the beginning of a document. A prompt longer than the context counts by its end.
std::string sample_text(const Learner& learner, const Tokenizer& tokenizer, std::string_view prompt,
                        std::size_t tokens, const ForwardOptions& options);

}  // namespace glassgpt::training
