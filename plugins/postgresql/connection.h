// One connection to a restored instance. The only user of libpq among the plugins.
//
// Every session starts with settings that win over what roles and databases bring along. All calls
// end soon after a stop is requested: the statement is cancelled at the server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <boost/system/result.hpp>

#include "agent/base/error.h"

namespace rad::postgresql {

/// Where a server listens. Source: the endpoint.
struct ServerAddress {
  std::string socket_dir;
  int port = 5432;
  std::string user;
  int major = 0;  ///< 0: unknown
};

struct SessionOptions {
  bool read_only = true;
  bool heap_scans = false;  ///< no plan that could leave a page of the table unread
  std::string search_path = "pg_catalog";
  std::uint64_t statement_timeout_ms = 0;  ///< 0: none
};

/// What the server or the way to it said.
struct SqlError {
  std::string sqlstate;  ///< five characters, "" if the server gave none
  std::string message;   ///< the server's primary message: may hold values, see sql_error.h
  bool lost = false;     ///< the connection is gone, or never was
  bool stopped = false;  ///< ended because a stop was requested
};
template <class T>
using SqlResult = boost::system::result<T, SqlError>;

struct Rows {
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::vector<std::uint32_t> types;  ///< OIDs of the columns' types
  bool cut = false;                  ///< there were more than `max_rows`
};

/// Movable; one thread at a time.
class Connection {
 public:
  /// Called a few times a second while a statement runs.
  using Tick = std::function<void()>;

  static SqlResult<Connection> open(const ServerAddress& address, const std::string& database,
                                    const SessionOptions& options, std::stop_token stop);
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  /// Exactly one statement (extended protocol), text results.
  SqlResult<Rows> query(const std::string& statement, const std::vector<std::string>& params = {},
                        std::size_t max_rows = SIZE_MAX, const Tick& tick = {});
  int backend_pid() const;
  /// `name` as an identifier, between double quotes.
  static std::string quote(std::string_view name);

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rad::postgresql
