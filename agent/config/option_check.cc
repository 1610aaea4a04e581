#include "agent/config/option_check.h"

#include <map>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/model/option_rules.h"

namespace rad {
namespace {

SourceMark mark_in(const std::map<std::string, SourceMark>& marks, const std::string& key,
                   const SourceMark& otherwise) {
  const auto found = marks.find(key);
  return found == marks.end() ? otherwise : found->second;
}

}  // namespace

void check_plugin_options(const PluginOptions& options, const std::vector<PluginOption>& known,
                          std::string_view what, const std::string& path, const SourceMark& section,
                          std::vector<Diagnostic>& errors) {
  for (OptionFault& fault : find_option_faults(options.values, known, what)) {
    const std::string key = printable(fault.key, 80);
    Diagnostic diagnostic{.at = section, .key = fmt::format("{}.{}", path, key)};
    switch (fault.kind) {
      case OptionFault::Kind::unknown:
        diagnostic.at = mark_in(options.marks, fault.key, section);
        diagnostic.message = fmt::format("{} has no option '{}'", what, key);
        break;
      case OptionFault::Kind::wrong_value:
        diagnostic.at = mark_in(options.value_marks, fault.key, section);
        diagnostic.message = fmt::format("found {}, expected {}", fault.found, fault.expected);
        break;
      case OptionFault::Kind::missing:
        diagnostic.message = fmt::format("is missing, {} needs {}", what, fault.expected);
        break;
    }
    diagnostic.hint = std::move(fault.hint);
    errors.push_back(std::move(diagnostic));
  }
}

}  // namespace rad
