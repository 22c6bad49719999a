// embed --plot: the rows of each kind as points of a plane.
#pragma once

#include <memory>
#include <string>

#include "cli/embed_writers.h"

namespace glassgpt::cli {

// Hands everything on to `inner`, and at the end writes an SVG file: for each kind a panel with the
// first 400 rows in the plane of their own two principal components, coloured by text, or along the
// text if there is only one.
std::unique_ptr<EmbedWriter> make_plotting_writer(std::unique_ptr<EmbedWriter> inner,
                                                  const EmbedTarget& target,
                                                  const std::string& file);

}  // namespace glassgpt::cli
