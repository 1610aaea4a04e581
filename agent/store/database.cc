#include "agent/store/database.h"

#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "agent/base/text.h"
#include "agent/base/unique_fd.h"
#include "agent/store/sqlite_error.h"

namespace rad::store {
namespace {

/// A file up to this size is checked whole when it is opened: about a tenth of a second.
constexpr std::uintmax_t kCheckedWholeBytes = 32U << 20U;

/// How long the write-ahead log may stay once its content is in the file.
constexpr int kLogBytesKept = 4 << 20;

Error remember(Condition& condition, Diagnosis diagnosis) {
  condition.trouble = diagnosis.trouble;
  return std::move(diagnosis.error);
}

/// Makes the file before SQLite does, which would make it readable by all; its -wal and -shm files
/// take over this mode. A file that is there is not opened: closing it would drop the locks that
/// another Store of this process holds on it.
Status make_private(const std::filesystem::path& path) {
  const UniqueFd made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  std::error_code ignored;
  if (!made && std::filesystem::is_directory(path, ignored)) {
    return fail(Reason::host_unfit, fmt::format("store '{}' is a directory", path.string()),
                "move it aside, or set agent.state_dir to another directory", path.string());
  }
  return {};
}

/// A path as SQLite's URI: what has a meaning there is escaped.
std::string uri_of(const std::filesystem::path& path, std::string_view query) {
  // A path of two slashes would otherwise begin with the name of a host.
  std::string uri = path.is_absolute() ? "file://" : "file:";
  for (const char c : path.string()) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return fmt::format("{}?{}", uri, query);
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

Statement::Statement(sqlite3* connection, Condition* condition, sqlite3_stmt* statement)
    : connection_(connection), condition_(condition), statement_(statement) {}

Statement& Statement::bind(int index, std::string_view text) {
  const int code = sqlite3_bind_text64(statement_.get(), index, text.data() ? text.data() : "",
                                       text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) failed_bind_ = code;
  return *this;
}

Statement& Statement::bind(int index, std::int64_t value) {
  const int code = sqlite3_bind_int64(statement_.get(), index, value);
  if (code != SQLITE_OK) failed_bind_ = code;
  return *this;
}

Statement& Statement::bind(int index, std::optional<std::int64_t> value) {
  if (value) return bind(index, *value);
  const int code = sqlite3_bind_null(statement_.get(), index);
  if (code != SQLITE_OK) failed_bind_ = code;
  return *this;
}

Statement& Statement::bind(int index, const Statement& row, int column) {
  const int code = sqlite3_bind_value(statement_.get(), index,
                                      sqlite3_column_value(row.statement_.get(), column));
  if (code != SQLITE_OK) failed_bind_ = code;
  return *this;
}

Result<bool> Statement::step() {
  if (failed_bind_ != SQLITE_OK) {
    return remember(*condition_, diagnose(failed_bind_, connection_, condition_->path));
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = remember(
      *condition_, diagnose(sqlite3_extended_errcode(connection_), connection_, condition_->path));
  // A statement left in the middle would keep its transaction open.
  sqlite3_reset(statement_.get());
  return error;
}

Status Statement::run() {
  RAD_TRY(const bool row, step());
  if (row) {
    return fail(Reason::internal_error, "a statement of the store gave a row, none was expected");
  }
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

std::string Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_.get(), column);
  if (bytes == nullptr) return {};
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::optional<std::int64_t> Statement::optional_integer(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return integer(column);
}

void Database::Close::operator()(sqlite3* connection) const noexcept {
  sqlite3_close_v2(connection);
}

Database::Database() : condition_(std::make_unique<Condition>()) {}

Status Database::connect(const std::string& uri, int flags, const StoreOptions& options) {
  sqlite3* raw = nullptr;
  // One thread uses the connection, so its mutex would only cost.
  const int code = sqlite3_open_v2(uri.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
                                   options.vfs.empty() ? nullptr : options.vfs.c_str());
  connection_.reset(raw);
  if (code != SQLITE_OK) return remember(*condition_, diagnose(code, raw, path()));
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, static_cast<int>(options.busy_timeout.count()));
  // Whoever can write the file must not thereby choose what the agent computes.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // A mapped file turns an I/O error into SIGBUS; sorting must leave no files.
  return execute("PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;");
}

Status Database::configure(const StoreOptions& options) {
  if (sqlite3_db_readonly(connection_.get(), "main") == 1) {
    return remember(*condition_,
                    diagnose(SQLITE_READONLY, 0, "it can be read, not written", path()));
  }
  // A new file is made before there is a write-ahead log. EXTRA makes certain that the journal of
  // that is gone for good: one that came back after a power cut would undo all later work. In
  // write-ahead mode it is the same as FULL.
  RAD_CHECK(execute("PRAGMA synchronous=EXTRA"));
  // Only a file that is still empty takes this on; see make_incremental() for the others.
  RAD_TRY(const std::int64_t pages, query_integer("PRAGMA page_count"));
  if (pages == 0) RAD_CHECK(execute("PRAGMA auto_vacuum=INCREMENTAL"));
  RAD_CHECK(enter_write_ahead_mode(options.busy_timeout));
  has_log_ = options.vfs.empty();
  return execute(
      fmt::format("PRAGMA foreign_keys=ON; PRAGMA journal_size_limit={};", kLogBytesKept));
}

Result<Database> Database::open(const std::filesystem::path& path, const StoreOptions& options,
                                StoreTrouble* trouble) {
  Database database;
  database.condition_->path = path.string();
  const auto open = [&]() -> Status {
    if (options.vfs.empty()) {
      database.note(StoreTrouble::unreachable);
      RAD_CHECK(make_private(path));
      database.note(StoreTrouble::none);
    }
    RAD_CHECK(database.connect(uri_of(path, "mode=rwc"), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                               options));
    RAD_CHECK(database.configure(options));
    std::error_code ignored;
    const auto size = std::filesystem::file_size(path, ignored);
    if (options.check_whole || (!ignored && size <= kCheckedWholeBytes)) return database.check();
    return {};
  };
  const Status opened = open();
  if (trouble != nullptr) *trouble = database.trouble();
  if (!opened) {
    if (trouble != nullptr && *trouble == StoreTrouble::none) *trouble = StoreTrouble::other;
    return opened.error();
  }
  return database;
}

Result<Database> Database::open_memory() {
  Database database;
  database.condition_->path = ":memory:";
  RAD_CHECK(database.connect(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, {}));
  RAD_CHECK(database.execute("PRAGMA foreign_keys=ON"));
  return database;
}

Result<Database> Database::open_reading(const std::filesystem::path& path) {
  Error error;
  for (const char* query : {"mode=ro", "mode=ro&vfs=unix-none", "mode=ro&immutable=1"}) {
    Database database;
    database.condition_->path = path.string();
    const auto open = [&]() -> Status {
      RAD_CHECK(database.connect(uri_of(path, query), SQLITE_OPEN_READONLY, {}));
      // Without shared memory the index of the log is kept in ours, which needs the file for us
      // alone; where there are no locks that costs nothing.
      if (std::string_view(query) == "mode=ro&vfs=unix-none") {
        RAD_CHECK(database.execute("PRAGMA locking_mode=EXCLUSIVE"));
      }
      return database.query_integer("SELECT count(*) FROM sqlite_schema").has_value()
                 ? Status()
                 : fail(Reason::host_unfit, fmt::format("store '{}' cannot be read", path.string()),
                        {}, path.string());
    };
    const Status opened = open();
    if (opened) return database;
    error = opened.error();
  }
  return error;
}

Status Database::check() {
  RAD_TRY(auto check, prepare("PRAGMA quick_check(1)"));
  RAD_TRY(const bool row, check.step());
  if (row && check.text(0) != "ok") {
    return remember(*condition_,
                    diagnose(SQLITE_CORRUPT, 0, printable(check.text(0), 200), path()));
  }
  return {};
}

Status Database::enter_write_ahead_mode(std::chrono::milliseconds busy_timeout) {
  constexpr int kPauseMs = 20;
  // Changing the mode does not wait for other processes as everything else does.
  for (std::int64_t waited = 0;; waited += kPauseMs) {
    int code = SQLITE_OK;
    std::string mode;
    {
      sqlite3_stmt* raw = nullptr;
      code = sqlite3_prepare_v2(connection_.get(), "PRAGMA journal_mode=WAL", -1, &raw, nullptr);
      Statement statement(connection_.get(), condition_.get(), raw);
      if (code == SQLITE_OK) {
        code = sqlite3_step(raw);
        if (code == SQLITE_ROW) mode = statement.text(0);
      }
      if (code != SQLITE_ROW && code != SQLITE_DONE && (code & 0xff) != SQLITE_BUSY) {
        return remember(*condition_, diagnose(code, connection_.get(), path()));
      }
    }
    if (mode == "wal") return {};
    if ((code & 0xff) != SQLITE_BUSY) {
      return fail(Reason::host_unfit,
                  fmt::format("store '{}' cannot use a write-ahead log (its mode stays '{}')",
                              path(), mode),
                  "put the state directory on a local file system that can map shared memory",
                  path());
    }
    if (waited >= busy_timeout.count()) {
      return remember(*condition_, diagnose(code, connection_.get(), path()));
    }
    sqlite3_sleep(kPauseMs);
  }
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &raw, nullptr);
  if (code != SQLITE_OK) return remember(*condition_, diagnose(code, connection_.get(), path()));
  return Statement(connection_.get(), condition_.get(), raw);
}

Status Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) {
    return remember(*condition_, diagnose(sqlite3_extended_errcode(connection_.get()),
                                          connection_.get(), path()));
  }
  return {};
}

Result<std::int64_t> Database::query_integer(std::string_view sql) {
  RAD_TRY(auto statement, prepare(sql));
  RAD_TRY(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

int Database::changes() const {
  return sqlite3_changes(connection_.get());
}

Status Database::check_not_moved() {
  // SQLite asks this itself only where it makes a rollback journal.
  int moved = 0;
  const int code = sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  bool lost = code == SQLITE_OK && moved != 0;
  if (!lost && has_log_) {
    // Nobody removes the log of a connection that is open; others would begin a new one, and what
    // is in this one would be gone with the connection.
    std::error_code ignored;
    lost = std::filesystem::status(path() + "-wal", ignored).type() ==
           std::filesystem::file_type::not_found;
  }
  if (!lost) return {};
  return remember(*condition_, diagnose(SQLITE_READONLY_DBMOVED, 0,
                                        "what is written now would be lost", path()));
}

Result<Transaction> Transaction::begin(Database& database) {
  RAD_CHECK(database.execute("BEGIN IMMEDIATE"));
  Transaction transaction(database);
  RAD_CHECK(database.check_not_moved());
  return transaction;
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // Some errors (full disk) have rolled back already; a second time only gives an error.
  sqlite3_exec(database_->connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Status Transaction::commit() {
  RAD_CHECK(database_->execute("COMMIT"));
  database_->note(StoreTrouble::none);
  database_ = nullptr;
  return {};
}

}  // namespace rad::store
