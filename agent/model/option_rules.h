// What the types of options mean, for the agent, which judges a configuration before anything is
// started, and for the plugin, which believes nobody: how a value is read, what a wrong one is.
//
// Values are JSON made from YAML: durations and sizes are texts such as "26h" and "64MiB". null
// counts as not given.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/model/plugin_schema.h"

namespace rad {

/// Readers: nothing when the option was not given or is not of that type.
std::optional<std::string> text_option(const boost::json::object& options, std::string_view key);
std::optional<std::chrono::milliseconds> duration_option(const boost::json::object& options,
                                                         std::string_view key);
/// A number that is not negative, or a text with a unit.
std::optional<std::uint64_t> bytes_option(const boost::json::object& options, std::string_view key);
std::optional<std::int64_t> integer_option(const boost::json::object& options,
                                           std::string_view key);
std::optional<double> number_option(const boost::json::object& options, std::string_view key);
std::optional<bool> boolean_option(const boost::json::object& options, std::string_view key);

/// Whether PluginOption::type may be so.
bool is_option_type(std::string_view type);

/// One thing that is wrong with a section of options. Its texts are fit for people: untrusted ones
/// are cut, the value of a secret option is not repeated.
struct OptionFault {
  enum class Kind : std::uint8_t {
    unknown,      ///< there is no such option
    missing,      ///< required and not given
    wrong_value,  ///< of another type, or out of range
  };
  Kind kind = Kind::unknown;
  std::string key;       ///< as given
  std::string found;     ///< wrong_value: the value
  std::string expected;  ///< wrong_value and missing: "an absolute path", "1 to 64"
  std::string hint;      ///< what to do next; "" if there is nothing to say
};

/// Holds every option against `known`.
/// \param what  named in hints: "plugin 'wal_e'", "check 'row_counts'"
/// \return everything that is wrong: what was given in its order, then what is missing
std::vector<OptionFault> find_option_faults(const boost::json::object& options,
                                            const std::vector<PluginOption>& known,
                                            std::string_view what);

}  // namespace rad
