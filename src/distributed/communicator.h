// The processes of one run, and what they say to each other.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace glassgpt::distributed {

// What goes to, or comes from, one other rank.
struct Outgoing {
  int rank;
  const void* data;
  std::size_t bytes;
};
struct Incoming {
  int rank;
  void* data;
  std::size_t bytes;
};

// A run of size() processes, of which this is number rank(). Every function but rank(), size(),
// host(), bytes_sent() and give_up() is collective: all ranks call the same ones in the same order,
// with matching sizes. One thread at a time. Throws Error (kUnavailable) where the others cannot be
// reached. This base class is the run of one process: nothing is sent.
class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;

  virtual int rank() const noexcept { return 0; }
  virtual int size() const noexcept { return 1; }
  bool is_first() const noexcept { return rank() == 0; }
  bool is_alone() const noexcept { return size() == 1; }
  virtual std::string host() const { return {}; }

  // Returns when all ranks have called it.
  virtual void barrier() {}
  // Rank 0's bytes to all.
  virtual void broadcast(void* data, std::size_t bytes);
  // Everyone's `bytes` bytes, one behind the other in the order of the ranks, to everyone.
  virtual void all_gather(const void* mine, std::size_t bytes, void* all);
  // Sends and receives, all at once; returns when all of it is done. Messages between two ranks
  // arrive in the order in which they were sent.
  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in);

  // From another thread: lets a waiting exchange() throw, now and from now on. For the way out
  // after an error, when the others will never answer.
  void give_up() noexcept { given_up_.store(true); }

  // Payload of exchange() so far.
  std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }

 protected:
  virtual void run_exchange(std::span<const Outgoing> out, std::span<const Incoming> in);
  void throw_if_given_up() const;

 private:
  std::atomic<bool> given_up_{false};
  std::uint64_t bytes_sent_ = 0;
};

// Everyone's value, in the order of the ranks.
template <class Value>
std::vector<Value> gather_values(Communicator& ranks, const Value& mine) {
  std::vector<Value> all(static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(&mine, sizeof(Value), all.data());
  return all;
}
// Everyone's values in one list, in the order of the ranks; ranks may have different counts.
std::vector<std::uint64_t> gather_lists(Communicator& ranks,
                                        const std::vector<std::uint64_t>& mine);

// What must be the same on all ranks, as a hash, and what it is called in the message: "corpus".
struct Same {
  const char* what;
  std::uint64_t hash;
};
// Throws Error (kUnsupported) on all ranks unless they agree; it names the first difference and the
// rank that has it. `things` is as long on every rank.
void check_same(Communicator& ranks, const std::vector<Same>& things);

// Piece r of `count` things shared out among `ranks`: [begin, end), in order, sizes differ by one.
struct Piece {
  std::size_t begin, end;
};
inline Piece piece_of(std::size_t count, int rank, int ranks) noexcept {
  const auto n = static_cast<std::size_t>(ranks);
  const auto at = [&](std::size_t r) { return count / n * r + std::min(r, count % n); };
  const auto r = static_cast<std::size_t>(rank);
  return {at(r), at(r + 1)};
}

}  // namespace glassgpt::distributed
