// JSON as glassgpt writes it: numbers that read back as the same float32, strings that are always
// valid.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace glassgpt::cli {

// Quoted and escaped. Bytes that are not valid UTF-8 become U+FFFD, one for each maximal part of an
// ill-formed sequence (as Python's errors="replace" and the WHATWG decoder do).
void append_json_string(std::string& out, std::string_view bytes);
std::string json_string(std::string_view bytes);

// The shortest digits that read back as the same float32, always with a point or an exponent, so
// that -0.0 keeps its sign everywhere. JSON has no NaN and no infinity: those become null and the
// result is false.
bool append_json_float(std::string& out, float value);
// [v0,v1,…]; the number of values that became null.
std::size_t append_json_floats(std::string& out, const float* values, std::size_t count);

// Doubles of summaries (losses, rates): null if not finite.
std::string json_number(double value);

}  // namespace glassgpt::cli
