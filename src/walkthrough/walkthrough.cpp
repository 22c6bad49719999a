#include "io/json.h"
#include "walkthrough/chapters.h"
#include "walkthrough/resources.h"

namespace glassgpt::walkthrough {
namespace {

// What prints the whole document again.
std::string own_command(const Subject& subject) {
  std::string words = "walkthrough --json";
  if (const ReaderContexts& own = subject.contexts; !own.word.empty()) {
    words += " --word " + shell_quoted(own.word) + " --contexts " + shell_quoted(own.a) + " " +
             shell_quoted(own.b);
  }
  return subject.command(words + subject.reference_option());
}

}  // namespace

Document make_document(const Subject& subject, bool with_cost) {
  const nlohmann::json examples = io::parse_json(resource("examples.json"), "examples.json");
  Document document;
  document.json = {
      {"schema", 1}, {"glassgpt", GLASSGPT_VERSION}, {"command", own_command(subject)}};
  add_text(document, subject);
  add_model(document, subject);
  add_counts(document, examples);
  add_one_hot(document, subject, examples);
  add_skip_gram(document, examples);
  add_corpora(document, examples);
  add_bpe(document, subject, examples);
  add_embedding(document, subject);
  add_formation(document, subject, examples);
  add_positions(document, subject);
  add_attention(document, subject);
  add_layers(document, subject);
  add_contexts(document, subject, examples);
  add_uses(document, subject, examples);
  if (with_cost) add_cost(document, subject);
  return document;
}

}  // namespace glassgpt::walkthrough
