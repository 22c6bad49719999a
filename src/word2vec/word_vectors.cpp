// Words and their vectors in memory: look-up, neighbours, analogies.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "glassgpt/model.h"
#include "glassgpt/nearest.h"
#include "glassgpt/word2vec.h"

namespace glassgpt {

WordVectors::WordVectors(std::vector<std::string> words, std::size_t dim, std::vector<float> values)
    : words_(std::move(words)), dim_(dim), values_(std::move(values)) {
  if (values_.size() != words_.size() * dim_ ||
      words_.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw std::invalid_argument("WordVectors: " + std::to_string(words_.size()) + " words of " +
                                std::to_string(dim_) + " numbers, got " +
                                std::to_string(values_.size()) + " numbers");
  }
  by_bytes_.resize(words_.size());
  std::iota(by_bytes_.begin(), by_bytes_.end(), 0u);
  std::stable_sort(by_bytes_.begin(), by_bytes_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return words_[a] < words_[b]; });
}

std::optional<std::size_t> WordVectors::find(std::string_view word) const {
  const auto found =
      std::lower_bound(by_bytes_.begin(), by_bytes_.end(), word,
                       [&](std::uint32_t a, std::string_view b) { return words_[a] < b; });
  if (found == by_bytes_.end() || words_[*found] != word) return std::nullopt;
  return *found;
}

std::vector<WordVectors::Neighbour> WordVectors::nearest(
    std::span<const float> query, std::size_t count, std::span<const std::size_t> left_out) const {
  if (query.size() != dim_) {
    throw std::invalid_argument("WordVectors::nearest: the query has " +
                                std::to_string(query.size()) + " numbers, expected " +
                                std::to_string(dim_));
  }
  if (size() == 0) return {};
  // Enough to spare those that are left out.
  const auto rows = nearest_rows({values_.data(), size(), dim_, dim_, false}, query,
                                 count + left_out.size(), default_threads())[0];
  std::vector<Neighbour> found;
  for (const glassgpt::Neighbour& near : rows) {
    const bool out = std::find(left_out.begin(), left_out.end(), near.row) != left_out.end();
    if (!out && found.size() < count) found.push_back({near.row, static_cast<float>(near.cosine)});
  }
  return found;
}

std::vector<WordVectors::Neighbour> WordVectors::analogy(std::size_t a, std::size_t b,
                                                         std::size_t c, std::size_t count) const {
  std::vector<double> sum(dim_, 0.0);
  const auto add = [&](std::size_t word, double sign) {
    double squares = 0;
    for (const float v : vector(word)) squares += static_cast<double>(v) * static_cast<double>(v);
    if (squares == 0) return;
    for (std::size_t i = 0; i < dim_; ++i) {
      sum[i] += sign * static_cast<double>(vector(word)[i]) / std::sqrt(squares);
    }
  };
  add(b, 1);
  add(a, -1);
  add(c, 1);
  std::vector<float> query(sum.begin(), sum.end());
  const std::size_t given[] = {a, b, c};
  return nearest(query, count, given);
}

}  // namespace glassgpt
