#include "train/rank_sums.h"

#include <algorithm>
#include <utility>

#include "kernels/dispatch.h"

namespace glassgpt::training {

using distributed::Incoming;
using distributed::Outgoing;
using distributed::Piece;

namespace {

// Borders of segments lie on cache lines (of a buffer that starts on one).
constexpr std::size_t kGrain = 16;

std::size_t bucket_of(const std::string& name, std::size_t layers) {
  if (name.starts_with("h.")) return std::stoul(name.substr(2));
  return name == "wte.weight" || name == "wpe.weight" ? layers : layers + 1;
}

}  // namespace

Shares::Shares(const TensorLayout& layout, std::size_t layers, int ranks)
    : buckets_(layers + 2), ranks_(ranks) {
  for (const TensorLayout::Entry& entry : layout.entries) {
    if (!entry.trained) continue;
    Piece& bucket = buckets_[bucket_of(entry.name, layers)];
    // A bucket's tensors lie side by side in the layout.
    if (bucket.begin == bucket.end) bucket.begin = entry.offset;
    bucket.end = entry.offset + entry.size;
  }
}

Piece Shares::segment(std::size_t b, int rank) const noexcept {
  const Piece bucket = buckets_[b];
  const std::size_t size = bucket.end - bucket.begin;
  const Piece grains = distributed::piece_of((size + kGrain - 1) / kGrain, rank, ranks_);
  return {bucket.begin + std::min(size, grains.begin * kGrain),
          bucket.begin + std::min(size, grains.end * kGrain)};
}

std::vector<std::size_t> Shares::borders() const {
  std::vector<std::size_t> all;
  for (std::size_t b = 0; b < buckets(); ++b) {
    for (int rank = 0; rank < ranks_; ++rank) all.push_back(segment(b, rank).begin);
    all.push_back(bucket(b).end);
  }
  std::sort(all.begin(), all.end());
  return all;
}

RankSums::RankSums(distributed::Communicator& ranks, const Shares& shares)
    : ranks_(ranks), shares_(shares), thread_([this] { run(); }) {}

RankSums::~RankSums() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    // An error is on its way up: the other ranks will not answer.
    if (busy_ || !work_.empty()) ranks_.give_up();
    work_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

void RankSums::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !work_.empty(); });
    if (stop_) return;
    const std::function<void()> work = std::move(work_.front());
    work_.pop_front();
    busy_ = true;
    lock.unlock();
    std::exception_ptr failure;
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    busy_ = false;
    if (failure != nullptr) {
      failure_ = failure;
      work_.clear();
    }
    changed_.notify_all();
  }
}

void RankSums::start(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_ != nullptr) return;  // wait() will tell
    work_.push_back(std::move(work));
  }
  changed_.notify_all();
}

void RankSums::start_sum(std::size_t bucket, float* buffer, bool to_all) {
  start([this, bucket, buffer, to_all] {
    sum_segment(bucket, buffer);
    if (to_all) gather(bucket, buffer);
  });
}

void RankSums::start_gather(std::size_t bucket, float* buffer) {
  start([this, bucket, buffer] { gather(bucket, buffer); });
}

void RankSums::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failure_ != nullptr || (!busy_ && work_.empty()); });
  if (failure_ != nullptr) std::rethrow_exception(failure_);
}

double RankSums::sum(double mine) {
  double sum = 0;
  for (const double part : distributed::gather_values(ranks_, mine)) sum += part;
  return sum;
}

void RankSums::sum_segment(std::size_t bucket, float* buffer) {
  const int me = ranks_.rank(), size = ranks_.size();
  const Piece own = shares_.segment(bucket, me);
  const std::size_t floats = own.end - own.begin;
  const auto others = static_cast<std::size_t>(size - 1);
  if (parts_.size() < floats * others) parts_.resize(floats * others);
  std::vector<const float*> part_of(static_cast<std::size_t>(size));
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  float* part = parts_.data();
  // Everyone begins with its neighbour, so that no rank is everyone's first.
  for (int step = 1; step < size; ++step) {
    const int to = (me + step) % size, from = (me - step + size) % size;
    const Piece theirs = shares_.segment(bucket, to);
    out.push_back({to, buffer + theirs.begin, (theirs.end - theirs.begin) * sizeof(float)});
    in.push_back({from, part, floats * sizeof(float)});
    part_of[static_cast<std::size_t>(from)] = part;
    part += floats;
  }
  part_of[static_cast<std::size_t>(me)] = buffer + own.begin;
  ranks_.exchange(out, in);

  // A stretch at a time, so that it stays in the first cache over all parts.
  constexpr std::size_t kStretch = 2048;
  float sum[kStretch];
  const auto add = kernels::active_kernels().add;
  for (std::size_t at = 0; at < floats; at += kStretch) {
    const std::size_t count = std::min(kStretch, floats - at);
    std::copy_n(part_of[0] + at, count, sum);
    for (std::size_t rank = 1; rank < part_of.size(); ++rank)
      add(count, sum, part_of[rank] + at, sum);
    std::copy_n(sum, count, buffer + own.begin + at);
  }
}

void RankSums::gather(std::size_t bucket, float* buffer) {
  const int me = ranks_.rank(), size = ranks_.size();
  const Piece own = shares_.segment(bucket, me);
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  for (int step = 1; step < size; ++step) {
    const int to = (me + step) % size, from = (me - step + size) % size;
    const Piece theirs = shares_.segment(bucket, from);
    out.push_back({to, buffer + own.begin, (own.end - own.begin) * sizeof(float)});
    in.push_back({from, buffer + theirs.begin, (theirs.end - theirs.begin) * sizeof(float)});
  }
  ranks_.exchange(out, in);
}

}  // namespace glassgpt::training
