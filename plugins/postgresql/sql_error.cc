#include "plugins/postgresql/sql_error.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::postgresql {
namespace {

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_library_text(std::string_view text) {
  return has(text, "could not access file \"") || has(text, "could not load library") ||
         has(text, "incompatible library");
}

bool is_locale_text(std::string_view text) {
  return has(text, "database locale is incompatible") || has(text, "could not create locale") ||
         has(text, "could not open collator");
}

Reason resource_reason(std::string_view sqlstate) {
  if (sqlstate == "53100") return Reason::scratch_full;
  if (sqlstate == "53200") return Reason::out_of_memory;
  return Reason::host_unfit;
}

/// The relation's path in "invalid page in block 45 of relation base/16384/16408": what the server
/// says of a page whose checksum or header is wrong. "" for every other text.
std::string invalid_page_path(std::string_view text) {
  constexpr std::string_view kRelation = " of relation ";
  if (!has(text, "invalid page in block ")) return {};
  const std::size_t at = text.find(kRelation);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + kRelation.size());
  return printable(rest.substr(0, rest.find_first_of(" \n;")), 300);
}

}  // namespace

Reason sql_reason(const SqlError& error) {
  const std::string_view state = error.sqlstate;
  const std::string_view text = error.message;
  if (error.stopped) return Reason::cancelled;
  if (is_library_text(text)) return Reason::library_missing;
  if (is_locale_text(text)) return Reason::locale_missing;
  if (error.lost || state.starts_with("08") || state.starts_with("57P")) return Reason::check_error;
  if (state == "57014") return Reason::timeout;
  if (state.starts_with("53")) return resource_reason(state);
  if (has(text, "No space left on device")) return Reason::scratch_full;
  if (has(text, "Input/output error")) return Reason::host_unfit;
  if (state == "XX001" && !invalid_page_path(text).empty()) return Reason::checksum_mismatch;
  if (state == "XX000" || state == "XX001" || state == "XX002" || state == "58P01") {
    return Reason::check_failed;
  }
  if (state.starts_with("58")) return Reason::host_unfit;
  return Reason::check_error;
}

std::string sql_text(const SqlError& error) {
  if (error.lost || error.sqlstate.empty()) return printable(error.message, 300);
  const std::string_view state = error.sqlstate;
  // Classes whose messages name objects, files and settings, never values of rows.
  constexpr std::array<std::string_view, 10> kNamesOnly{"XX", "42", "57", "58", "53",
                                                        "54", "55", "25", "3D", "0A"};
  const bool tell = std::ranges::any_of(
      kNamesOnly, [&](std::string_view prefix) { return state.starts_with(prefix); });
  return tell ? fmt::format("{} (SQLSTATE {})", printable(error.message, 300), state)
              : fmt::format("SQLSTATE {}", printable(state, 5));
}

Error sql_failure(const SqlError& error, std::string_view doing, std::string object) {
  Error result =
      fail(sql_reason(error), fmt::format("{}: {}", doing, sql_text(error)), "", std::move(object));
  if (result.reason == Reason::checksum_mismatch) {
    result.object = invalid_page_path(error.message);
  } else if (result.reason == Reason::library_missing) {
    result.hint = "install the package of that library for this major version on this host";
  } else if (result.reason == Reason::locale_missing) {
    result.hint = "generate the locale on this host (Debian: dpkg-reconfigure locales)";
  }
  return result;
}

}  // namespace rad::postgresql
