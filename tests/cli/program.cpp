#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <sstream>

#include "glassgpt/model.h"
#include "glassgpt/tokenizer.h"

namespace glassgpt::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLongestWait = 120;  // seconds; a broken program must not hang the tests

struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    read_end = ends[0];
    write_end = ends[1];
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_read();
    close_write();
  }
  void close_read() { close_end(read_end); }
  void close_write() { close_end(write_end); }

 private:
  static void close_end(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
};

[[noreturn]] void become_glassgpt(const std::vector<std::string>& arguments,
                                  const RunOptions& options, const Pipe& in, const Pipe& out,
                                  const Pipe& err) {
  ::signal(SIGPIPE, SIG_DFL);
  ::dup2(in.read_end, STDIN_FILENO);
  ::dup2(err.write_end, STDERR_FILENO);
  if (options.out == RunOptions::Out::kClosed) {
    ::close(STDOUT_FILENO);
  } else if (options.out == RunOptions::Out::kFull) {
    ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO);
  } else {
    ::dup2(out.write_end, STDOUT_FILENO);
  }
  if (options.file_limit > 0) {
    const rlimit limit = {options.file_limit, options.file_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  for (const std::string& variable : options.environment) {
    const std::size_t equals = variable.find('=');
    ::setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
  }
  std::vector<char*> words = {const_cast<char*>(GLASSGPT_PROGRAM)};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(GLASSGPT_PROGRAM, words.data());
  ::_exit(127);
}

// Reads what is there; closes at the end.
void drain(Pipe& pipe, std::string& into) {
  std::array<char, 65536> chunk;
  const ssize_t got = ::read(pipe.read_end, chunk.data(), chunk.size());
  if (got > 0) into.append(chunk.data(), static_cast<std::size_t>(got));
  if (got <= 0) pipe.close_read();
}

// Whether the process has a handler for the signal.
bool catches(pid_t process, int signal) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("SigCgt:", 0) != 0) continue;
    return (std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1) != 0;
  }
  return false;
}

bool is_full(const Pipe& pipe) {
  int waiting = 0;
  ::ioctl(pipe.read_end, FIONREAD, &waiting);
  return waiting >= ::fcntl(pipe.read_end, F_GETPIPE_SZ);
}

// Feeds and reads until the program has closed both its outputs.
void converse(pid_t child, const RunOptions& options, Pipe& in, Pipe& out, Pipe& err,
              ProgramRun& run) {
  std::size_t fed = 0;
  const auto start = Clock::now();
  bool interrupted = options.interrupt_after == 0, listens = false;
  auto listening_since = start;
  bool waits = static_cast<bool>(options.when), hangs = false;
  const bool unread = options.out == RunOptions::Out::kUnread;
  if (options.input.empty() && !waits) in.close_write();
  while ((out.read_end >= 0 && !unread) || err.read_end >= 0) {
    pollfd polled[3] = {
        {in.write_end, POLLOUT, 0}, {out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}};
    // Nothing more to feed: its readiness would only keep poll() from waiting.
    if (fed == options.input.size()) polled[0].fd = -1;
    if (unread) polled[1].fd = -1;
    ::poll(polled, 3, 20);
    if (polled[0].revents != 0 && in.write_end >= 0 && fed < options.input.size()) {
      const ssize_t put =
          ::write(in.write_end, options.input.data() + fed,
                  options.piece == 0 ? options.input.size() - fed
                                     : std::min(options.piece, options.input.size() - fed));
      fed += put > 0 ? static_cast<std::size_t>(put) : 0;
      if (put <= 0 || (fed == options.input.size() && !waits)) in.close_write();
    }
    if (polled[1].revents != 0 && out.read_end >= 0) drain(out, run.out);
    if (polled[2].revents != 0 && err.read_end >= 0) drain(err, run.err);
    const std::chrono::duration<double> passed = Clock::now() - start;
    if (waits && fed == options.input.size() && (!unread || is_full(out)) && options.when()) {
      waits = false;
      if (options.signal != 0) ::kill(child, options.signal);
      in.close_write();
    }
    if (waits && passed.count() > kLongestWait) {
      ADD_FAILURE() << "what the test waits for does not happen: " << run.err;
      waits = false;
      ::kill(child, SIGKILL);
    }
    if (!waits && !hangs && passed.count() > 2 * kLongestWait) {
      ADD_FAILURE() << "it does not end: " << run.err;
      hangs = true;
      ::kill(child, SIGKILL);
    }
    if (!interrupted && !listens) {
      listens = catches(child, SIGINT);
      listening_since = Clock::now();
    }
    const std::chrono::duration<double> listening = Clock::now() - listening_since;
    if (!interrupted && listens && listening.count() > options.interrupt_after) {
      interrupted = true;
      ::kill(child, SIGINT);
    }
  }
}

}  // namespace

ProgramRun run_glassgpt(const std::vector<std::string>& arguments, const RunOptions& options) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe in, out, err;
  // Before the program starts: its first byte must already meet a closed pipe.
  if (options.out == RunOptions::Out::kUnread) {
    ::fcntl(out.write_end, F_SETPIPE_SZ, 4096);
  } else if (options.out != RunOptions::Out::kPipe) {
    out.close_read();
  }
  const pid_t child = ::fork();
  if (child == 0) become_glassgpt(arguments, options, in, out, err);
  in.close_read();
  out.close_write();
  err.close_write();
  ::fcntl(in.write_end, F_SETFL, O_NONBLOCK);
  ProgramRun run;
  converse(child, options, in, out, err, run);
  int status = 0;
  rusage usage = {};
  ::wait4(child, &status, 0, &usage);
  run.peak_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) << 10;  // from KiB
  run.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return run;
}

std::string output_of(const std::vector<std::string>& arguments, const std::string& input) {
  const ProgramRun run = run_with_input(arguments, input);
  EXPECT_EQ(run.code, 0) << run.err;
  return run.out;
}

std::vector<nlohmann::json> json_of(const std::vector<std::string>& arguments,
                                    const std::string& input) {
  std::istringstream lines(output_of(arguments, input));
  std::vector<nlohmann::json> values;
  for (std::string line; std::getline(lines, line);) {
    values.push_back(nlohmann::json::parse(line, nullptr, false));
    EXPECT_FALSE(values.back().is_discarded()) << line.substr(0, 200);
  }
  return values;
}

nlohmann::json one_json_of(const std::vector<std::string>& arguments, const std::string& input) {
  const std::vector<nlohmann::json> values = json_of(arguments, input);
  EXPECT_EQ(values.size(), 1u);
  return values.empty() ? nlohmann::json() : values[0];
}

void expect_failure(const ProgramRun& run, int code, const std::string& part) {
  EXPECT_EQ(run.code, code) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err.rfind("glassgpt: error: ", 0), 0u) << run.err;
  EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << "more than one line:\n" << run.err;
  EXPECT_NE(run.err.find(part), std::string::npos) << run.err << "lacks: " << part;
  EXPECT_LT(run.err.size(), 1000u);
  if (code == 2) {
    EXPECT_NE(run.err.find("--help"), std::string::npos) << run.err;
  }
}

void Program::SetUp() {
  const std::string corpus = write("corpus.txt",
                                   "The cat sat on the mat. The dog sat on the cat.\n"
                                   "A river bank is not a bank with money in the bank.\n"
                                   "猫坐在垫子上。狗坐在猫上。\n银行在河岸上。\n");
  TokenizerTrainingOptions training;
  training.vocab_size = 320;
  training.min_frequency = 1;
  training.threads = 1;
  const std::filesystem::path files[] = {corpus};
  const Tokenizer tokenizer = train_tokenizer(files, training);
  ModelConfig config;
  config.vocab_size = 320;
  config.n_positions = kContext;
  config.n_embd = kWidth;
  config.n_layer = kLayers;
  config.n_head = kHeads;
  config.position_encoding = PositionEncoding::kSinusoidal;
  config.embedding_scale = std::sqrt(static_cast<float>(kWidth));
  Model::random(config, 7).save(model());
  tokenizer.save(model() + "/tokenizer.json");
  ::setenv("GLASSGPT_MODEL", model().c_str(), 1);
  ::unsetenv("GLASSGPT_ISA");
}

std::string Program::write(const std::string& name, const std::string& bytes) const {
  std::ofstream(path(name), std::ios::binary) << bytes;
  return path(name);
}

std::string Program::read(const std::string& name) const {
  std::ifstream file(path(name), std::ios::binary);
  EXPECT_TRUE(file.good()) << path(name);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace glassgpt::testing
