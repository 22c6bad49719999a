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

}  // namespace glassgpt::distributed
