// A command, and what tells it apart from the others.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"

namespace glassgpt::cli {

struct CommandInfo {
  const char* name;
  const char* summary;
  const char* arguments;  // what follows the options, for the usage line: "[TEXT...]"
  const char* examples;   // for the end of --help
};

// One command: main() makes it, lets it add its options, parses, and runs it.
class Command {
 public:
  virtual ~Command() = default;
  virtual CommandInfo info() const = 0;
  // Whether several processes, started together, can share its work.
  virtual bool runs_distributed() const { return false; }
  virtual void add_options(CLI::App& app) = 0;
  // `arguments` is what is not an option: texts, ids or files.
  virtual void run(const CommonOptions& common, const std::vector<std::string>& arguments) = 0;
};

// One per file of this folder; adding a command is a line here, a line in main.cpp and a file.
std::unique_ptr<Command> make_tokenize();
std::unique_ptr<Command> make_detokenize();
std::unique_ptr<Command> make_train_tokenizer();
std::unique_ptr<Command> make_embed();
std::unique_ptr<Command> make_similar();
std::unique_ptr<Command> make_nearest();
std::unique_ptr<Command> make_classify();
std::unique_ptr<Command> make_generate();
std::unique_ptr<Command> make_train();
std::unique_ptr<Command> make_evaluate();
std::unique_ptr<Command> make_profile();
std::unique_ptr<Command> make_word2vec();
std::unique_ptr<Command> make_export();
std::unique_ptr<Command> make_import();
std::unique_ptr<Command> make_info();
std::unique_ptr<Command> make_walkthrough();  // in src/walkthrough, which uses the others' parts

// A validator for a comma-free choice, listed in --help.
CLI::Validator one_of(std::vector<std::string> names);
// An empty path is a variable that was never set, not a wish for the default.
CLI::Validator not_empty();

}  // namespace glassgpt::cli
