// The glassgpt program: finds the command, parses its options, turns errors into one line and an
// exit code.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <optional>
#include <span>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"
#include "distributed/session.h"
#include "glassgpt/error.h"
#include "kernels/blas_info.h"
#include "kernels/dispatch.h"

namespace glassgpt::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2;

// In the order of --help.
std::vector<std::unique_ptr<Command>> all_commands() {
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(make_embed());
  commands.push_back(make_tokenize());
  commands.push_back(make_detokenize());
  commands.push_back(make_similar());
  commands.push_back(make_nearest());
  commands.push_back(make_classify());
  commands.push_back(make_generate());
  commands.push_back(make_evaluate());
  commands.push_back(make_profile());
  commands.push_back(make_walkthrough());
  commands.push_back(make_train());
  commands.push_back(make_train_tokenizer());
  commands.push_back(make_word2vec());
  commands.push_back(make_export());
  commands.push_back(make_import());
  commands.push_back(make_info());
  return commands;
}

std::string version_line() { return fmt::format("glassgpt {}\n", GLASSGPT_VERSION); }

std::string overview() {
  std::string text =
      "glassgpt: a glass-box mini-GPT, from text to the contextual vectors of every layer\n\n"
      "Usage: glassgpt COMMAND [options] [TEXT...]\n\nCommands:\n";
  for (const auto& command : all_commands()) {
    text += fmt::format("  {:<17} {}\n", command->info().name, command->info().summary);
  }
  return text +
         "\nglassgpt COMMAND --help lists a command's options with examples; glassgpt "
         "--version.\n\n"
         "Example:\n  glassgpt embed \"The river bank was muddy.\"\n";
}

void add_common_options(CLI::App& app, CommonOptions& common) {
  const char* group = kCommonGroup;
  app.add_option("-m,--model", common.model,
                 "model directory (default: GLASSGPT_MODEL, else the bundled weights/mini)")
      ->type_name("DIR")
      ->group(group);
  app.add_option("--threads", common.threads,
                 "threads (default: GLASSGPT_THREADS, else all CPUs this process may use)")
      ->check(CLI::Range(1, 1024).description(""))
      ->type_name("N")
      ->group(group);
  app.add_option(
         "--isa", common.isa,
         "instruction set of the kernels, as GLASSGPT_ISA: scalar, sse2, avx2, avx512, avx512bf16, "
         "amx, neon64 "
         "(default: the best that the CPU has)")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--gemm", common.gemm, "who multiplies matrices")
      ->check(one_of({"auto", "simd", "blas", "reference"}))
      ->capture_default_str()
      ->group(group);
  app.add_option("--dtype", common.dtype,
                 "what matrix products round their factors to; sums are float32")
      ->each([&common](const std::string&) { common.dtype_given = true; })
      ->check(one_of({"f32", "bf16"}))
      ->capture_default_str()
      ->group(group);
  app.add_flag("--json", common.json, "results as JSON")->group(group);
  app.add_flag("-q,--quiet", common.quiet, "no progress, no remarks")->group(group);
}

void apply_common_options(const CommonOptions& common) {
  if (common.dtype == "bf16" && (common.gemm == "blas" || common.gemm == "reference"))
    throw UsageError(
        "--dtype bf16 is multiplied by our own product: use --gemm auto or simd, not " +
        common.gemm);
  if (!common.isa.empty()) kernels::force_isa(common.isa);
  // An unknown GLASSGPT_ISA is an error of every command, not of the first product that meets it.
  static_cast<void>(kernels::active_kernels());
}

bool is_negative_number(const std::string& text) {
  return text.size() > 1 && text[0] == '-' && text[1] >= '0' && text[1] <= '9';
}

int print(std::string_view text) {
  if (distributed::launched_as().rank != 0) return kDone;
  Output output;
  output.write(text);
  output.finish();
  return kDone;
}

// Each process of a run must go the same way: one that does other things would wait for answers
// that never come.
void check_ranks(const Command& command, distributed::Communicator& ranks) {
  if (ranks.is_alone()) return;
  const char* name = command.info().name;
  distributed::check_same(ranks, {{"command", std::hash<std::string>()(name)}});
  if (command.runs_distributed()) return;
  throw UsageError(fmt::format(
      "{} is the work of one process, and {} were started together; train and embed share theirs",
      name, ranks.size()));
}

// Splits at "--" before CLI11 sees it: what follows is text, whatever it looks like.
void run_command(Command& command, std::span<char* const> words, distributed::Communicator& ranks) {
  const CommandInfo info = command.info();
  CLI::App app(info.summary, std::string("glassgpt ") + info.name);
  app.allow_extras();
  CommonOptions common;
  command.add_options(app);
  add_common_options(app, common);
  app.set_help_flag("-h,--help", "this help")->group(kCommonGroup);
  app.set_version_flag("--version", version_line(), "the program's version")->group(kCommonGroup);

  const auto separator = std::find_if(words.begin(), words.end(),
                                      [](const char* word) { return std::string(word) == "--"; });
  std::vector<std::string> reversed(words.begin(), separator);
  std::reverse(reversed.begin(), reversed.end());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    print(help_text(app, info));
    return;
  }

  std::vector<std::string> arguments;
  for (std::string& extra : app.remaining()) {
    if (extra.size() > 1 && extra[0] == '-' && !is_negative_number(extra)) {
      throw UsageError("unknown option " + extra);
    }
    arguments.push_back(std::move(extra));
  }
  if (separator != words.end()) {
    arguments.insert(arguments.end(), separator + 1, words.end());
    common.after_separator = separator + 1 != words.end();
  }
  apply_common_options(common);
  check_ranks(command, ranks);
  common.ranks = &ranks;
  command.run(common, arguments);
}

// Messages carry paths and texts of others: control characters must not make a second line.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text;
}

int report(int code, const std::string& message) {
  const distributed::Launch launch = distributed::launched_as();
  std::string where;
  if (launch.size > 1) {
    // Its turn may never come: the launcher ends this process once another has failed.
    std::signal(SIGTERM, SIG_DFL);
    if (!distributed::speaks_of_failure(launch, interrupted())) return code;
    char host[256] = {};
    ::gethostname(host, sizeof host - 1);
    if (launch.rank > 0) where = fmt::format("process {} on {}: ", launch.rank, host);
  }
  std::fputs(fmt::format("glassgpt: error: {}{}\n", where, one_line(message)).c_str(), stderr);
  return code;
}

int wrong_usage(const char* command, const std::string& message) {
  return report(kWrongUsage, fmt::format("{}; see 'glassgpt {}{}--help'", message, command,
                                         *command == '\0' ? "" : " "));
}

int run_named(Command& command, std::span<char* const> words, distributed::Communicator& ranks) {
  const char* name = command.info().name;
  try {
    run_command(command, words, ranks);
    return kDone;
  } catch (const CLI::CallForVersion& version) {
    return print(version.what());
  } catch (const CLI::ParseError& error) {
    return wrong_usage(name, error.what());
  } catch (const UsageError& error) {
    return wrong_usage(name, error.what());
  }
}

int run(std::span<char* const> words, distributed::Communicator& ranks) {
  if (words.empty()) return wrong_usage("", "no command given");
  const std::string name = words[0];
  if (name == "--help" || name == "-h" || name == "help") return print(overview());
  if (name == "--version") return print(version_line());
  for (const auto& command : all_commands()) {
    if (name == command->info().name) return run_named(*command, words.subspan(1), ranks);
  }
  const bool option = !name.empty() && name[0] == '-';
  return wrong_usage("", option ? fmt::format("expected a command before {}", name)
                                : fmt::format("there is no command '{}'", name));
}

// A closed descriptor 0, 1 or 2 would be given to the next file that is opened, and results would
// be written into it.
void occupy_standard_descriptors() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    // Read-only on purpose: writing to a closed standard output has to fail.
    if (::fcntl(descriptor, F_GETFD) == -1) static_cast<void>(::open("/dev/null", O_RDONLY));
  }
}

}  // namespace
}  // namespace glassgpt::cli

int main(int argc, char** argv) {
  using namespace glassgpt;
  cli::occupy_standard_descriptors();
  // A closed pipe and a file at its size limit are errors with a message, not a silent death.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  cli::install_interrupt_handler();
  kernels::stop_blas_threads();
  std::optional<distributed::Session> session;
  int code = cli::kFailed;
  try {
    session.emplace();
    code =
        cli::run(std::span<char* const>(argv + 1, static_cast<std::size_t>(std::max(0, argc - 1))),
                 session->ranks());
  } catch (const std::bad_alloc&) {
    cli::report(cli::kFailed, "not enough memory; try fewer or shorter texts at a time");
  } catch (const std::exception& error) {
    cli::report(cli::kFailed, error.what());
  }
  // The others may be waiting for what this one will never do.
  if (code != cli::kDone && session) session->abort(code);
  return code;
}
