// Which stretch of which corpus is looked at next: a function of the seed and a running number,
// without any state to save.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace glassgpt::training {

// `length` inputs starting at token `begin` of a stream; their targets are one token further on.
struct Window {
  std::size_t stream;
  std::uint64_t begin;
  std::size_t length;
};

// Each stream is cut into windows of the context length, from a start that changes from pass to
// pass. An epoch is every window of every stream, as often as the stream's weight says (a weight of
// 0.5: every other window, the others in the next epoch), in an order drawn anew for each epoch. A
// stream shorter than the context is one short window.
class WindowSampler {
 public:
  struct Source {
    std::uint64_t tokens;
    double weight;
  };
  // Throws std::invalid_argument if a source has less than two tokens.
  WindowSampler(const std::vector<Source>& sources, std::size_t context, std::uint64_t seed);

  // The n-th window of the run, counted from 0.
  Window window(std::uint64_t n) const;

  std::uint64_t windows_per_epoch() const noexcept { return first_.back(); }

 private:
  struct Stream {
    std::uint64_t windows;  // that fit
    std::uint64_t slack;    // tokens left over: how far the cuts can be moved
    std::uint64_t drawn;    // per epoch
    std::size_t length;
  };
  std::vector<Stream> streams_;
  std::vector<std::uint64_t> first_;  // of each stream's places in the epoch, and the end
  std::uint64_t seed_;
};

// A permutation of [0, size), one for each key: a Feistel network over the next power of four,
// walked until it lands inside (Black and Rogaway 2002, "Ciphers with arbitrary finite domains",
// method 3).
std::uint64_t permuted(std::uint64_t index, std::uint64_t size, std::uint64_t key) noexcept;

}  // namespace glassgpt::training
