#include "plugins/wal_e/data_directory.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/files.h"

namespace rad::wal_e {
namespace {

namespace fs = std::filesystem;

Error trouble(std::string_view what, const fs::path& path, int code) {
  const bool full = code == ENOSPC || code == EDQUOT;
  return fail(full ? Reason::scratch_full : Reason::host_unfit,
              fmt::format("cannot {} '{}': {}", what, path.string(), std::strerror(code)),
              full ? "free space in scratch_dir" : "", path.string());
}

bool is_there(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

Status make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return trouble("create directory", path, errno);
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  return trouble("create directory", path, ENOTDIR);
}

Status replace_by_empty_directory(const fs::path& path) {
  if (is_there(path)) RAD_CHECK(remove_tree(path));
  return make_directory(path);
}

Status link_tablespaces(const fs::path& data, const std::map<std::string, fs::path>& tablespaces) {
  const fs::path links = data / "pg_tblspc";
  RAD_CHECK(replace_by_empty_directory(links));
  std::string map;
  for (const auto& [oid, directory] : tablespaces) {
    const fs::path link = links / oid;
    if (::symlink(directory.c_str(), link.c_str()) != 0) return trouble("create link", link, errno);
    // The server reads "oid path" lines with backslash before newline, return and backslash.
    map += oid + " ";
    for (const char c : directory.string()) {
      if (c == '\n' || c == '\r' || c == '\\') map += '\\';
      map += c;
    }
    map += '\n';
  }
  const fs::path map_file = data / "tablespace_map";
  if (!is_there(map_file)) return {};
  if (!map.empty()) return write_file_atomic(map_file, map, 0600);
  if (::unlink(map_file.c_str()) != 0) return trouble("remove", map_file, errno);
  return {};
}

Status remove_strays(const fs::path& data) {
  constexpr std::array kStrays{"standby.signal",   "recovery.signal",
                               "recovery.conf",    "recovery.done",
                               "postmaster.pid",   "postmaster.opts",
                               "promote",          "fallback_promote",
                               "current_logfiles", "postgresql.auto.conf.from-backup"};
  for (const char* name : kStrays) {
    if (is_there(data / name)) RAD_CHECK(remove_tree(data / name));
  }
  const fs::path settings = data / "postgresql.auto.conf";
  const fs::path aside = data / "postgresql.auto.conf.from-backup";
  if (is_there(settings) && ::rename(settings.c_str(), aside.c_str()) != 0) {
    return trouble("set aside", settings, errno);
  }
  return {};
}

Status make_skeleton(const fs::path& data) {
  constexpr std::array kDirectories{"base",
                                    "global",
                                    "pg_commit_ts",
                                    "pg_dynshmem",
                                    "pg_logical",
                                    "pg_logical/snapshots",
                                    "pg_logical/mappings",
                                    "pg_multixact",
                                    "pg_multixact/members",
                                    "pg_multixact/offsets",
                                    "pg_notify",
                                    "pg_serial",
                                    "pg_snapshots",
                                    "pg_stat",
                                    "pg_stat_tmp",
                                    "pg_subtrans",
                                    "pg_twophase",
                                    "pg_xact"};
  for (const char* name : kDirectories) RAD_CHECK(make_directory(data / name));
  return {};
}

}  // namespace

Status put_right(const fs::path& data, const std::map<std::string, fs::path>& tablespaces) {
  // Before version 10 the directory of WAL has another name, which the server insists on.
  const fs::path wal = is_there(data / "pg_xlog") ? data / "pg_xlog" : data / "pg_wal";
  RAD_CHECK(replace_by_empty_directory(wal));
  RAD_CHECK(make_directory(wal / "archive_status"));
  RAD_CHECK(replace_by_empty_directory(data / "pg_replslot"));
  RAD_CHECK(link_tablespaces(data, tablespaces));
  RAD_CHECK(remove_strays(data));
  if (wal.filename() == "pg_wal") RAD_CHECK(make_skeleton(data));
  if (::chmod(data.c_str(), 0700) != 0) return trouble("set the mode of", data, errno);
  return {};
}

}  // namespace rad::wal_e
