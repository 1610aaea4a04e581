// The end of a run for the person at the terminal: verdict and reason first, then what to do, then
// the evidence.
#pragma once

#include <cstddef>
#include <string>

#include "agent/model/run_report.h"

namespace rad {

struct TerminalStyle {
  bool colour = false;
  std::size_t width = 100;  ///< columns; tables are cut to it, at least 60 are assumed
};

/// What the descriptor can do: colour only on a terminal, and not when NO_COLOR is set or TERM is
/// "dumb" (the caller reads the environment and says so in `allow_colour`).
TerminalStyle terminal_style(int fd, bool allow_colour);

/// Whole text, ends in a newline. Untrusted text is made printable; without colour the text holds
/// no control character but newline.
std::string render_terminal(const RunReport& report, const TerminalStyle& style);

/// to_json() of the report, indented, ends in a newline: what `--json` prints.
std::string render_json(const RunReport& report);

}  // namespace rad
