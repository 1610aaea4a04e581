#include "plugins/postgresql/data_directory.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include <fmt/format.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "plugins/postgresql/lsn.h"

namespace rad::postgresql {
namespace {

namespace fs = std::filesystem;
namespace bj = boost::json;

constexpr std::size_t kMaxSuspects = 100'000;

Error bad(std::string_view key, std::string_view why) {
  return fail(Reason::plugin_protocol,
              fmt::format("artifact property '{}' {}", key, printable(why, 300)));
}

Result<RecoverTo> recover_to_from(const bj::object& properties) {
  RAD_TRY(const bj::object object, json::get_object(properties, "recover_to"));
  RAD_TRY(const std::string kind, json::get_string(object, "kind", "latest"));
  RecoverTo target;
  RAD_TRY(target.value, json::get_string(object, "value", ""));
  if (kind == "latest") return target;
  if (kind == "immediate") {
    target.kind = RecoverTo::Kind::immediate;
    return target;
  }
  if (target.value.empty() || target.value.find_first_of("\n\r\0", 0, 3) != std::string::npos) {
    return fail(Reason::config_invalid,
                fmt::format("recovery target '{}' needs a value on one line", kind));
  }
  if (kind == "time") {
    target.kind = RecoverTo::Kind::time;
    RAD_CHECK(parse_time(target.value));
  } else if (kind == "lsn") {
    target.kind = RecoverTo::Kind::lsn;
    if (!parse_lsn(target.value)) {
      return fail(Reason::config_invalid,
                  fmt::format("recovery target lsn '{}' is not of the form 0/721B598",
                              printable(target.value, 100)));
    }
  } else if (kind == "name") {
    target.kind = RecoverTo::Kind::name;
    // MAXFNAMELEN of PostgreSQL: longer names are refused by pg_create_restore_point too.
    if (target.value.size() > 63) {
      return fail(Reason::config_invalid, "recovery target name is longer than 63 bytes");
    }
  } else {
    return bad("recover_to.kind",
               fmt::format("is '{}', expected latest, immediate, time, lsn or name", kind));
  }
  return target;
}

Result<std::optional<ArchiveEnd>> archive_end_from(const bj::object& properties,
                                                   std::uint64_t segment_bytes) {
  const bj::value* found = properties.if_contains("archive_end");
  if (found == nullptr || found->is_null()) return std::optional<ArchiveEnd>{};
  RAD_TRY(const bj::object object, json::get_object(properties, "archive_end"));
  ArchiveEnd end;
  RAD_TRY(end.segment, json::get_string(object, "segment"));
  RAD_TRY(const std::uint64_t timeline, json::get_uint(object, "timeline"));
  RAD_TRY(const std::string lsn, json::get_string(object, "last_record_lsn"));
  RAD_TRY(end.clean, json::get_bool(object, "clean", true));
  if (!parse_segment(end.segment, segment_bytes)) {
    return bad("archive_end.segment", fmt::format("is '{}', no WAL segment name", end.segment));
  }
  const auto position = parse_lsn(lsn);
  if (!position) return bad("archive_end.last_record_lsn", fmt::format("is '{}', no LSN", lsn));
  end.last_record_lsn = *position;
  end.timeline = static_cast<std::uint32_t>(timeline);
  return std::optional<ArchiveEnd>{std::move(end)};
}

Result<std::vector<Tablespace>> tablespaces_from(const bj::object& properties) {
  RAD_TRY(const bj::array list, json::get_array(properties, "tablespaces"));
  std::vector<Tablespace> tablespaces;
  for (const bj::value& item : list) {
    if (!item.is_object()) return bad("tablespaces", "holds something that is no object");
    RAD_TRY(const std::string oid, json::get_string(item.get_object(), "oid"));
    RAD_TRY(const std::string path, json::get_string(item.get_object(), "path"));
    if (oid.empty() || oid.size() > 10 ||
        oid.find_first_not_of("0123456789") != std::string::npos) {
      return bad("tablespaces.oid", fmt::format("is '{}', expected a number", oid));
    }
    if (!fs::path(path).is_absolute()) {
      return bad("tablespaces.path", fmt::format("is '{}', expected an absolute path", path));
    }
    tablespaces.push_back({oid, fs::path(path).lexically_normal()});
  }
  return tablespaces;
}

Result<std::vector<SuspectPage>> suspects_from(const bj::object& properties) {
  RAD_TRY(const bj::array list, json::get_array(properties, "suspect_pages"));
  if (list.size() > kMaxSuspects) {
    return bad("suspect_pages",
               fmt::format("has {} entries, at most {}", list.size(), kMaxSuspects));
  }
  std::vector<SuspectPage> suspects;
  for (const bj::value& item : list) {
    if (!item.is_object()) return bad("suspect_pages", "holds something that is no object");
    SuspectPage page;
    RAD_TRY(page.path, json::get_string(item.get_object(), "path"));
    RAD_TRY(page.block, json::get_uint(item.get_object(), "block"));
    suspects.push_back(std::move(page));
  }
  return suspects;
}

Status lsn_property(const bj::object& properties, const char* key, std::string& value) {
  RAD_TRY(value, json::get_string(properties, key, ""));
  if (!value.empty() && !parse_lsn(value)) return bad(key, fmt::format("is '{}', no LSN", value));
  return {};
}

Error cannot(std::string_view what, const fs::path& path, const std::error_code& error) {
  return fail(Reason::host_unfit,
              fmt::format("cannot {} {}: {}", what, path.string(), error.message()),
              "the restored files must belong to the account that runs the plugin");
}

Status take_away(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) return cannot("remove", path, error);
  return {};
}

Status set_aside(const fs::path& path, const char* suffix) {
  std::error_code error;
  const auto status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (status.type() != fs::file_type::regular) return take_away(path);
  fs::rename(path, path.string() + suffix, error);
  if (error) return cannot("rename", path, error);
  return {};
}

Status empty_directory(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(path, error))) return {};
  for (const auto& entry : fs::directory_iterator(path, error)) {
    RAD_CHECK(remove_tree(entry.path()));
  }
  if (error) return cannot("read", path, error);
  return {};
}

bool is_known_tablespace(const DataDirectory& data, const std::string& oid, const fs::path& path) {
  return std::ranges::any_of(data.tablespaces, [&](const Tablespace& known) {
    return known.oid == oid && known.path == path.lexically_normal();
  });
}

Status check_links(const DataDirectory& data) {
  std::error_code error;
  if (fs::is_symlink(fs::symlink_status(data.path / "pg_wal", error))) {
    return fail(Reason::unsafe_content,
                "pg_wal is a symbolic link: recovery would write where it leads",
                "the restore plugin has to replace it by a directory", "pg_wal");
  }
  for (const auto& entry : fs::directory_iterator(data.path / "pg_tblspc", error)) {
    if (!entry.is_symlink(error)) continue;
    const fs::path to = fs::read_symlink(entry.path(), error);
    const std::string oid = entry.path().filename().string();
    if (error || !is_known_tablespace(data, oid, to)) {
      return fail(
          Reason::unsafe_content,
          fmt::format("pg_tblspc/{} leads to {}, which is none of the tablespaces that were "
                      "restored",
                      printable(oid, 40), printable(to.string(), 300)),
          "", "pg_tblspc/" + printable(oid, 40));
    }
  }
  return {};
}

// PostgreSQL re-creates the links from this file when it starts, whatever they are now.
Status check_tablespace_map(const DataDirectory& data) {
  const fs::path path = data.path / "tablespace_map";
  std::error_code error;
  const auto status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (status.type() != fs::file_type::regular) {
    return fail(Reason::unsafe_content, "tablespace_map is not a regular file", "",
                "tablespace_map");
  }
  RAD_TRY(const std::string text, read_file(path));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto space = line.find(' ');
    if (space == std::string::npos) continue;
    if (!is_known_tablespace(data, line.substr(0, space), line.substr(space + 1))) {
      return fail(
          Reason::unsafe_content,
          fmt::format("tablespace_map names '{}', which is none of the tablespaces that were "
                      "restored",
                      printable(line, 300)),
          "", "tablespace_map");
    }
  }
  return {};
}

}  // namespace

std::string RecoverTo::text() const {
  switch (kind) {
    case Kind::latest:
      return "latest";
    case Kind::immediate:
      return "immediate";
    case Kind::time:
      return "time " + value;
    case Kind::lsn:
      return "lsn " + value;
    case Kind::name:
      return "name " + value;
  }
  return "latest";
}

Result<DataDirectory> data_directory_from(const Artifact& artifact) {
  if (artifact.kind != kArtifactKind) {
    return fail(Reason::plugin_protocol, fmt::format("artifact is of kind '{}', expected {}",
                                                     printable(artifact.kind, 60), kArtifactKind));
  }
  DataDirectory data;
  data.path = artifact.path;
  if (!data.path.is_absolute()) return bad("path", "is not absolute");
  const bj::object& properties = artifact.properties;
  RAD_TRY(const std::int64_t major, json::get_int(properties, "major", 0));
  if (major < 0 || major > 1000) return bad("major", "is out of range");
  data.major = static_cast<int>(major);
  RAD_TRY(data.system_identifier, json::get_string(properties, "system_identifier", ""));
  RAD_TRY(data.tablespaces, tablespaces_from(properties));
  RAD_TRY(const bj::array command, json::get_array(properties, "restore_command"));
  for (const bj::value& word : command) {
    if (!word.is_string()) return bad("restore_command", "is not a list of strings");
    data.restore_command.emplace_back(word.get_string());
    if (data.restore_command.back().find_first_of("\n\r\0", 0, 3) != std::string::npos) {
      return bad("restore_command", "holds a line end");
    }
  }
  RAD_CHECK(lsn_property(properties, "backup_start_lsn", data.backup_start_lsn));
  RAD_CHECK(lsn_property(properties, "backup_stop_lsn", data.backup_stop_lsn));
  RAD_TRY(data.offline, json::get_bool(properties, "offline", false));
  RAD_TRY(data.recover_to, recover_to_from(properties));
  RAD_TRY(data.wal_segment_bytes, json::get_uint(properties, "wal_segment_bytes", 16U << 20U));
  if (!valid_segment_bytes(data.wal_segment_bytes)) {
    return bad(
        "wal_segment_bytes",
        fmt::format("is {}, expected a power of two from 1 MiB to 1 GiB", data.wal_segment_bytes));
  }
  RAD_TRY(data.archive_end, archive_end_from(properties, data.wal_segment_bytes));
  RAD_TRY(data.suspects, suspects_from(properties));
  RAD_TRY(data.suspects_cut, json::get_bool(properties, "suspect_pages_cut", false));
  return data;
}

Result<int> data_directory_major(const fs::path& path) {
  const auto text = read_file(path / "PG_VERSION", 64);
  if (!text) {
    return fail(Reason::metadata_invalid, "the restored data directory has no readable PG_VERSION",
                "", "PG_VERSION");
  }
  int major = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), major);
  const std::string_view rest(end, static_cast<std::size_t>(text->data() + text->size() - end));
  if (error != std::errc{} || rest.find_first_not_of(" \n") != std::string_view::npos) {
    return fail(Reason::metadata_invalid,
                fmt::format("PG_VERSION holds '{}', expected a major version such as 15",
                            printable(*text, 40)),
                "", "PG_VERSION");
  }
  return major;
}

Status prepare_data_directory(const DataDirectory& data) {
  if (::chmod(data.path.c_str(), 0700) != 0) {
    return cannot("change the mode of", data.path, std::error_code(errno, std::generic_category()));
  }
  RAD_CHECK(check_links(data));
  RAD_CHECK(check_tablespace_map(data));
  for (const char* name : {"postmaster.pid", "postmaster.opts", "standby.signal", "recovery.signal",
                           "recovery.done", "promote", "fallback_promote", "current_logfiles"}) {
    RAD_CHECK(take_away(data.path / name));
  }
  for (const char* name : {"postgresql.auto.conf", "recovery.conf"}) {
    RAD_CHECK(set_aside(data.path / name, ".from-backup"));
  }
  // A slot from the backup would keep WAL for ever, or refuse to start below wal_level=logical.
  return empty_directory(data.path / "pg_replslot");
}

}  // namespace rad::postgresql
