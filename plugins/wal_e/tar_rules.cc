#include "plugins/wal_e/tar_rules.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

constexpr std::size_t kMaxPath = 4000;
constexpr std::size_t kMaxPart = 255;
constexpr std::size_t kShown = 200;
constexpr std::string_view kTablespaces = "pg_tblspc/";
// WAL-E stores these as they are, but not what is in them.
constexpr std::array<std::string_view, 4> kEntryOnly{"pg_wal", "pg_xlog", "pg_log", "pg_replslot"};

Error unsafe(const TarMember& member, std::string_view why) {
  return fail(
      Reason::unsafe_content, fmt::format("member '{}' {}", printable(member.name, kShown), why),
      "nothing of this backup was written outside its scratch directory; find out who made it");
}

bool is_absolute(std::string_view name) {
  return name.starts_with('/');
}

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<MemberDecision> decide_symlink(const TarMember& member, std::string path) {
  if (path.empty()) return unsafe(member, "is a link in place of the data directory");
  MemberDecision decision;
  decision.left_out =
      fmt::format("{} -> {}", printable(path, kShown), printable(member.link, kShown));
  const bool entry_only = std::find(kEntryOnly.begin(), kEntryOnly.end(), path) != kEntryOnly.end();
  const std::string_view tablespace = tablespace_of(path);
  const bool is_tablespace =
      !tablespace.empty() && path.size() == kTablespaces.size() + tablespace.size();
  decision.action = entry_only ? MemberAction::make_directory : MemberAction::leave_out;
  // A tablespace's files lie below its link's name, and go where ReadOptions says.
  decision.blocks_path = !is_tablespace;
  decision.path = std::move(path);
  return decision;
}

Result<MemberDecision> decide_hard_link(const TarMember& member, std::string path) {
  const Result<std::string> target = safe_path(member.link);
  const bool inside = target && !target->empty() && !is_absolute(member.link);
  if (path.empty() || !inside) {
    return unsafe(member, fmt::format("is a hard link to '{}', which is outside the data directory",
                                      printable(member.link, kShown)));
  }
  if (*target == path) return unsafe(member, "is a hard link to itself");
  MemberDecision decision;
  decision.action = MemberAction::link_file;
  decision.path = std::move(path);
  decision.link_target = *target;
  return decision;
}

}  // namespace

Result<std::string> safe_path(std::string_view name) {
  std::string path;
  path.reserve(name.size());
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(Reason::unsafe_content, "leads out of its directory with '..'");
    if (part.find('\0') != std::string_view::npos) {
      return fail(Reason::unsafe_content, "has a NUL byte in its name");
    }
    if (part.size() > kMaxPart) {
      return fail(
          Reason::unsafe_content,
          fmt::format("has a part of {} bytes in its name, {} can exist", part.size(), kMaxPart));
    }
    if (!path.empty()) path += '/';
    path += part;
  }
  if (path.size() > kMaxPath) {
    return fail(Reason::unsafe_content,
                fmt::format("has a name of {} bytes, {} are allowed", path.size(), kMaxPath));
  }
  if (is_absolute(name) && !path.empty()) {
    return fail(Reason::unsafe_content, "has an absolute name");
  }
  return path;
}

std::string_view tablespace_of(std::string_view path) {
  if (!path.starts_with(kTablespaces)) return {};
  path.remove_prefix(kTablespaces.size());
  const std::string_view oid = path.substr(0, path.find('/'));
  return all_digits(oid) ? oid : std::string_view{};
}

Result<MemberDecision> decide(const TarMember& member, std::uint64_t max_bytes) {
  Result<std::string> path = safe_path(member.name);
  if (!path) return unsafe(member, path.error().message);
  if (member.sparse) return unsafe(member, "claims holes in its data");
  if (max_bytes != 0 && member.size > max_bytes) {
    return unsafe(member, fmt::format("claims {}, at most {} are possible here",
                                      format_bytes(member.size), format_bytes(max_bytes)));
  }
  MemberDecision decision;
  switch (member.type) {
    case TarType::directory:
      decision.action = path->empty() ? MemberAction::root : MemberAction::make_directory;
      break;
    case TarType::file:
      if (path->empty()) return unsafe(member, "is a file in place of the data directory");
      decision.action = MemberAction::write_file;
      break;
    case TarType::symlink:
      return decide_symlink(member, *std::move(path));
    case TarType::hardlink:
      return decide_hard_link(member, *std::move(path));
    case TarType::other:
      return unsafe(member, "is a device, a pipe or another special file");
  }
  decision.path = *std::move(path);
  return decision;
}

}  // namespace rad::wal_e
