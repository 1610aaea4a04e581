#include "plugins/sdk/options.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/base/text.h"

namespace rad::sdk {
namespace {

namespace bj = boost::json;

/// What is wrong with one section, gathered so that all of it is said at once.
struct Faults {
  std::vector<std::string> messages;
  std::vector<std::string> hints;

  Status status() const {
    if (messages.empty()) return {};
    return fail(Reason::config_invalid, fmt::format("{}", fmt::join(messages, "; ")),
                fmt::format("{}", fmt::join(hints, "; ")));
  }
};

void check_section(const bj::object& options, const std::vector<protocol::OptionInfo>& known,
                   std::string_view what, Faults& faults) {
  for (const OptionFault& fault : find_option_faults(options, known, what)) {
    const std::string key = printable(fault.key, 60);
    switch (fault.kind) {
      case OptionFault::Kind::unknown:
        faults.messages.push_back(fmt::format("{} has no option '{}'", what, key));
        break;
      case OptionFault::Kind::wrong_value:
        faults.messages.push_back(fmt::format("option '{}' of {} is {}, expected {}", key, what,
                                              fault.found, fault.expected));
        break;
      case OptionFault::Kind::missing:
        faults.messages.push_back(
            fmt::format("option '{}' of {} is missing, expected {}", key, what, fault.expected));
        break;
    }
    if (fault.hint.empty()) continue;
    // All hints end up in one text: those about a value must say whose.
    const bool own_words = fault.kind == OptionFault::Kind::unknown;
    faults.hints.push_back(own_words ? fault.hint : fmt::format("'{}': {}", key, fault.hint));
  }
}

}  // namespace

Status check_options(const bj::object& options, const std::vector<protocol::OptionInfo>& known,
                     std::string_view what) {
  Faults faults;
  check_section(options, known, what, faults);
  return faults.status();
}

Status check_all_options(const protocol::InitializeParams& params,
                         const protocol::PluginInfo& info) {
  Faults faults;
  check_section(params.options, info.options, fmt::format("plugin '{}'", info.name), faults);
  std::vector<std::string> types;
  types.reserve(info.checks.size());
  for (const protocol::CheckInfo& check : info.checks) types.push_back(check.type);
  for (const protocol::CheckSpec& spec : params.checks) {
    const auto found = std::ranges::find(info.checks, spec.check, &protocol::CheckInfo::type);
    if (found != info.checks.end()) {
      check_section(spec.options, found->options,
                    fmt::format("check '{}'", printable(spec.name, 60)), faults);
      continue;
    }
    faults.messages.push_back(
        fmt::format("plugin '{}' has no check '{}'", info.name, printable(spec.check, 60)));
    const auto near = closest(spec.check, types);
    faults.hints.push_back(near ? fmt::format("did you mean '{}'?", *near)
                                : fmt::format("its checks are {}", fmt::join(types, ", ")));
  }
  return faults.status();
}

}  // namespace rad::sdk
