// The one file that knows MPI.
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "distributed/session.h"
#include "glassgpt/error.h"

namespace glassgpt::distributed {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTag = 1, kFailureTag = 2;
// MPI counts in int: longer messages go in parts.
constexpr std::size_t kLongestPart = std::size_t{1} << 30;
// How long a wait keeps asking without a pause. After that it leaves the core to others, who may be
// what it waits for.
constexpr std::chrono::microseconds kSpin{50}, kPause{50};

void check(int result, const char* what) {
  if (result == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(result, text, &length);
  throw Error(ErrorCode::kUnavailable, "",
              std::string("the other processes of the run cannot be reached (") + what + ": " +
                  std::string(text, static_cast<std::size_t>(length)) + ")",
              "see whether one of them ended, and look at the network; go on with --resume");
}

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator() {
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }

  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return size_; }
  std::string host() const override {
    char name[MPI_MAX_PROCESSOR_NAME];
    int length = 0;
    MPI_Get_processor_name(name, &length);
    return {name, static_cast<std::size_t>(length)};
  }

  void barrier() override {
    MPI_Request request;
    check(MPI_Ibarrier(MPI_COMM_WORLD, &request), "barrier");
    wait(request, "barrier");
  }

  void broadcast(void* data, std::size_t bytes) override {
    for_parts(bytes, [&](std::size_t at, int part) {
      MPI_Request request;
      check(MPI_Ibcast(static_cast<char*>(data) + at, part, MPI_BYTE, 0, MPI_COMM_WORLD, &request),
            "broadcast");
      wait(request, "broadcast");
    });
  }

  void all_gather(const void* mine, std::size_t bytes, void* all) override {
    if (bytes > kLongestPart)
      throw Error(ErrorCode::kOutOfRange, "", "all_gather: more than 1 GiB from each process");
    MPI_Request request;
    const int count = static_cast<int>(bytes);
    check(MPI_Iallgather(mine, count, MPI_BYTE, all, count, MPI_BYTE, MPI_COMM_WORLD, &request),
          "all_gather");
    wait(request, "all_gather");
  }

 protected:
  void run_exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    requests_.clear();
    for (const Incoming& message : in) {
      for_parts(message.bytes, [&](std::size_t at, int part) {
        requests_.emplace_back();
        check(MPI_Irecv(static_cast<char*>(message.data) + at, part, MPI_BYTE, message.rank, kTag,
                        MPI_COMM_WORLD, &requests_.back()),
              "receive");
      });
    }
    for (const Outgoing& message : out) {
      for_parts(message.bytes, [&](std::size_t at, int part) {
        requests_.emplace_back();
        check(MPI_Isend(static_cast<const char*>(message.data) + at, part, MPI_BYTE, message.rank,
                        kTag, MPI_COMM_WORLD, &requests_.back()),
              "send");
      });
    }
    wait_until([&] {
      int done = 0;
      check(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done,
                        MPI_STATUSES_IGNORE),
            "exchange");
      return done != 0;
    });
  }

 private:
  template <class Work>
  static void for_parts(std::size_t bytes, const Work& work) {
    for (std::size_t at = 0; at < bytes; at += kLongestPart)
      work(at, static_cast<int>(std::min(kLongestPart, bytes - at)));
  }

  template <class Done>
  void wait_until(const Done& done) const {
    const Clock::time_point start = Clock::now();
    while (!done()) {
      throw_if_given_up();
      if (Clock::now() - start > kSpin) std::this_thread::sleep_for(kPause);
    }
  }

  void wait(MPI_Request& request, const char* what) const {
    wait_until([&] {
      int done = 0;
      check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), what);
      return done != 0;
    });
  }

  int rank_ = 0, size_ = 1;
  std::vector<MPI_Request> requests_;
};

}  // namespace

bool has_mpi() noexcept { return true; }

const char* mpi_version() noexcept {
  static const std::string version = [] {
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    MPI_Get_library_version(text, &length);
    std::string line(text, static_cast<std::size_t>(length));
    if (line.rfind("Open MPI v", 0) == 0) line.erase(9, 1);
    return line.substr(0, line.find_first_of(",\n"));
  }();
  return version.c_str();
}

Session::Session() {
  const Launch launch = launched_as();
  if (launch.size == 1) {
    ranks_ = std::make_unique<Communicator>();
    return;
  }
  // Two threads talk, one after the other: the one that computes, and the one that sums gradients
  // beside it.
  int level = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level);
  ranks_ = std::make_unique<MpiCommunicator>();
  if (ranks_->size() != launch.size) {
    throw Error(ErrorCode::kUnavailable, "",
                std::to_string(launch.size) + " processes were started together, but MPI finds " +
                    std::to_string(ranks_->size()),
                "use the mpirun of the MPI it was built with (" + std::string(mpi_version()) +
                    "); with Slurm: srun --mpi=pmix");
  }
  if (level < MPI_THREAD_SERIALIZED)
    throw Error(ErrorCode::kUnavailable, "", "this MPI does not serve more than one thread",
                "use an MPI that gives MPI_THREAD_SERIALIZED");
}

Session::~Session() {
  int started = 0;
  MPI_Initialized(&started);
  if (started != 0) MPI_Finalize();
}

void Session::abort(int code) noexcept {
  int started = 0;
  MPI_Initialized(&started);
  if (started != 0) MPI_Abort(MPI_COMM_WORLD, code);
}

// The time alone would not do: on a busy machine the launcher can need longer than any wait to end
// the others. So whoever speaks tells them first.
bool speaks_of_failure(const Launch& launch, bool told_to_end) noexcept {
  using namespace std::chrono_literals;
  const Clock::time_point turn = Clock::now() + wait_before_speaking(launch, told_to_end);
  int started = 0;
  MPI_Initialized(&started);
  if (started == 0) {
    std::this_thread::sleep_until(turn);
    return true;
  }
  int another_speaks = 0;
  do {
    MPI_Iprobe(MPI_ANY_SOURCE, kFailureTag, MPI_COMM_WORLD, &another_speaks, MPI_STATUS_IGNORE);
    if (another_speaks != 0) {
      // It ends this process by MPI_Abort; if it cannot, this one must end all the same.
      std::this_thread::sleep_for(20s);
      return false;
    }
    std::this_thread::sleep_for(std::min<Clock::duration>(1ms, turn - Clock::now()));
  } while (Clock::now() < turn);

  std::vector<MPI_Request> notices;
  for (int rank = 0; rank < launch.size; ++rank) {
    if (rank == launch.rank) continue;
    notices.emplace_back(MPI_REQUEST_NULL);
    MPI_Isend(nullptr, 0, MPI_BYTE, rank, kFailureTag, MPI_COMM_WORLD, &notices.back());
  }
  // A process that is gone takes no notice.
  int sent = 0;
  for (const auto end = Clock::now() + 100ms; sent == 0 && Clock::now() < end;) {
    if (MPI_Testall(static_cast<int>(notices.size()), notices.data(), &sent, MPI_STATUSES_IGNORE) !=
        MPI_SUCCESS)
      break;
    if (sent == 0) std::this_thread::sleep_for(kPause);
  }
  return true;
}

}  // namespace glassgpt::distributed
