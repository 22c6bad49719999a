#include <thread>

#include "distributed/session.h"
#include "glassgpt/error.h"

namespace glassgpt::distributed {

bool has_mpi() noexcept { return false; }
const char* mpi_version() noexcept { return "none"; }

Session::Session() : ranks_(std::make_unique<Communicator>()) {
  const Launch launch = launched_as();
  if (launch.size == 1) return;
  throw Error(ErrorCode::kUnavailable, "",
              std::to_string(launch.size) +
                  " processes were started together, but this glassgpt was built without MPI: each "
                  "would overwrite what the others write",
              "build it with -DGLASSGPT_MPI=ON, or start it once");
}

Session::~Session() = default;

void Session::abort(int) noexcept {}

// Nothing is said between processes that do not know each other.
bool speaks_of_failure(const Launch& launch, bool told_to_end) noexcept {
  std::this_thread::sleep_for(wait_before_speaking(launch, told_to_end));
  return true;
}

}  // namespace glassgpt::distributed
