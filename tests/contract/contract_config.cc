#include "tests/contract/contract_config.h"

#include <cstdlib>
#include <stdexcept>

#include <fmt/format.h>

#include "agent/base/files.h"
#include "agent/base/json.h"

namespace rad::contract {
namespace {

namespace bj = boost::json;

std::string need(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(fmt::format("set {}: see ctest -V", name));
  return value;
}

std::string replaced(std::string text, const std::map<std::string, std::string>& names) {
  for (const auto& [name, value] : names) {
    const std::string mark = "${" + name + "}";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
      text.replace(at, mark.size(), value);
      at += value.size();
    }
  }
  return text;
}

std::vector<std::string> texts(const bj::array& array) {
  std::vector<std::string> result;
  for (const bj::value& value : array) result.emplace_back(value.as_string());
  return result;
}

Config load() {
  Config config;
  config.plugin = need("RAD_CONTRACT_PLUGIN");
  if (const char* accept = std::getenv("RAD_CONTRACT_ACCEPT")) config.accept = accept;
  const std::string text = read_file(need("RAD_CONTRACT_OPTIONS")).value();
  const bj::object file = place(json::parse(text, "RAD_CONTRACT_OPTIONS").value(),
                                {{"source", RAD_SOURCE_DIR}, {"binary", RAD_BINARY_DIR}})
                              .as_object();
  config.options = json::get_object(file, "options").value();
  for (const bj::value& value : json::get_array(file, "checks").value()) {
    const bj::object& check = value.as_object();
    protocol::CheckSpec spec;
    spec.check = json::get_string(check, "check").value();
    spec.name = json::get_string(check, "name", spec.check).value();
    spec.options = json::get_object(check, "options").value();
    config.checks.push_back(std::move(spec));
  }
  config.depth = parse_depth(json::get_string(file, "depth", "restore").value()).value();
  config.run = texts(json::get_array(file, "run").value());
  config.prepare = texts(json::get_array(file, "prepare").value());
  config.artifact = json::get_object(file, "artifact").value();
  config.secrets = texts(json::get_array(file, "secrets").value());
  const bj::object longest = json::get_object(file, "long").value();
  config.long_request.options = json::get_object(longest, "options").value();
  config.long_request.method = json::get_string(longest, "method").value();
  config.long_request.params = json::get_object(longest, "params").value();
  config.long_request.must_cancel = json::get_bool(longest, "must_cancel", false).value();
  return config;
}

}  // namespace

const Config& config() {
  static const Config loaded = load();
  return loaded;
}

bj::value place(const bj::value& value, const std::map<std::string, std::string>& names) {
  if (const auto* text = value.if_string()) {
    return bj::value(replaced(std::string(*text), names));
  }
  if (const auto* array = value.if_array()) {
    bj::array copy;
    for (const bj::value& member : *array) copy.push_back(place(member, names));
    return copy;
  }
  if (const auto* object = value.if_object()) {
    bj::object copy;
    for (const auto& [key, member] : *object) copy[key] = place(member, names);
    return copy;
  }
  return value;
}

}  // namespace rad::contract
