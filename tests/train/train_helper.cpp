// Trains the tiny run in the directory that is named, resuming it if it was begun: a process for
// the tests to kill.
#include <cstdio>
#include <exception>

#include "tests/train/tiny_run.h"

int main(int, char** arguments) {
  try {
    const glassgpt::testing::TinyRun run(arguments[1]);
    glassgpt::TrainingOptions options = run.options(arguments[2]);
    options.resume = true;
    options.steps = 200;
    options.checkpoint_every = 3;
    train(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
