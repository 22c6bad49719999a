#include "cli/neighbours.h"

#include <algorithm>

#include "kernels/dispatch.h"
#include "model/parts.h"

namespace glassgpt::cli {

std::vector<Neighbour> nearest_tokens(const Model& model, const Tokenizer& tokenizer,
                                      std::span<const TokenId> ids, std::size_t count) {
  const std::size_t width = model.config().n_embd;
  const std::size_t rows = std::min(model.config().vocab_size, tokenizer.vocab_size());
  const float* table = model.parts().tensors.token_embedding;
  std::vector<float> query(width, 0.0f);
  for (std::size_t c = 0; c < width; ++c) {
    double sum = 0;
    for (const TokenId id : ids) sum += static_cast<double>(table[id * width + c]);
    query[c] = static_cast<float>(sum / static_cast<double>(ids.size()));
  }
  std::vector<float> cosines(rows);
  kernels::active_kernels().cosine_similarity(rows, width, query.data(), table, width,
                                              cosines.data());
  std::vector<TokenId> order;
  for (TokenId id = 0; id < rows; ++id) {
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) order.push_back(id);
  }
  count = std::min(count, order.size());
  // Ties go to the smaller id, so that the list does not depend on the library's sort.
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](TokenId a, TokenId b) {
                      return cosines[a] != cosines[b] ? cosines[a] > cosines[b] : a < b;
                    });
  std::vector<Neighbour> found;
  for (std::size_t i = 0; i < count; ++i) found.push_back({order[i], cosines[order[i]]});
  return found;
}

}  // namespace glassgpt::cli
