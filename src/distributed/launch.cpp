#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "distributed/session.h"

namespace glassgpt::distributed {
namespace {

struct Variables {
  const char *size, *rank;
};
// Open MPI's mpirun; MPICH's and Intel's, and Slurm's pmi2; MVAPICH's; any step of Slurm's srun.
constexpr Variables kLaunchers[] = {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                                    {"PMI_SIZE", "PMI_RANK"},
                                    {"MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"},
                                    {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}};

int number_in(const char* variable, int otherwise) noexcept {
  const char* text = std::getenv(variable);
  if (text == nullptr) return otherwise;
  char* end = nullptr;
  const long number = std::strtol(text, &end, 10);
  return end != text && *end == '\0' && number >= 0 && number < (1 << 30) ? static_cast<int>(number)
                                                                          : otherwise;
}

}  // namespace

Launch launched_as() noexcept {
  for (const Variables& launcher : kLaunchers) {
    if (std::getenv(launcher.size) == nullptr) continue;
    return {number_in(launcher.rank, 0), std::max(1, number_in(launcher.size, 1))};
  }
  return {};
}

std::chrono::milliseconds wait_before_speaking(const Launch& launch, bool told_to_end) noexcept {
  using namespace std::chrono_literals;
  // Long for the first step, in which rank 0 speaks if all fail alike; the steps between the others
  // only order them. Open MPI kills a second after SIGTERM.
  return (launch.rank == 0 ? 0ms : 480ms + 20ms * std::min(launch.rank, 200)) +
         (told_to_end ? 1500ms : 0ms);
}

}  // namespace glassgpt::distributed
