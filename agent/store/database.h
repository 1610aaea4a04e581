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

struct sqlite3;
struct sqlite3_stmt;

namespace rad::store {

/// One prepared statement; parameters and columns count from 1 and 0, as in SQLite. A failed bind
/// is remembered and comes out of step(). Must not outlive its Database.
class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::optional<std::int64_t> value);

  /// \return whether there is a row.
  Result<bool> step();
  /// Steps a statement that gives no rows to its end.
  Status run();

  std::string text(int column) const;  ///< "" for NULL
  std::int64_t integer(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  Statement(sqlite3* connection, std::string path, sqlite3_stmt* statement);

  sqlite3* connection_;
  std::string path_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int failed_bind_ = 0;
};

/// One connection. Movable; closed by the destructor.
class Database {
 public:
  /// Opens or makes the file with mode 0600, in write-ahead mode with synchronous=FULL.
  static Result<Database> open(const std::filesystem::path& path,
                               std::chrono::milliseconds busy_timeout);

  Result<Statement> prepare(std::string_view sql);
  /// Runs statements without parameters or rows.
  Status execute(const std::string& sql);
  Result<std::int64_t> query_integer(std::string_view sql);
  /// Rows changed by the last statement.
  int changes() const;
  const std::string& path() const noexcept { return path_; }

 private:
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* connection) const noexcept;
  };
  Database() = default;
  Status enter_write_ahead_mode(std::chrono::milliseconds busy_timeout);

  std::string path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

/// A write transaction: begun at once, so that two writers queue up instead of colliding at their
/// first write; rolled back unless commit() succeeded.
class Transaction {
 public:
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
