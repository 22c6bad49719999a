// NumPy as a genuine peer, where Debian's python3-numpy is installed.
#pragma once

#include <array>
#include <cstdio>
#include <string>

namespace glassgpt::testing {

// What /usr/bin/python3 prints for this program, which may use numpy as np; `status` becomes its
// exit status.
inline std::string run_python(const std::string& program, int& status) {
  const std::string command = "/usr/bin/python3 -c 'import numpy as np\n" + program + "' 2>&1";
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    status = -1;
    return output;
  }
  std::array<char, 4096> chunk{};
  while (const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), pipe)) {
    output.append(chunk.data(), got);
  }
  status = ::pclose(pipe);
  return output;
}

inline bool have_numpy() {
  int status = 0;
  run_python("print(np.__version__)", status);
  return status == 0;
}

}  // namespace glassgpt::testing

#define GLASSGPT_NEEDS_NUMPY()          \
  if (!glassgpt::testing::have_numpy()) \
  GTEST_SKIP() << "needs /usr/bin/python3 with numpy (python3-numpy)"
