#include "plugins/postgresql/instance.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "agent/base/files.h"
#include "agent/base/text.h"
#include "plugins/postgresql/server_binaries.h"
#include "plugins/postgresql/sql_error.h"
#include "plugins/postgresql/superuser.h"

namespace rad::postgresql {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kPoll{50};
constexpr std::chrono::milliseconds kStopPatience{10'000};
// A clean shutdown writes what shared buffers hold, to a disk that may be slow.
constexpr std::chrono::minutes kCleanStopPatience{10};
constexpr std::size_t kMaxLogBytes = 64U << 20U;

Error stopped() {
  return fail(Reason::cancelled, "stopped on request");
}

Status make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return fail(Reason::host_unfit,
                fmt::format("cannot create {}: {}", path.string(), error.message()));
  }
  fs::permissions(path, fs::perms::owner_all, error);
  return {};
}

// The newest history file: recovery gives its own new timeline a number above all others.
std::string newest_history(const fs::path& wal_dir) {
  std::string newest;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(wal_dir, error)) {
    const std::string name = entry.path().filename().string();
    if (name.size() == 16 && name.ends_with(".history")) newest = std::max(newest, name);
  }
  return newest;
}

}  // namespace

Instance::Instance(DataDirectory data, InstanceOptions options)
    : data_(std::move(data)), options_(std::move(options)) {}

Instance::~Instance() {
  shut_down();
}

Result<std::unique_ptr<Instance>> Instance::start(DataDirectory data, InstanceOptions options,
                                                  sdk::Context& context) {
  std::unique_ptr<Instance> instance(new Instance(std::move(data), std::move(options)));
  RAD_CHECK(instance->prepare());
  RAD_CHECK(instance->launch("recovering", context));
  RAD_CHECK(instance->read_recovery_end());
  RAD_CHECK(instance->find_superuser(context));
  return instance;
}

Status Instance::prepare() {
  RAD_TRY(const int major, data_directory_major(data_.path));
  if (data_.major != 0 && data_.major != major) {
    return fail(Reason::metadata_invalid,
                fmt::format("PG_VERSION says {}, the backup says {}", major, data_.major), "",
                "PG_VERSION");
  }
  data_.major = major;
  RAD_TRY(files_.bin_dir, find_bin_dir(options_.bin_dirs, major));
  files_.data_dir = data_.path;
  files_.config_dir = options_.scratch_dir / "conf";
  files_.log_file = options_.scratch_dir / "server.log";
  options_.settings.socket_dir = options_.runtime_dir / "s";
  RAD_TRY(control_, read_control_data(files_.bin_dir, data_.path));
  if (!data_.system_identifier.empty() && data_.system_identifier != control_.system_identifier) {
    return fail(Reason::metadata_invalid,
                fmt::format("pg_control has system identifier {}, the backup's WAL has {}",
                            printable(control_.system_identifier, 30),
                            printable(data_.system_identifier, 30)),
                "", "global/pg_control");
  }
  data_.wal_segment_bytes = valid_segment_bytes(control_.wal_segment_bytes)
                                ? control_.wal_segment_bytes
                                : data_.wal_segment_bytes;
  RAD_CHECK(prepare_data_directory(data_));
  RAD_CHECK(make_directory(files_.config_dir));
  RAD_CHECK(make_directory(options_.settings.socket_dir));
  RAD_CHECK(write_file_atomic(files_.config_dir / "postgresql.conf",
                              server_conf(data_, control_, options_.settings), 0600));
  RAD_CHECK(write_file_atomic(files_.config_dir / "pg_hba.conf", hba_conf(), 0600));
  RAD_CHECK(write_file_atomic(files_.config_dir / "pg_ident.conf", "", 0600));
  if (!data_.restore_command.empty()) {
    const bool old = data_.major < 12;
    RAD_CHECK(write_file_atomic(data_.path / (old ? "recovery.conf" : "recovery.signal"),
                                old ? recovery_conf(data_) : "", 0600));
  }
  if (!control_.data_checksums) {
    findings_.push_back(
        {"data_checksums_off",
         "the cluster was made without data checksums: damaged pages are found only "
         "where their structure shows it",
         ""});
  }
  return {};
}

Status Instance::launch(std::string_view doing, sdk::Context& context) {
  end_.reset();
  server_.reset();
  std::error_code error;
  log_start_ = fs::file_size(files_.log_file, error);
  if (error) log_start_ = 0;
  RAD_TRY(Server server, Server::start(files_));
  server_.emplace(std::move(server));
  return wait_until_ready(doing, context);
}

Status Instance::wait_until_ready(std::string_view doing, sdk::Context& context) {
  const auto stop = context.stop_token();
  while (!server_->ready()) {
    report_replay(context);
    if (stop.stop_requested()) {
      shut_down();
      return stopped();
    }
    if (const auto status = server_->wait_for_end(kPoll)) {
      end_ = status;
      return classify_server_end(log(), *status, doing);
    }
  }
  return {};
}

void Instance::report_replay(sdk::Context& context) {
  const auto now = parse_segment(server_->segment_in_replay(), data_.wal_segment_bytes);
  const auto first =
      parse_lsn(data_.backup_start_lsn.empty() ? control_.checkpoint_lsn : data_.backup_start_lsn);
  if (!now || !first) return;
  const std::uint64_t first_number = *first / data_.wal_segment_bytes;
  if (now->number < first_number) return;
  replayed_bytes_ =
      std::max(replayed_bytes_, (now->number - first_number) * data_.wal_segment_bytes);
  std::uint64_t total = 0;
  if (data_.archive_end && data_.recover_to.kind == RecoverTo::Kind::latest) {
    const auto last = parse_segment(data_.archive_end->segment, data_.wal_segment_bytes);
    if (last && last->number >= now->number) {
      total = (last->number + 1 - first_number) * data_.wal_segment_bytes;
    }
  }
  context.progress(replayed_bytes_, total,
                   "replaying WAL " + format_segment(*now, data_.wal_segment_bytes));
}

Status Instance::read_recovery_end() {
  recovery_.log = parse_recovery_log(log(), data_.wal_segment_bytes);
  if (recovery_.log.archive_recovery) {
    const fs::path wal = data_.path / "pg_wal";
    const auto text = read_file(wal / newest_history(wal));
    const auto history = parse_history(text ? *text : "");
    if (history.empty()) {
      return fail(Reason::internal_error,
                  "recovery has ended, but the new timeline's history file cannot be read");
    }
    recovery_.lsn = history.back().lsn;
    recovery_.reason = history.back().reason;
    recovery_.point.timeline = history.back().timeline;
    const auto followed = read_file(wal / fmt::format("{:08X}.history", recovery_.point.timeline));
    recovery_.replaced_segment = replaced_segment(
        recovery_, parse_history(followed ? *followed : ""), data_.wal_segment_bytes);
  } else {
    RAD_TRY(const ControlData now, read_control_data(files_.bin_dir, data_.path));
    recovery_.lsn = parse_lsn(now.checkpoint_lsn).value_or(0);
    recovery_.point.timeline = now.timeline;
  }
  if (!recovery_.log.missing_status_files.empty()) {
    findings_.push_back({"status_file_missing",
                         "recovery missed a file of transaction status and went on without: " +
                             recovery_.log.missing_status_files.front(),
                         ""});
  }
  recovery_.point.lsn = format_lsn(recovery_.lsn);
  recovery_.point.last_transaction = recovery_.log.last_transaction;
  return {};
}

Result<bool> Instance::try_superuser(const std::string& user, const std::string& database,
                                     sdk::Context& context) {
  address_ = {options_.settings.socket_dir.string(), kPort, user, data_.major};
  auto connection = Connection::open(address_, database, {}, context.stop_token());
  if (!connection) {
    if (connection.error().stopped) return stopped();
    if (!running()) return why_it_ended();
    const Reason reason = sql_reason(connection.error());
    // The cluster's own troubles are final; a role or database that is not there is not.
    if (reason != Reason::check_error) {
      return sql_failure(connection.error(), "cannot connect to the restored instance");
    }
    return false;
  }
  auto rows = connection->query(kSuperuserQuery);
  if (!rows) return sql_failure(rows.error(), "cannot read the catalog of roles", "pg_authid");
  if (rows->rows.empty() || !rows->rows[0][0] || !rows->rows[0][1] || !rows->rows[0][2]) {
    return fail(Reason::start_failed, "the catalog of roles has no role with OID 10", "",
                "pg_authid");
  }
  address_.user = *rows->rows[0][0];
  return *rows->rows[0][1] == "t" && *rows->rows[0][2] == "t";
}

Status Instance::find_superuser(sdk::Context& context) {
  for (const char* database : {"postgres", "template1"}) {
    RAD_TRY(const bool found, try_superuser("postgres", database, context));
    if (found) return {};
  }
  return find_superuser_alone(context);
}

Status Instance::find_superuser_alone(sdk::Context& context) {
  RAD_CHECK(stop_for_maintenance());
  std::string output;
  Error first_error;
  for (const char* database : {"template1", "postgres", "template0"}) {
    auto result = run_single_user(files_, database, single_user_commands());
    if (result) {
      output = *std::move(result);
      break;
    }
    first_error = std::move(result).error();
  }
  if (output.empty()) return std::move(first_error).within("looking for the superuser");
  RAD_TRY(const std::string name, superuser_in(output));
  RAD_TRY(const std::string rights, superuser_rights_command(output, name));
  if (!rights.empty()) {
    RAD_CHECK(run_single_user(files_, "template1", rights));
    findings_.push_back(
        {"superuser_changed",
         "the role with OID 10 could not log in as a superuser; in the test instance "
         "it now can",
         name});
  }
  RAD_CHECK(launch("starting again", context));
  for (const char* database : {"template1", "postgres"}) {
    RAD_TRY(const bool found, try_superuser(name, database, context));
    if (found) return {};
  }
  return fail(Reason::start_failed,
              "neither template1 nor postgres takes connections of the superuser");
}

Endpoint Instance::endpoint() const {
  Endpoint endpoint;
  endpoint.kind = "postgresql";
  endpoint.properties["socket_dir"] = address_.socket_dir;
  endpoint.properties["port"] = address_.port;
  endpoint.properties["user"] = address_.user;
  endpoint.properties["major"] = address_.major;
  if (!database_.empty()) endpoint.properties["database"] = database_;
  endpoint.properties["pid"] = server_ ? server_->pid() : 0;
  return endpoint;
}

bool Instance::running() {
  if (!server_) return false;
  if (const auto status = server_->wait_for_end(std::chrono::milliseconds(0))) end_ = status;
  return !end_;
}

bool Instance::is_ending() {
  constexpr std::chrono::milliseconds kStep{50};
  while (running() && end_patience_.count() > 0) {
    end_patience_ -= kStep;
    if (const auto status = server_->wait_for_end(kStep)) end_ = status;
  }
  return !running();
}

Error Instance::why_it_ended() {
  Error error = classify_server_end(log(), end_.value_or(ExitStatus{}), "it was being checked");
  const bool blames_backup = info(error.reason).blame == Blame::backup;
  if ((blames_backup && !blames_data(log())) || error.reason == Reason::host_unfit) {
    error.reason = Reason::check_error;
  }
  return error;
}

Status Instance::stop_for_maintenance() {
  if (!running()) return why_it_ended();
  const ExitStatus status = server_->stop(kCleanStopPatience);
  server_.reset();
  if (!status.ok()) {
    Error error =
        fail(Reason::check_error,
             fmt::format("the test instance did not shut down cleanly ({})", status.text()));
    error.detail = log_tail(log());
    return error;
  }
  return {};
}

Status Instance::start_again(sdk::Context& context) {
  return launch("starting again", context);
}

void Instance::shut_down() {
  if (server_) end_ = server_->stop(kStopPatience);
  server_.reset();
}

std::string Instance::log() const {
  auto text = read_file(files_.log_file, kMaxLogBytes);
  return text && text->size() >= log_start_ ? text->substr(log_start_) : std::string{};
}

}  // namespace rad::postgresql
