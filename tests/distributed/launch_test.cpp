// What a program without MPI does under a launcher. Linked with session_without_mpi.cpp whatever
// the build's MPI.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "distributed/session.h"
#include "glassgpt/error.h"

namespace glassgpt::distributed {
namespace {

class Launching : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kNames) ::unsetenv(name);
  }
  void TearDown() override { SetUp(); }
  static constexpr const char* kNames[] = {"OMPI_COMM_WORLD_SIZE",
                                           "OMPI_COMM_WORLD_RANK",
                                           "PMI_SIZE",
                                           "PMI_RANK",
                                           "MV2_COMM_WORLD_SIZE",
                                           "MV2_COMM_WORLD_RANK",
                                           "SLURM_STEP_NUM_TASKS",
                                           "SLURM_PROCID"};
};

TEST_F(Launching, WithoutMpiSeveralProcessesAreRefusedUnderEveryLauncher) {
  for (const char* size :
       {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    ::setenv(size, "3", 1);
    try {
      const Session session;
      ADD_FAILURE() << size << ": was not refused";
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_EQ(what.rfind("3 processes were started together", 0), 0u) << what;
      EXPECT_NE(what.find("-DGLASSGPT_MPI=ON"), std::string::npos) << what;
    }
    ::unsetenv(size);
  }
}

TEST_F(Launching, OneProcessIsAloneWithAndWithoutALauncher) {
  EXPECT_EQ(Session().ranks().size(), 1);
  ::setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
  EXPECT_EQ(Session().ranks().size(), 1);
}

TEST_F(Launching, EveryLaunchersRankIsFound) {
  ::setenv("PMI_SIZE", "4", 1);
  ::setenv("PMI_RANK", "3", 1);
  EXPECT_EQ(launched_as().rank, 3);
  EXPECT_EQ(launched_as().size, 4);
}

TEST_F(Launching, WhatIsNoNumberIsNoLaunch) {
  ::setenv("PMI_SIZE", "many", 1);
  EXPECT_EQ(launched_as().size, 1);
}

}  // namespace
}  // namespace glassgpt::distributed
