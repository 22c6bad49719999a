// This process as one of those that a launcher (mpirun, srun) started together.
#pragma once

#include <chrono>
#include <memory>

#include "distributed/communicator.h"

namespace glassgpt::distributed {

// What the launcher's environment says; {0, 1} if there was none.
struct Launch {
  int rank = 0, size = 1;
};
Launch launched_as() noexcept;

// Whether this program was built with MPI.
bool has_mpi() noexcept;
// "Open MPI 4.1.4", or "none".
const char* mpi_version() noexcept;

// Of the whole program, from its start to its end. A process that was started by itself, or alone,
// never meets MPI. Throws Error (kUnavailable) if a launcher started several processes that cannot
// find each other: without MPI each would take itself for the only one and overwrite the others'
// output.
class Session {
 public:
  Session();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Communicator& ranks() noexcept { return *ranks_; }

  // Ends all processes of the run; returns where this is the only one.
  void abort(int code) noexcept;

 private:
  std::unique_ptr<Communicator> ranks_;
};

// Where all processes fail alike one message is enough. Whether this process, which fails, is the
// one that says why: true at once on rank 0, and on another after a wait in which no other said
// that it does; false after a longer one in which nobody ended this process, though another speaks.
// A process that was told to end (SIGTERM) waits for longer than launchers wait before they kill:
// most often another one has failed. Call it once.
bool speaks_of_failure(const Launch& launch, bool told_to_end) noexcept;

// How long a failing process leaves the word to the others.
std::chrono::milliseconds wait_before_speaking(const Launch& launch, bool told_to_end) noexcept;

}  // namespace glassgpt::distributed
