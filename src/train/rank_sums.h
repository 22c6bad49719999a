// Gradients of several processes become one sum, beside the backward pass that still makes them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "distributed/communicator.h"
#include "model/parts.h"

namespace glassgpt::training {

// How a flat buffer of parameters is divided: into buckets, each of which the backward pass
// finishes at one moment, and each bucket into a segment per rank. Bucket k < n_layer is block k;
// then the embeddings; then what stands behind the blocks (last norm, an output matrix of its own).
// Tensors that are not trained are in none.
class Shares {
 public:
  Shares(const TensorLayout& layout, std::size_t layers, int ranks);

  std::size_t buckets() const noexcept { return buckets_.size(); }
  std::size_t embeddings() const noexcept { return buckets_.size() - 2; }
  std::size_t head() const noexcept { return buckets_.size() - 1; }
  // Floats [begin, end) of the buffer.
  distributed::Piece bucket(std::size_t b) const noexcept { return buckets_[b]; }
  // The part of it that a rank owns: it adds everyone's there. Borders lie on multiples of 16
  // floats from the bucket's start.
  distributed::Piece segment(std::size_t b, int rank) const noexcept;
  int ranks() const noexcept { return ranks_; }
  // All borders of segments, ascending.
  std::vector<std::size_t> borders() const;

 private:
  std::vector<distributed::Piece> buckets_;
  int ranks_;
};

// Sums buckets over the ranks on a thread of its own. Each element is the sum over the ranks in
// their order, made by the segment's owner and sent to all: the bytes are the same on all ranks and
// in every run. A rank sends 2 (N-1)/N of a buffer's bytes for its sum, or half of that where only
// the owners need it; no all-reduce can do with less.
class RankSums {
 public:
  RankSums(distributed::Communicator& ranks, const Shares& shares);
  RankSums(const RankSums&) = delete;
  RankSums& operator=(const RankSums&) = delete;
  ~RankSums();

  // Work on `buffer`, which must stay until wait(). All ranks start the same work in the same
  // order. sum(): own segments become sums, and with `to_all` the whole bucket; gather(): every
  // segment becomes its owner's.
  void start_sum(std::size_t bucket, float* buffer, bool to_all);
  void start_gather(std::size_t bucket, float* buffer);
  // Until all that was started is done. Throws what it threw.
  void wait();

  // The sum of everyone's value in the order of the ranks. Not while work is under way.
  double sum(double mine);

 private:
  void run();
  void start(std::function<void()> work);
  void sum_segment(std::size_t bucket, float* buffer);
  void gather(std::size_t bucket, float* buffer);

  distributed::Communicator& ranks_;
  const Shares& shares_;
  std::vector<float> parts_;  // the other ranks', of the segment under way

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool busy_ = false, stop_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace glassgpt::training
