#include "agent/run/hold_files.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/model/json.h"

namespace rad {
namespace fs = std::filesystem;
namespace bj = boost::json;

namespace {

constexpr std::size_t kMaxOrderBytes = 4U << 20U;  // an artifact fits into a line of the protocol

fs::path file_of(const AgentOptions& options, const std::string& run_id, const char* name) {
  return options.state_dir / "runs" / run_id / name;
}

/// One word for a POSIX shell.
std::string shell_word(const std::string& text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./").find(c) != std::string_view::npos;
  });
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

/// psql takes a name with '=' or a scheme for a whole connection string, which could lead anywhere.
std::string database_word(const std::string& database) {
  const bool plain = std::ranges::all_of(database, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  if (plain && !database.starts_with('-')) return database;
  std::string value = "dbname='";
  for (const char c : database) {
    if (c == '\'' || c == '\\') value += '\\';
    value += c;
  }
  return value + "'";
}

}  // namespace

bool is_run_id(std::string_view text) noexcept {
  return text.size() >= 8 && text.size() <= 64 && text.front() != '-' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-';
         });
}

Status write_hold_order(const AgentOptions& options, const HoldOrder& order) {
  const fs::path path = file_of(options, order.run_id, "hold.json");
  std::error_code ec;
  fs::create_directories(path.parent_path(), ec);
  const bj::object object{{"run_id", order.run_id},
                          {"target", order.target},
                          {"plugin", order.plugin},
                          {"options", order.options},
                          {"artifact", to_json(order.artifact)},
                          {"backup_version", order.backup_version}};
  return write_file_atomic(path, json::pretty(object), 0600);
}

Result<HoldOrder> read_hold_order(const AgentOptions& options, const std::string& run_id) {
  const fs::path path = file_of(options, run_id, "hold.json");
  RAD_TRY(const std::string text, read_file(path, kMaxOrderBytes));
  RAD_TRY(const bj::value value, json::parse(text, path.string(), Reason::config_invalid));
  if (!value.is_object()) {
    return fail(Reason::config_invalid, fmt::format("'{}' is no object", path.string()));
  }
  const bj::object& object = value.get_object();
  HoldOrder order;
  RAD_TRY(order.run_id, json::get_string(object, "run_id"));
  RAD_TRY(order.target, json::get_string(object, "target"));
  RAD_TRY(order.plugin, json::get_string(object, "plugin"));
  RAD_TRY(order.options, json::get_object(object, "options"));
  RAD_TRY(const bj::object artifact, json::get_object(object, "artifact"));
  RAD_TRY(order.artifact, artifact_from_json(artifact));
  RAD_TRY(order.backup_version, json::get_string(object, "backup_version", ""));
  if (order.run_id != run_id) {
    return fail(Reason::config_invalid,
                fmt::format("'{}' is of run '{}'", path.string(), printable(order.run_id, 80)));
  }
  return order;
}

void write_hold_failure(const AgentOptions& options, const std::string& run_id,
                        const std::string& why) noexcept {
  (void)write_file_atomic(file_of(options, run_id, "hold-failure"), why, 0600);
}

std::string read_hold_failure(const AgentOptions& options, const std::string& run_id) {
  const auto text = read_file(file_of(options, run_id, "hold-failure"), 64U << 10U);
  return text ? printable(*text) : "";
}

void forget_hold(const AgentOptions& options, const std::string& run_id) noexcept {
  std::error_code ec;
  for (const char* name : {"hold.json", "hold-failure", "hold.log"}) {
    fs::remove(file_of(options, run_id, name), ec);
  }
}

std::string psql_line(const Hold& hold) {
  if (hold.socket_dir.empty()) return "";
  return fmt::format("psql -h {} -p {} -U {} -d {}", shell_word(hold.socket_dir), hold.port,
                     shell_word(hold.user), shell_word(database_word(hold.database)));
}

}  // namespace rad
