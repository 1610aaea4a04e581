// Which members of a base backup's tar may be unpacked, where to, and which never.
//
// Pure. Names in a tar are hostile input: nothing here touches a file system.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "plugins/wal_e/tar_stream.h"

namespace rad::wal_e {

enum class MemberAction : std::uint8_t {
  root,  ///< the data directory itself: sets nothing
  write_file,
  make_directory,  ///< also for a symbolic link in place of pg_wal, pg_xlog, pg_log, pg_replslot
  leave_out,       ///< a symbolic link: recorded, never created
  link_file,       ///< second name of a file of the backup
};

struct MemberDecision {
  MemberAction action = MemberAction::leave_out;
  std::string path;          ///< relative to the data directory, "a/b", "" for the root
  std::string link_target;   ///< link_file: the first name, in the same form
  std::string left_out;      ///< "name -> target" of a symbolic link that is not created, else ""
  bool blocks_path = false;  ///< members below `path` would be written through the link
};

/// \param max_bytes  largest file that may be claimed, 0 for no bound.
/// \return unsafe_content, naming the member and the rule: absolute names other than the root,
/// "..",
///   names or parts too long to exist, devices and other special files, holes, claims above
///   `max_bytes`, hard links that are absolute or lead out.
Result<MemberDecision> decide(const TarMember& member, std::uint64_t max_bytes);

/// "./a//b/" -> "a/b"; "/" , "." and "" -> "". \return unsafe_content saying what is wrong with it.
Result<std::string> safe_path(std::string_view name);

/// The OID in "pg_tblspc/<oid>" or "pg_tblspc/<oid>/...", else "".
std::string_view tablespace_of(std::string_view path);

}  // namespace rad::wal_e
