#include "io/json.h"
#include "walkthrough/chapters.h"
#include "walkthrough/resources.h"

namespace glassgpt::walkthrough {

Document make_document(const Subject& subject) {
  const nlohmann::json examples = io::parse_json(resource("examples.json"), "examples.json");
  Document document;
  document.json = {{"schema", 1},
                   {"glassgpt", GLASSGPT_VERSION},
                   {"command", subject.command("walkthrough --json")}};
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
  add_cost(document, subject);
  return document;
}

}  // namespace glassgpt::walkthrough
