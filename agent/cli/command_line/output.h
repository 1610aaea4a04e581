// What a program says to people.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace rad::cli {

/// Writes the text. A stream that nobody reads any more must not end a run, so failures are
/// ignored; SIGPIPE is, too, in the whole program.
void write_out(std::FILE* stream, std::string_view text) noexcept;

/// Why not all of what was written to stdout has arrived; "" if it has, or if whoever read it left.
std::string output_failure();

/// `error: …` and, if there is one, `hint: …`, on stderr; made printable.
void print_problem(std::string_view message, std::string_view hint);

}  // namespace rad::cli
