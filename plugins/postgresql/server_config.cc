#include "plugins/postgresql/server_config.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace rad::postgresql {
namespace {

// A check uses one connection a worker; the rest is for the operator of a held instance.
constexpr unsigned kMinConnections = 40;
// Origins and slots named in the log need room in shared memory while it is replayed.
constexpr unsigned kReplicationSlots = 64;

class Conf {
 public:
  void set(std::string_view key, std::string_view value) {
    text_ += fmt::format("{} = {}\n", key, conf_quote(value));
  }
  void set(std::string_view key, std::uint64_t value) {
    text_ += fmt::format("{} = {}\n", key, value);
  }
  void add(std::string_view lines) { text_ += lines; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// An element of a setting that is a list of names.
std::string list_quote(std::string_view value) {
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"') quoted += c;
    quoted += c;
  }
  return quoted + '"';
}

void set_isolation(Conf& conf, const ServerSettings& settings) {
  conf.set("listen_addresses", "");
  conf.set("port", static_cast<std::uint64_t>(kPort));
  conf.set("unix_socket_directories", list_quote(settings.socket_dir.string()));
  conf.set("unix_socket_permissions", "0700");
  conf.set("ssl", "off");
  conf.set("bonjour", "off");
  conf.set("archive_mode", "off");
  conf.set("max_logical_replication_workers", std::uint64_t{0});
  conf.set("max_sync_workers_per_subscription", std::uint64_t{0});
  conf.set("shared_preload_libraries",
           fmt::format("{}", fmt::join(settings.preload_libraries, ",")));
  conf.set("session_preload_libraries", "");
  conf.set("local_preload_libraries", "");
  conf.set("restart_after_crash", "off");
}

void set_demanded(Conf& conf, const DataDirectory& data, const ControlData& control) {
  conf.set("max_connections", std::max(control.max_connections, kMinConnections));
  conf.set("max_worker_processes", std::max(control.max_worker_processes, 8U));
  conf.set("max_wal_senders", control.max_wal_senders);
  conf.set("max_prepared_transactions", control.max_prepared_transactions);
  conf.set("max_locks_per_transaction", control.max_locks_per_transaction);
  conf.set("max_replication_slots", kReplicationSlots);
  conf.set("track_commit_timestamp", control.track_commit_timestamp ? "on" : "off");
  conf.set("wal_level", "replica");
  conf.set("hot_standby", "off");
  if (data.major >= 12) conf.add(recovery_conf(data));
}

void set_throw_away(Conf& conf, const DataDirectory& data, const ServerSettings& settings) {
  conf.set("fsync", "off");
  conf.set("synchronous_commit", "off");
  conf.set("full_page_writes", "off");
  conf.set("autovacuum", "off");
  conf.set("jit", "off");
  conf.set("huge_pages", "off");
  // Below the data directory, so that nothing is left in /dev/shm whatever happens.
  conf.set("dynamic_shared_memory_type", "mmap");
  conf.set("shared_buffers", settings.shared_buffers);
  conf.set("maintenance_work_mem", "64MB");
  // Both must hold two segments at least, whatever initdb --wal-segsize was.
  const std::uint64_t segment_mib = data.wal_segment_bytes >> 20U;
  conf.set("min_wal_size", fmt::format("{}MB", 2 * segment_mib));
  conf.set("max_wal_size",
           fmt::format("{}MB", std::max(settings.max_wal_bytes >> 20U, 4 * segment_mib)));
  conf.set("checkpoint_timeout", "30min");
  conf.set("zero_damaged_pages", "off");
  conf.set("ignore_checksum_failure", "off");
  if (data.major >= 12) conf.set("wal_recycle", "off");
  if (data.major >= 12) conf.set("wal_init_zero", "off");
}

void set_logging(Conf& conf, const DataDirectory& data) {
  conf.set("logging_collector", "off");
  conf.set("log_destination", "stderr");
  conf.set("log_line_prefix", "%m [%p] ");
  conf.set("log_timezone", "UTC");
  conf.set("timezone", "UTC");
  conf.set("lc_messages", "C");
  conf.set("log_min_messages", "warning");
  // A statement may hold values; the log's tail goes into reports.
  conf.set("log_min_error_statement", "panic");
  conf.set("log_checkpoints", "off");
  conf.set("update_process_title", "on");
  if (data.major >= 15) conf.set("log_startup_progress_interval", "0");
}

}  // namespace

std::string conf_quote(std::string_view value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return quoted + "'";
}

std::string restore_command_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    line += '\'';
    for (const char c : word) {
      if (c == '\'') {
        line += "'\\''";
      } else if (c == '%') {
        line += "%%";
      } else {
        line += c;
      }
    }
    line += "' ";
  }
  return line + "\"%f\" \"%p\"";
}

std::string recovery_conf(const DataDirectory& data) {
  Conf conf;
  if (!data.restore_command.empty()) {
    conf.set("restore_command", restore_command_line(data.restore_command));
  }
  conf.set("recovery_target_timeline", "latest");
  conf.set("recovery_target_action", "promote");
  switch (data.recover_to.kind) {
    case RecoverTo::Kind::latest:
      break;
    case RecoverTo::Kind::immediate:
      conf.set("recovery_target", "immediate");
      break;
    case RecoverTo::Kind::time:
      conf.set("recovery_target_time", data.recover_to.value);
      break;
    case RecoverTo::Kind::lsn:
      conf.set("recovery_target_lsn", data.recover_to.value);
      break;
    case RecoverTo::Kind::name:
      conf.set("recovery_target_name", data.recover_to.value);
      break;
  }
  return conf.take();
}

std::string server_conf(const DataDirectory& data, const ControlData& control,
                        const ServerSettings& settings) {
  Conf conf;
  set_isolation(conf, settings);
  set_demanded(conf, data, control);
  set_throw_away(conf, data, settings);
  set_logging(conf, data);
  return conf.take();
}

std::string holding_conf(int major) {
  Conf conf;
  conf.set("hot_standby", "on");
  // One statement that takes too much memory must not end the instance for everybody.
  conf.set("restart_after_crash", "on");
  conf.set("unix_socket_permissions", "0777");
  conf.set("default_transaction_read_only", "on");
  conf.set("statement_timeout", std::uint64_t{0});
  conf.set("log_connections", "on");
  conf.set("log_disconnections", "on");
  conf.set("log_statement", "all");
  conf.set("log_line_prefix", "%m [%p] %u@%d %a ");
  // Values that travel beside a statement are nobody's business, not even the log's.
  if (major >= 13) conf.set("log_parameter_max_length", std::uint64_t{0});
  return conf.take();
}

std::string holding_hba_conf(const std::string& reader) {
  return fmt::format("local all {} trust\n", list_quote(reader));
}

std::string hba_conf() {
  return "local all all trust\n";
}

}  // namespace rad::postgresql
