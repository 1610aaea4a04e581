#include <cstdio>

#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/cli/commands.h"
#include "agent/config/explain.h"

namespace rad::cli {

int explain_command(const CommonOptions& common, const std::string& key) {
  if (common.json) {
    write_out(stdout, json::pretty(option_table_json()));
    return kOk;
  }
  const bool known = key.empty() || explains(key);
  write_out(known ? stdout : stderr, explain(key));
  return known ? kOk : kUsage;
}

}  // namespace rad::cli
