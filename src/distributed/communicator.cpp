#include "distributed/communicator.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "glassgpt/error.h"

namespace glassgpt::distributed {

void Communicator::broadcast(void* data, std::size_t bytes) {
  static_cast<void>(data);
  static_cast<void>(bytes);
}

void Communicator::all_gather(const void* mine, std::size_t bytes, void* all) {
  if (bytes > 0) std::memcpy(all, mine, bytes);
}

void Communicator::exchange(std::span<const Outgoing> out, std::span<const Incoming> in) {
  for (const Outgoing& message : out) bytes_sent_ += message.bytes;
  run_exchange(out, in);
}

void Communicator::run_exchange(std::span<const Outgoing> out, std::span<const Incoming> in) {
  if (!out.empty() || !in.empty())
    throw std::invalid_argument("exchange: got a message, expected none in a run of one process");
}

void Communicator::throw_if_given_up() const {
  if (given_up_.load(std::memory_order_relaxed))
    throw Error(ErrorCode::kInterrupted, "", "this process gave up waiting for the others");
}

std::vector<std::uint64_t> gather_lists(Communicator& ranks,
                                        const std::vector<std::uint64_t>& mine) {
  const std::vector<std::uint64_t> counts = gather_values<std::uint64_t>(ranks, mine.size());
  const std::uint64_t longest = *std::max_element(counts.begin(), counts.end());
  std::vector<std::uint64_t> padded = mine;
  padded.resize(longest);
  std::vector<std::uint64_t> rows(longest * counts.size());
  ranks.all_gather(padded.data(), longest * sizeof(std::uint64_t), rows.data());
  std::vector<std::uint64_t> all;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    const auto row = rows.begin() + static_cast<std::ptrdiff_t>(r * longest);
    all.insert(all.end(), row, row + static_cast<std::ptrdiff_t>(counts[r]));
  }
  return all;
}

void check_same(Communicator& ranks, const std::vector<Same>& things) {
  if (ranks.is_alone()) return;
  std::vector<std::uint64_t> mine;
  for (const Same& thing : things) mine.push_back(thing.hash);
  std::vector<std::uint64_t> all(mine.size() * static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(mine.data(), mine.size() * sizeof(std::uint64_t), all.data());
  for (std::size_t i = 0; i < mine.size(); ++i) {
    for (int r = 1; r < ranks.size(); ++r) {
      if (all[static_cast<std::size_t>(r) * mine.size() + i] == all[i]) continue;
      throw Error(ErrorCode::kUnsupported, "",
                  "process " + std::to_string(r) + " of " + std::to_string(ranks.size()) +
                      " has another " + things[i].what + " than process 0",
                  "give all processes of a run the same program, options and files");
    }
  }
}

}  // namespace glassgpt::distributed
