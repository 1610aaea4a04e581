#include "plugins/wal_e/relation_file.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace rad::wal_e {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 10 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Takes "part/" off the front of `path`. \return the part, or "" if there is no slash.
std::string_view take_part(std::string_view& path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view part = path.substr(0, slash);
  path.remove_prefix(slash + 1);
  return part;
}

bool take_directory(std::string_view& path) {
  const std::string_view top = take_part(path);
  if (top == "global") return true;
  if (top == "base") return is_number(take_part(path));
  return top == "pg_tblspc" && is_number(take_part(path)) && take_part(path).starts_with("PG_") &&
         is_number(take_part(path));
}

}  // namespace

std::optional<RelationFile> parse_relation_file(std::string_view path) {
  std::string_view name = path;
  if (!take_directory(name)) return std::nullopt;
  const std::string_view directory = path.substr(0, path.size() - name.size());
  RelationFile file;
  if (const std::size_t dot = name.find('.'); dot != std::string_view::npos) {
    const std::string_view digits = name.substr(dot + 1);
    if (!is_number(digits)) return std::nullopt;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), file.segment);
    // The number of a page has 32 bits.
    if (parsed.ec != std::errc{} || file.first_page() > UINT32_MAX) return std::nullopt;
    name = name.substr(0, dot);
  }
  if (const std::size_t mark = name.find('_'); mark != std::string_view::npos) {
    constexpr std::array<std::string_view, 3> kForks{"fsm", "vm", "init"};
    file.fork = name.substr(mark + 1);
    if (std::find(kForks.begin(), kForks.end(), file.fork) == kForks.end()) return std::nullopt;
    name = name.substr(0, mark);
  }
  if (!is_number(name)) return std::nullopt;
  file.relation = std::string(directory) + std::string(name);
  return file;
}

}  // namespace rad::wal_e
