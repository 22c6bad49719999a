// embed -o DIR by several processes: the same files as one process's, written by all of them.
//
// The input is cut into blocks of bytes, whatever the number of processes; a text belongs to the
// block in which it begins. First the blocks are shared out and counted: texts, rows, bytes of
// rows.jsonl. Sums over the counts tell where each block's rows go; then the blocks are shared out
// again, by their tokens, and each process writes the rows of its own where they belong.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cli/embed_texts.h"
#include "cli/embed_writers.h"
#include "cli/output.h"
#include "cli/text_source.h"
#include "distributed/communicator.h"
#include "glassgpt/embed.h"
#include "glassgpt/model.h"

namespace glassgpt::cli {

struct BlocksJob {
  const Model& model;
  const Tokenizer& tokenizer;
  EmbedOptions options;
  ForwardOptions forward;
  ExtractionOptions extraction;
  EmbedTarget target;
  FolderOptions folder;
  std::string input;                                   // a file that all processes see
  std::function<std::unique_ptr<TextSource>()> texts;  // reads it from its beginning
};

// Whether an interrupted run in this folder worked by blocks, so that it can only go on so.
bool was_in_blocks(const std::string& folder);

// All ranks call it; `progress` speaks on rank 0.
void embed_in_blocks(const BlocksJob& job, distributed::Communicator& ranks, Progress& progress);

}  // namespace glassgpt::cli
