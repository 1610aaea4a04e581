#include "agent/store/database.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "agent/base/text.h"
#include "agent/base/unique_fd.h"

namespace rad::store {
namespace {

/// A file up to this size is checked whole when it is opened: about a tenth of a second.
constexpr std::uintmax_t kCheckedWholeBytes = 32U << 20U;

Error sqlite_error(int code, std::string_view text, const std::string& path) {
  const std::string what = fmt::format("store '{}'", path);
  const std::string moved_aside = fmt::format(
      "move '{0}', '{0}-wal' and '{0}-shm' aside and start again: the history of runs begins anew",
      path);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(Reason::host_unfit, fmt::format("{} is damaged: {}", what, text), moved_aside,
                  path);
    case SQLITE_FULL:
      return fail(Reason::host_unfit, fmt::format("{} cannot grow: {}", what, text),
                  "make space on the file system of the state directory", path);
    case SQLITE_READONLY:
      return fail(Reason::host_unfit, fmt::format("{} is read-only: {}", what, text),
                  "give the agent's user write access to the file and its directory, and see that "
                  "the file system is mounted read-write",
                  path);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return fail(Reason::host_unfit, fmt::format("{} cannot be opened: {}", what, text),
                  "see that its directory exists and belongs to the agent's user", path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: {
      Error error =
          fail(Reason::host_unfit, fmt::format("{} is held by another process: {}", what, text),
               fmt::format("`fuser -v {}` shows which", path), path);
      error.retryable = true;
      return error;
    }
    case SQLITE_IOERR:
      return fail(Reason::host_unfit, fmt::format("{} has an I/O error: {}", what, text),
                  "see the kernel's log for the disk of the state directory, and its free space",
                  path);
    case SQLITE_NOMEM:
      return fail(Reason::out_of_memory, fmt::format("{}: {}", what, text), {}, path);
    default:
      return fail(Reason::internal_error, fmt::format("{}: {} (code {})", what, text, code), {},
                  path);
  }
}

Error sqlite_error(int code, sqlite3* connection, const std::string& path) {
  // errmsg is about the last call of the connection, which need not be the one that gave `code`.
  const bool same = connection != nullptr && sqlite3_errcode(connection) == (code & 0xff);
  std::string text = same ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  if (connection != nullptr) {
    if (const int number = sqlite3_system_errno(connection);
        number != 0 && ((code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_IOERR)) {
      text += fmt::format(" ({})", std::strerror(number));
    }
  }
  return sqlite_error(code, text, path);
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

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

Statement::Statement(sqlite3* connection, std::string path, sqlite3_stmt* statement)
    : connection_(connection), path_(std::move(path)), statement_(statement) {}

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

Result<bool> Statement::step() {
  if (failed_bind_ != SQLITE_OK) return sqlite_error(failed_bind_, connection_, path_);
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = sqlite_error(sqlite3_extended_errcode(connection_), connection_, path_);
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

Result<Database> Database::open(const std::filesystem::path& path,
                                std::chrono::milliseconds busy_timeout) {
  RAD_CHECK(make_private(path));
  Database database;
  database.path_ = path.string();
  sqlite3* raw = nullptr;
  // One thread uses the connection, so its mutex would only cost.
  const int code =
      sqlite3_open_v2(path.c_str(), &raw,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  database.connection_.reset(raw);
  if (code != SQLITE_OK) return sqlite_error(code, raw, database.path_);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, static_cast<int>(busy_timeout.count()));
  // Whoever can write the file must not thereby choose what the agent computes.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);

  RAD_CHECK(database.enter_write_ahead_mode(busy_timeout));
  RAD_CHECK(database.execute("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"));
  std::error_code ignored;
  if (const auto size = std::filesystem::file_size(path, ignored);
      !ignored && size <= kCheckedWholeBytes) {
    RAD_TRY(auto check, database.prepare("PRAGMA quick_check(1)"));
    RAD_TRY(const bool row, check.step());
    if (row && check.text(0) != "ok") {
      return sqlite_error(SQLITE_CORRUPT, printable(check.text(0), 200), database.path_);
    }
  }
  return database;
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
      Statement statement(connection_.get(), path_, raw);
      if (code == SQLITE_OK) {
        code = sqlite3_step(raw);
        if (code == SQLITE_ROW) mode = statement.text(0);
      }
      if (code != SQLITE_ROW && code != SQLITE_DONE && (code & 0xff) != SQLITE_BUSY) {
        return sqlite_error(code, connection_.get(), path_);
      }
    }
    if (mode == "wal") return {};
    if ((code & 0xff) != SQLITE_BUSY) {
      return fail(
          Reason::host_unfit,
          fmt::format("store '{}' cannot use a write-ahead log (its mode stays '{}')", path_, mode),
          "put the state directory on a local file system that can map shared memory", path_);
    }
    if (waited >= busy_timeout.count()) return sqlite_error(code, connection_.get(), path_);
    sqlite3_sleep(kPauseMs);
  }
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &raw, nullptr);
  if (code != SQLITE_OK) return sqlite_error(code, connection_.get(), path_);
  return Statement(connection_.get(), path_, raw);
}

Status Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) {
    return sqlite_error(sqlite3_extended_errcode(connection_.get()), connection_.get(), path_);
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

Result<Transaction> Transaction::begin(Database& database) {
  RAD_CHECK(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
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
  database_ = nullptr;
  return {};
}

}  // namespace rad::store
