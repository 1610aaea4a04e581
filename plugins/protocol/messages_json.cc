// What a plugin says of itself and what the agent tells it. The answers: results_json.cc.
#include <algorithm>

#include "agent/model/json.h"
#include "agent/model/option_rules.h"
#include "plugins/protocol/codec.h"
#include "plugins/protocol/fields.h"

namespace rad::protocol {
namespace {

namespace bj = boost::json;
using json::safe_string;

bj::value number_or_null(const std::optional<double>& number) {
  return number ? bj::value(*number) : bj::value(nullptr);
}

bj::object option_to_json(const OptionInfo& option) {
  return {{"key", safe_string(option.key)},
          {"type", option.type},
          {"required", option.required},
          {"secret", option.secret},
          {"default", option.default_text.empty() ? bj::value(nullptr)
                                                  : bj::value(safe_string(option.default_text))},
          {"allowed", fields::to_array(option.allowed)},
          {"summary", safe_string(option.summary)},
          {"min", number_or_null(option.min)},
          {"max", number_or_null(option.max)}};
}

Result<std::optional<double>> read_number(const bj::object& object, std::string_view key) {
  const bj::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return std::optional<double>();
  RAD_TRY(const double number, json::get_double(object, key));
  return std::optional<double>(number);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Result<std::string> read_name(const bj::object& object, std::string_view key) {
  RAD_TRY(std::string name, json::get_string(object, key));
  if (!is_name(name)) return fields::wrong(key, "1 to 64 of a-z, 0-9 and _");
  return name;
}

Result<OptionInfo> option_from_json(const bj::object& object) {
  OptionInfo option;
  RAD_TRY(option.key, read_name(object, "key"));
  RAD_TRY(option.type, json::get_string(object, "type"));
  if (!is_option_type(option.type)) return fields::wrong("type", "a known type of option");
  RAD_TRY(option.required, json::get_bool(object, "required", false));
  RAD_TRY(option.secret, json::get_bool(object, "secret", false));
  RAD_TRY(option.default_text, fields::text(object, "default", 500));
  RAD_TRY(option.allowed, fields::texts(object, "allowed", 100));
  RAD_TRY(option.summary, fields::text(object, "summary", 500));
  RAD_TRY(option.min, read_number(object, "min"));
  RAD_TRY(option.max, read_number(object, "max"));
  return option;
}

bj::array options_to_json(const std::vector<OptionInfo>& options) {
  bj::array array;
  for (const OptionInfo& option : options) array.push_back(option_to_json(option));
  return array;
}

bj::array checks_to_json(const std::vector<CheckInfo>& checks) {
  bj::array array;
  for (const CheckInfo& check : checks) {
    array.push_back(bj::object{{"type", safe_string(check.type)},
                               {"depths", fields::to_array(check.depths)},
                               {"proof", to_string(check.proof)},
                               {"by_default", check.by_default},
                               {"summary", safe_string(check.summary)},
                               {"options", options_to_json(check.options)}});
  }
  return array;
}

Result<CheckInfo> check_from_json(const bj::object& object) {
  CheckInfo check;
  RAD_TRY(check.type, read_name(object, "type"));
  RAD_TRY(check.depths, fields::words<Depth>(object, "depths", parse_depth));
  RAD_TRY(check.proof, fields::word(object, "proof", parse_proof));
  RAD_TRY(check.by_default, json::get_bool(object, "by_default", false));
  RAD_TRY(check.summary, fields::text(object, "summary", 500));
  RAD_TRY(check.options, fields::objects<OptionInfo>(object, "options", option_from_json));
  return check;
}

bj::array specs_to_json(const std::vector<CheckSpec>& checks) {
  bj::array array;
  for (const CheckSpec& check : checks) {
    array.push_back(bj::object{{"name", safe_string(check.name)},
                               {"check", safe_string(check.check)},
                               {"options", check.options}});
  }
  return array;
}

Result<CheckSpec> spec_from_json(const bj::object& object) {
  CheckSpec spec;
  RAD_TRY(spec.check, json::get_string(object, "check"));
  RAD_TRY(spec.name, json::get_string(object, "name", spec.check));
  RAD_TRY(spec.options, json::get_object(object, "options"));
  return spec;
}

Result<int> read_version(const bj::value& value) {
  const auto* number = value.if_int64();
  if (number == nullptr || *number < 0 || *number > 1'000'000) {
    return fields::wrong("versions", "a list of version numbers");
  }
  return static_cast<int>(*number);
}

}  // namespace

bj::object to_json(const PluginInfo& value) {
  return {{"protocol_version", value.protocol_version},
          {"name", safe_string(value.name)},
          {"version", safe_string(value.version)},
          {"roles", fields::to_array(value.roles)},
          {"produces", fields::to_array(value.produces)},
          {"consumes", fields::to_array(value.consumes)},
          {"options", options_to_json(value.options)},
          {"checks", checks_to_json(value.checks)}};
}

template <>
Result<PluginInfo> from_json(const bj::object& object) {
  PluginInfo info;
  RAD_TRY(const std::int64_t version, json::get_int(object, "protocol_version"));
  if (version < 1 || version > 1'000'000) {
    return fields::wrong("protocol_version", "a version number");
  }
  info.protocol_version = static_cast<int>(version);
  RAD_TRY(info.name, read_name(object, "name"));
  RAD_TRY(info.version, fields::text(object, "version", 100));
  RAD_TRY(info.roles, fields::words<Role>(object, "roles", parse_role));
  RAD_TRY(info.produces, fields::texts(object, "produces", 100));
  RAD_TRY(info.consumes, fields::texts(object, "consumes", 100));
  RAD_TRY(info.options, fields::objects<OptionInfo>(object, "options", option_from_json));
  RAD_TRY(info.checks, fields::objects<CheckInfo>(object, "checks", check_from_json));
  if (info.roles.empty()) return fields::wrong("roles", "a list with at least one role");
  std::vector<std::string> types;
  for (const CheckInfo& check : info.checks) types.push_back(check.type);
  std::ranges::sort(types);
  if (const auto twice = std::ranges::adjacent_find(types); twice != types.end()) {
    return fields::wrong("checks", fmt::format("free of doubles: '{}' is there twice", *twice));
  }
  return info;
}

bj::object to_json(const InitializeParams& value) {
  return {{"versions", fields::to_array(value.versions)},
          {"run_id", safe_string(value.run_id)},
          {"target", safe_string(value.target)},
          {"depth", to_string(value.depth)},
          {"scratch_dir", safe_string(value.scratch_dir, fields::kMaxPath)},
          {"runtime_dir", safe_string(value.runtime_dir, fields::kMaxPath)},
          {"account", safe_string(value.account)},
          {"options", value.options},
          {"checks", specs_to_json(value.checks)},
          {"backup_version", safe_string(value.backup_version)}};
}

template <>
Result<InitializeParams> from_json(const bj::object& object) {
  InitializeParams params;
  RAD_TRY(params.versions, fields::list<int>(object, "versions", read_version));
  RAD_TRY(params.run_id, json::get_string(object, "run_id", ""));
  RAD_TRY(params.target, json::get_string(object, "target", ""));
  RAD_TRY(const std::string depth, json::get_string(object, "depth", "restore"));
  const auto parsed = parse_depth(depth);
  if (!parsed) return fields::wrong("depth", "one of inspect, verify, restore");
  params.depth = *parsed;
  RAD_TRY(params.scratch_dir, json::get_string(object, "scratch_dir", ""));
  RAD_TRY(params.runtime_dir, json::get_string(object, "runtime_dir", ""));
  RAD_TRY(params.account, json::get_string(object, "account", ""));
  RAD_TRY(params.options, json::get_object(object, "options"));
  RAD_TRY(params.checks, fields::objects<CheckSpec>(object, "checks", spec_from_json));
  RAD_TRY(params.backup_version, json::get_string(object, "backup_version", ""));
  return params;
}

bj::object to_json(const CheckParams& value) {
  bj::object object{{"endpoint", nullptr}, {"checks", specs_to_json(value.checks)}};
  if (value.endpoint) object["endpoint"] = to_json(*value.endpoint);
  return object;
}

template <>
Result<CheckParams> from_json(const bj::object& object) {
  CheckParams params;
  RAD_TRY(const bj::object endpoint, json::get_object(object, "endpoint"));
  if (!endpoint.empty()) {
    RAD_TRY(params.endpoint, endpoint_from_json(endpoint));
  }
  RAD_TRY(params.checks, fields::objects<CheckSpec>(object, "checks", spec_from_json));
  return params;
}

bj::object to_json(const DiagnoseParams& value) {
  return {{"stage", to_string(value.stage)}, {"error", to_json(value.error)}};
}

template <>
Result<DiagnoseParams> from_json(const bj::object& object) {
  DiagnoseParams params;
  RAD_TRY(params.stage, fields::word(object, "stage", parse_stage));
  RAD_TRY(const bj::object error, json::get_object(object, "error"));
  RAD_TRY(params.error, error_from_json(error));
  return params;
}

bj::object to_json(const GcParams& value) {
  return {{"live_runs", fields::to_array(value.live_runs)}};
}

template <>
Result<GcParams> from_json(const bj::object& object) {
  GcParams params;
  RAD_TRY(params.live_runs, fields::texts(object, "live_runs", 200));
  return params;
}

}  // namespace rad::protocol
