#include "agent/config/diagnostic.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace rad {

void sort_by_position(std::vector<Diagnostic>& diagnostics) {
  std::map<std::string, std::size_t> order;
  for (const auto& diagnostic : diagnostics) order.emplace(diagnostic.at.file, order.size());
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [&order](const Diagnostic& a, const Diagnostic& b) {
                     return std::tuple(order[a.at.file], a.at.line, a.at.column) <
                            std::tuple(order[b.at.file], b.at.line, b.at.column);
                   });
}

std::string to_text(const std::vector<Diagnostic>& diagnostics, std::string_view severity) {
  std::string text;
  for (const auto& diagnostic : diagnostics) {
    text += fmt::format("{}: {}", severity, diagnostic.at.file);
    if (diagnostic.at.line > 0) {
      text += fmt::format(":{}:{}", diagnostic.at.line, diagnostic.at.column);
    }
    if (!diagnostic.at.file.empty()) text += ": ";
    if (!diagnostic.key.empty()) text += diagnostic.key + ": ";
    text += diagnostic.message + "\n";
    if (!diagnostic.hint.empty()) text += "hint: " + diagnostic.hint + "\n";
  }
  return text;
}

boost::json::array to_json(const std::vector<Diagnostic>& diagnostics) {
  boost::json::array array;
  for (const auto& diagnostic : diagnostics) {
    array.push_back(boost::json::object{{"file", diagnostic.at.file},
                                        {"line", diagnostic.at.line},
                                        {"column", diagnostic.at.column},
                                        {"key", diagnostic.key},
                                        {"message", diagnostic.message},
                                        {"hint", diagnostic.hint}});
  }
  return array;
}

}  // namespace rad
