// A run of several ranks as threads of one process: the oracle beside MPI, for builds without it
// too.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "distributed/communicator.h"

namespace glassgpt::testing {

class InProcessRanks {
 public:
  explicit InProcessRanks(int size) {
    for (int rank = 0; rank < size; ++rank) ranks_.push_back(std::make_unique<Rank>(*this, rank));
  }

  distributed::Communicator& rank(int r) { return *ranks_[static_cast<std::size_t>(r)]; }

  // work(communicator) by a thread for each rank. One that throws lets the others give up, as an
  // abort would end them; then the first exception comes out.
  template <class Work>
  void run(const Work& work) {
    std::exception_ptr first;
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (const auto& rank : ranks_) {
      threads.emplace_back([&, r = rank.get()] {
        try {
          work(static_cast<distributed::Communicator&>(*r));
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (first == nullptr) first = std::current_exception();
          for (const auto& other : ranks_) other->give_up();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    if (first != nullptr) std::rethrow_exception(first);
  }

 private:
  class Rank : public distributed::Communicator {
   public:
    Rank(InProcessRanks& run, int rank) : run_(run), rank_(rank) {}
    int rank() const noexcept override { return rank_; }
    int size() const noexcept override { return static_cast<int>(run_.ranks_.size()); }
    std::string host() const override { return "thread " + std::to_string(rank_); }

    void barrier() override {
      const char mine = 0;
      std::vector<char> all(static_cast<std::size_t>(size()));
      all_gather(&mine, 1, all.data());
    }
    void broadcast(void* data, std::size_t bytes) override {
      if (rank_ == 0) {
        for (int r = 1; r < size(); ++r) send(r, data, bytes);
      } else {
        receive(0, data, bytes);
      }
    }
    void all_gather(const void* mine, std::size_t bytes, void* all) override {
      for (int r = 0; r < size(); ++r) send(r, mine, bytes);
      for (int r = 0; r < size(); ++r)
        receive(r, static_cast<char*>(all) + static_cast<std::size_t>(r) * bytes, bytes);
    }

   protected:
    void run_exchange(std::span<const distributed::Outgoing> out,
                      std::span<const distributed::Incoming> in) override {
      for (const auto& message : out) send(message.rank, message.data, message.bytes);
      for (const auto& message : in) receive(message.rank, message.data, message.bytes);
    }

   private:
    void send(int to, const void* data, std::size_t bytes) {
      const auto* begin = static_cast<const char*>(data);
      const std::lock_guard lock(run_.mutex_);
      run_.boxes_[{rank_, to}].emplace_back(begin, begin + bytes);
      run_.arrived_.notify_all();
    }
    void receive(int from, void* data, std::size_t bytes) {
      std::unique_lock lock(run_.mutex_);
      std::deque<std::string>& box = run_.boxes_[{from, rank_}];
      while (box.empty()) {
        throw_if_given_up();
        run_.arrived_.wait_for(lock, std::chrono::milliseconds(20));
      }
      const std::string message = std::move(box.front());
      box.pop_front();
      if (message.size() != bytes) {
        throw std::logic_error("got a message of " + std::to_string(message.size()) +
                               " bytes, expected " + std::to_string(bytes));
      }
      if (bytes > 0) std::memcpy(data, message.data(), bytes);  // data may be null then
    }

    InProcessRanks& run_;
    int rank_;
  };

  std::vector<std::unique_ptr<Rank>> ranks_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<std::pair<int, int>, std::deque<std::string>> boxes_;
};

}  // namespace glassgpt::testing
