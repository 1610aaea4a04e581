#include <fmt/format.h>

#include <cstdio>

#include "agent/base/json.h"
#include "agent/cli/commands.h"
#include "agent/config/explain.h"

namespace rad::cli {

int explain_command(const CommonOptions& common, const std::string& key) {
  if (common.json) {
    fmt::print("{}", json::pretty(option_table_json()));
    return kOk;
  }
  const bool known = key.empty() || explains(key);
  fmt::print(known ? stdout : stderr, "{}", explain(key));
  return known ? kOk : kUsage;
}

}  // namespace rad::cli
