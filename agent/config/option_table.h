// The one table of all options. Loading, explain, the example file and the reference are made from
// it; the meaning of an option is written down here and nowhere else.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rad {

enum class OptionType : std::uint8_t {
  section,    ///< mapping of the rows below it
  list,       ///< list of such mappings; the rows below it are "path[].key"
  string,     ///< any text that is not empty
  name,       ///< [a-z0-9][a-z0-9_-]{0,62}
  name_list,  ///< list of names, or patterns of them with * and ?; as text joined by commas
  path,       ///< absolute
  duration,   ///< "26h"; bounds in milliseconds
  bytes,      ///< "1GiB"
  integer,
  boolean,
  enumeration,  ///< one of `allowed`
  time_zone,    ///< IANA name
  cron,
  listen_address,  ///< "127.0.0.1:9735", "[::1]:9735" or "off"
};

struct OptionRow {
  std::string_view path;  ///< "targets[].schedules[].cron"
  OptionType type = OptionType::string;
  /// As in YAML; "<path>" at its beginning stands for another option's value; "" for none.
  std::string_view default_text = {};
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string_view allowed = {};  ///< enumeration: "a|b"; duration: a word taken besides, "auto"
  bool open = false;              ///< section or list: further keys belong to a plugin
  bool required = false;
  bool secret = false;            ///< the value is a path to a secret
  bool reloadable = true;         ///< else a reload that changes it is refused: reload_check.h
  std::string_view example = {};  ///< as in YAML, for the example file; default_text if empty
  /// Open sections: an option of a plugin, for the example file.
  std::string_view open_example = {};
  std::string_view summary = {};  ///< one line, lower case, no full stop
  std::string_view detail = {};   ///< further sentences
};

/// In the order of the reference; parents before children.
std::span<const OptionRow> option_table() noexcept;

/// \param path generic, "targets[].name"  \return nullptr if there is no such row.
const OptionRow* find_option(std::string_view path) noexcept;

/// Rows directly below a section ("agent"), a list ("targets[]") or the top ("").
std::vector<const OptionRow*> options_below(std::string_view path);

/// "targets[].name" for "targets[0].name".
std::string generic_path(std::string_view path);
/// "name" for "targets[].name".
std::string_view last_word(std::string_view path) noexcept;
/// The words of `allowed`.
std::vector<std::string> allowed_words(const OptionRow& row);

std::string_view to_string(OptionType type) noexcept;
/// "1s to 1d", "a, b or c", "" if nothing limits the value beyond its type.
std::string range_text(const OptionRow& row);
/// Unit of the value: "duration (ms s m h d w)", "bytes", "" if none.
std::string_view unit_text(OptionType type) noexcept;

}  // namespace rad
