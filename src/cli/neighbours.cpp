#include "cli/neighbours.h"

#include <algorithm>

#include "model/parts.h"

namespace glassgpt::cli {

std::vector<Neighbour> nearest_tokens(const Model& model, const Tokenizer& tokenizer,
                                      std::span<const TokenId> ids, std::size_t count,
                                      int threads) {
  const std::size_t width = model.config().n_embd;
  const std::size_t rows = std::min(model.config().vocab_size, tokenizer.vocab_size());
  const float* table = model.parts().tensors.token_embedding;
  std::vector<float> query(width, 0.0f);
  for (std::size_t c = 0; c < width; ++c) {
    double sum = 0;
    for (const TokenId id : ids) sum += static_cast<double>(table[id * width + c]);
    query[c] = static_cast<float>(sum / static_cast<double>(ids.size()));
  }
  std::vector<Neighbour> found =
      nearest_rows({table, rows, width, width, false}, query, count + ids.size(), threads)[0];
  std::erase_if(found, [&](const Neighbour& neighbour) {
    return std::find(ids.begin(), ids.end(), neighbour.row) != ids.end();
  });
  found.resize(std::min(found.size(), count));
  return found;
}

}  // namespace glassgpt::cli
