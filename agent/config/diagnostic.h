// What is wrong with a configuration, and where.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>

namespace rad {

/// A place in a configuration file. Lines and columns (bytes) count from 1; 0 means the whole file,
/// no file that no file is at fault.
struct SourceMark {
  std::string file;
  int line = 0;
  int column = 0;
};

struct Diagnostic {
  SourceMark at;
  std::string key;      ///< path of the key, "targets[0].schedules[0].cron"; "" for the file itself
  std::string message;  ///< what was found and what was expected
  std::string hint;     ///< what to do next, or ""
};

/// By file (in order of first appearance), line and column; stable.
void sort_by_position(std::vector<Diagnostic>& diagnostics);

/// `error: rad.yaml:12:5: targets[0].schedules[0].cron: found 'x', expected …` and a line
/// `hint: …` each; ends in a newline unless empty. `severity` is "error" or "warning".
std::string to_text(const std::vector<Diagnostic>& diagnostics, std::string_view severity);

/// Objects of {file, line, column, key, message, hint}.
boost::json::array to_json(const std::vector<Diagnostic>& diagnostics);

}  // namespace rad
