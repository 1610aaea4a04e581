#include "plugins/postgresql/connection.h"

#include <array>
#include <chrono>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

namespace rad::postgresql {
namespace {

constexpr int kTickMs = 100;
constexpr std::chrono::seconds kCancelPatience{3};
constexpr std::chrono::seconds kConnectLimit{60};

struct CloseConnection {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using ConnectionHandle = std::unique_ptr<PGconn, CloseConnection>;
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;

std::string trimmed(const char* text) {
  std::string message = text == nullptr ? "" : text;
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  return message;
}

// Blanks and backslashes end a word of the startup option "options".
std::string escape_option(std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == ' ' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string session_settings(const SessionOptions& options, int major) {
  std::string text;
  const auto set = [&](std::string_view key, std::string_view value) {
    text += fmt::format("-c {}={} ", key, escape_option(value));
  };
  set("statement_timeout", std::to_string(options.statement_timeout_ms));
  set("lock_timeout", "0");
  set("idle_in_transaction_session_timeout", "0");
  if (major >= 14) set("idle_session_timeout", "0");
  if (major >= 17) set("transaction_timeout", "0");
  if (major >= 17) set("event_triggers", "off");
  set("session_preload_libraries", "");
  set("local_preload_libraries", "");
  set("search_path", options.search_path);
  set("role", "none");
  set("row_security", "off");
  set("timezone", "UTC");
  set("datestyle", "ISO");
  set("client_min_messages", "error");
  // Errors come to the client; in the log their texts could hold values.
  set("log_min_messages", "fatal");
  set("default_transaction_read_only", options.read_only ? "on" : "off");
  if (options.heap_scans) {
    for (const char* plan : {"enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"}) {
      set(plan, "off");
    }
  }
  if (!options.read_only) set("session_replication_role", "replica");
  return text;
}

SqlError lost(std::string message) {
  return {.sqlstate = "", .message = std::move(message), .lost = true, .stopped = false};
}

// A failed connection has no result, so there is no SQLSTATE. "FATAL:  " means that a server has
// answered; what it says while it stops is as good as no answer.
SqlError connect_error(PGconn* connection) {
  SqlError error = lost(trimmed(PQerrorMessage(connection)));
  const auto at = error.message.find("FATAL:  ");
  if (at == std::string::npos) return error;
  error.message = error.message.substr(at + 8);
  error.lost = error.message.starts_with("the database system is ") ||
               error.message.starts_with("terminating connection");
  return error;
}

bool wait_for_socket(PGconn* connection, short events) {
  pollfd entry{PQsocket(connection), events, 0};
  return ::poll(&entry, 1, kTickMs) > 0;
}

}  // namespace

struct Connection::Impl {
  ConnectionHandle connection;
  std::stop_token stop;

  void cancel_statement() const {
    PGcancel* cancel = PQgetCancel(connection.get());
    if (cancel == nullptr) return;
    std::array<char, 256> text{};
    PQcancel(cancel, text.data(), static_cast<int>(text.size()));
    PQfreeCancel(cancel);
  }

  /// Waits until a result can be taken without blocking. False: lost, or stop and no answer.
  bool wait_for_result(const Tick& tick, bool& stopped) {
    std::optional<std::chrono::steady_clock::time_point> give_up;
    while (PQisBusy(connection.get()) != 0) {
      if (stop.stop_requested() && !give_up) {
        stopped = true;
        give_up = std::chrono::steady_clock::now() + kCancelPatience;
        cancel_statement();
      }
      if (give_up && std::chrono::steady_clock::now() > *give_up) return false;
      wait_for_socket(connection.get(), POLLIN);
      if (PQconsumeInput(connection.get()) == 0) return false;
      if (tick) tick();
    }
    return true;
  }

  SqlResult<Rows> collect(std::size_t max_rows, const Tick& tick);
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

SqlResult<Connection> Connection::open(const ServerAddress& address, const std::string& database,
                                       const SessionOptions& options, std::stop_token stop) {
  const std::string port = std::to_string(address.port);
  const std::string settings = session_settings(options, address.major);
  const std::array<const char*, 11> keys{"host",     "port",       "user",
                                         "dbname",   "options",    "application_name",
                                         "sslmode",  "gssencmode", "client_encoding",
                                         "passfile", nullptr};
  const std::array<const char*, 11> values{address.socket_dir.c_str(),
                                           port.c_str(),
                                           address.user.c_str(),
                                           database.c_str(),
                                           settings.c_str(),
                                           "rad-agent",
                                           "disable",
                                           "disable",
                                           "UTF8",
                                           "/nonexistent",
                                           nullptr};
  auto impl = std::make_unique<Impl>();
  impl->stop = std::move(stop);
  impl->connection.reset(PQconnectStartParams(keys.data(), values.data(), 0));
  PGconn* connection = impl->connection.get();
  if (connection == nullptr) return lost("out of memory");
  const auto limit = std::chrono::steady_clock::now() + kConnectLimit;
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED || PQstatus(connection) == CONNECTION_BAD) {
      return connect_error(connection);
    }
    if (impl->stop.stop_requested()) {
      return SqlError{.sqlstate = "", .message = "stopped", .lost = true, .stopped = true};
    }
    if (std::chrono::steady_clock::now() > limit) return lost("no answer within 60 s");
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (wait_for_socket(connection, events)) state = PQconnectPoll(connection);
  }
  return Connection(std::move(impl));
}

SqlResult<Rows> Connection::Impl::collect(std::size_t max_rows, const Tick& tick) {
  Rows rows;
  std::optional<SqlError> error;
  bool stopped = false;
  for (;;) {
    if (!wait_for_result(tick, stopped)) {
      SqlError gone = lost(trimmed(PQerrorMessage(connection.get())));
      gone.stopped = stopped;
      connection.reset();
      return gone;
    }
    const ResultHandle result(PQgetResult(connection.get()));
    if (!result) break;
    const ExecStatusType status = PQresultStatus(result.get());
    const int columns = PQnfields(result.get());
    if (status == PGRES_FATAL_ERROR && !rows.cut) {
      const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
      error =
          SqlError{.sqlstate = state == nullptr ? "" : state,
                   .message = trimmed(PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY)),
                   .lost = PQstatus(connection.get()) == CONNECTION_BAD,
                   .stopped = stopped};
    }
    if (columns > 0) rows.types.clear();
    for (int column = 0; column < columns; ++column) {
      rows.types.push_back(PQftype(result.get(), column));
    }
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      if (rows.rows.size() >= max_rows) {
        if (!rows.cut) cancel_statement();
        rows.cut = true;
        break;
      }
      auto& values = rows.rows.emplace_back();
      for (int column = 0; column < columns; ++column) {
        if (PQgetisnull(result.get(), row, column) != 0) {
          values.emplace_back(std::nullopt);
        } else {
          values.emplace_back(
              std::string(PQgetvalue(result.get(), row, column),
                          static_cast<std::size_t>(PQgetlength(result.get(), row, column))));
        }
      }
    }
  }
  if (error) return *std::move(error);
  return rows;
}

SqlResult<Rows> Connection::query(const std::string& statement,
                                  const std::vector<std::string>& params, std::size_t max_rows,
                                  const Tick& tick) {
  PGconn* connection = impl_->connection.get();
  if (connection == nullptr) return lost("the connection is gone");
  if (impl_->stop.stop_requested()) {
    return SqlError{.sqlstate = "", .message = "stopped", .lost = false, .stopped = true};
  }
  std::vector<const char*> values;
  for (const std::string& param : params) values.push_back(param.c_str());
  if (PQsendQueryParams(connection, statement.c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0) == 0) {
    return lost(trimmed(PQerrorMessage(connection)));
  }
  if (max_rows != SIZE_MAX) PQsetSingleRowMode(connection);
  return impl_->collect(max_rows, tick);
}

int Connection::backend_pid() const {
  return impl_->connection ? PQbackendPID(impl_->connection.get()) : 0;
}

std::string Connection::quote(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += c;
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace rad::postgresql
