// SQLite behind Result: one connection, statements that finalize themselves, transactions that roll
// themselves back. Not for use outside agent/store.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "agent/store/values.h"

struct sqlite3;
struct sqlite3_stmt;

namespace rad::store {

/// What a connection knows of its file.
struct Condition {
  std::string path;
  StoreTrouble trouble = StoreTrouble::none;  ///< of the last call that failed
};

/// One prepared statement; parameters and columns count from 1 and 0, as in SQLite. A failed bind
/// is remembered and comes out of step(). Must not outlive its Database.
class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::optional<std::int64_t> value);
  /// The value of a column of another statement, whatever its type.
  Statement& bind(int index, const Statement& row, int column);

  /// \return whether there is a row.
  Result<bool> step();
  /// Steps a statement that gives no rows to its end.
  Status run();
  /// Makes it ready to be run again; parameters keep their values.
  void reset();

  std::string text(int column) const;  ///< "" for NULL
  std::int64_t integer(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  Statement(sqlite3* connection, Condition* condition, sqlite3_stmt* statement);

  sqlite3* connection_;
  Condition* condition_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int failed_bind_ = 0;
};

/// One connection. Movable; closed by the destructor.
class Database {
 public:
  /// Opens or makes the file with mode 0600, in write-ahead mode with synchronous=EXTRA. \return
  /// also an error for a file that can only be read.
  static Result<Database> open(const std::filesystem::path& path, const StoreOptions& options,
                               StoreTrouble* trouble = nullptr);
  /// A database in memory, gone with the connection.
  static Result<Database> open_memory();
  /// Opens a file for reading alone, as whole as it can be had: with its write-ahead log and locks;
  /// with the log but without locks, for a file system that is read-only or full; without either.
  static Result<Database> open_reading(const std::filesystem::path& path);

  Result<Statement> prepare(std::string_view sql);
  /// Runs statements without parameters or rows.
  Status execute(const std::string& sql);
  Result<std::int64_t> query_integer(std::string_view sql);
  /// Rows changed by the last statement.
  int changes() const;
  const std::string& path() const noexcept { return condition_->path; }
  StoreTrouble trouble() const noexcept { return condition_->trouble; }
  void note(StoreTrouble trouble) noexcept { condition_->trouble = trouble; }
  /// Reads every page. \return an error if one is damaged.
  Status check();
  /// \return an error when the file or its log is not at its path any more. Asked by every
  /// Transaction.
  Status check_not_moved();

 private:
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* connection) const noexcept;
  };
  Database();
  Status connect(const std::string& uri, int flags, const StoreOptions& options);
  Status configure(const StoreOptions& options);
  Status enter_write_ahead_mode(std::chrono::milliseconds busy_timeout);

  std::unique_ptr<Condition> condition_;
  std::unique_ptr<sqlite3, Close> connection_;
  bool has_log_ = false;  ///< a write-ahead log lies beside the file as long as this is open
};

/// A write transaction: begun at once, so that two writers queue up instead of colliding at their
/// first write; rolled back unless commit() succeeded.
class Transaction {
 public:
  /// \return also an error when the file is not the one at its path any more.
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace rad::store
