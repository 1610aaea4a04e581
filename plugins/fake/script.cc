#include "plugins/fake/script.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rad::fake {
namespace {

namespace bj = boost::json;

const std::vector<std::string> kMethods{"initialize", "preflight", "inspect", "verify",
                                        "restore",    "start",     "check",   "diagnose",
                                        "cleanup",    "gc",        "backups", "hold"};
const std::vector<std::string> kActKeys{"log",    "stderr",    "stdout", "line_bytes", "files",
                                        "daemon", "progress",  "delay",  "hang",       "flood",
                                        "crash",  "exit_code", "error",  "result"};

Status known(std::string_view key, const std::vector<std::string>& keys, std::string_view where) {
  if (std::ranges::find(keys, key) != keys.end()) return {};
  const auto near = closest(key, keys);
  return fail(Reason::config_invalid, fmt::format("unknown key '{}' in {}", key, where),
              near ? fmt::format("did you mean '{}'?", *near)
                   : fmt::format("known are {}", fmt::join(keys, ", ")));
}

Status check_act(const bj::value& act, std::string_view method) {
  if (!act.is_object()) {
    return fail(Reason::config_invalid, fmt::format("an act of '{}' is not an object", method));
  }
  for (const auto& [key, value] : act.get_object()) {
    RAD_CHECK(known(key, kActKeys, fmt::format("an act of '{}'", method)));
  }
  return {};
}

}  // namespace

Result<Script> Script::load(const std::string& path) {
  RAD_TRY(const std::string text, read_file(path));
  RAD_TRY(const bj::value value,
          json::parse(text, fmt::format("script '{}'", path), Reason::config_invalid));
  if (!value.is_object()) {
    return fail(Reason::config_invalid, fmt::format("script '{}' is not an object", path));
  }
  Script script;
  for (const auto& [key, entry] : value.get_object()) {
    if (key == "checks" && entry.is_object()) {
      script.checks_ = entry.get_object();
      continue;
    }
    RAD_CHECK(known(key, kMethods, fmt::format("script '{}'", path)));
    bj::array acts = entry.is_array() ? entry.get_array() : bj::array{entry};
    for (const bj::value& act : acts) RAD_CHECK(check_act(act, key));
    script.acts_[key] = std::move(acts);
  }
  return script;
}

bj::object Script::next(std::string_view method) {
  const auto found = acts_.find(method);
  if (found == acts_.end() || found->second.empty()) return {};
  std::size_t& call = calls_[std::string(method)];
  const bj::value& act = found->second[std::min(call, found->second.size() - 1)];
  ++call;
  return act.get_object();
}

bj::object Script::outcome(const std::string& name, const std::string& type) const {
  for (const std::string& key : {name, type}) {
    const bj::value* fields = checks_.if_contains(key);
    if (fields != nullptr && fields->is_object()) return fields->get_object();
  }
  return {};
}

}  // namespace rad::fake
