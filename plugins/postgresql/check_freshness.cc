#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "plugins/postgresql/checks.h"
#include "plugins/sdk/options.h"

namespace rad::postgresql {
namespace {

// More than clocks may differ: such a column does not say when a row was written.
constexpr std::chrono::minutes kMaxAhead{60};

Result<std::string> statement_of(const protocol::CheckSpec& spec) {
  const auto query = sdk::text_option(spec.options, "query");
  const auto table = sdk::text_option(spec.options, "table");
  const auto column = sdk::text_option(spec.options, "column");
  if (query && !table && !column) return *query;
  if (query || !table || !column) {
    return fail(Reason::config_invalid, "either 'query' or both 'table' and 'column' must be set");
  }
  RAD_TRY(const TableName name, parse_table_name(*table));
  return fmt::format("select max({}) from {}.{}", Connection::quote(*column),
                     Connection::quote(name.first), Connection::quote(name.second));
}

Result<TimePoint> reference_of(const protocol::CheckSpec& spec, const CheckEnv& env) {
  if (sdk::text_option(spec.options, "reference").value_or("backup") == "now") {
    return SystemClock().now();
  }
  if (env.instance != nullptr && env.instance->recovery().point.last_transaction) {
    return *env.instance->recovery().point.last_transaction;
  }
  if (env.instance != nullptr) return env.instance->control().checkpoint_time;
  return fail(Reason::check_error, "the time that recovery reached is not known",
              "set reference: now");
}

/// Age of the newest value, nothing if there is none. Errors are the server's.
SqlResult<std::optional<double>> newest_epoch(Connection& connection,
                                              const std::string& statement) {
  auto rows = connection.query(statement, {}, 2);
  if (!rows) return rows.error();
  if (rows->types.size() != 1 || rows->rows.size() > 1) {
    return SqlError{.sqlstate = "", .message = "expected one row with one column"};
  }
  if (rows->rows.empty() || !rows->rows[0][0]) return std::optional<double>{};
  auto epoch =
      connection.query("select extract(epoch from $1::timestamptz)::float8", {*rows->rows[0][0]});
  if (!epoch) return epoch.error();
  const std::string text = epoch->rows.at(0).at(0).value_or("");
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(seconds)) {
    return std::optional<double>(std::nan(""));
  }
  return std::optional<double>(seconds);
}

CheckOutcome judge_age(const protocol::CheckSpec& spec, double newest_seconds,
                       TimePoint reference) {
  const auto max_age = *sdk::duration_option(spec.options, "max_age");
  const double now = static_cast<double>(reference.time_since_epoch().count()) / 1000;
  const double age_seconds = now - newest_seconds;
  if (!(age_seconds >= -std::chrono::duration<double>(kMaxAhead).count()) || age_seconds > 3.2e11) {
    return from_error(spec, fail(Reason::check_error,
                                 "the newest value lies after the time that it is compared with",
                                 "choose a column that says when a row was written"));
  }
  const std::chrono::milliseconds age(static_cast<std::int64_t>(std::max(age_seconds, 0.0) * 1000));
  CheckOutcome outcome =
      age <= max_age
          ? pass(spec, Proof::data, "the newest data is young enough")
          : from_error(spec, fail(Reason::stale_data, "the newest data is too old", "", spec.name));
  outcome.measured = format_duration(age) + " old";
  outcome.expected = "at most " + format_duration(max_age);
  return outcome;
}

}  // namespace

Status validate_freshness(const protocol::CheckSpec& spec) {
  RAD_CHECK(statement_of(spec));
  return {};
}

CheckOutcome check_freshness(const protocol::CheckSpec& spec, CheckEnv& env) {
  const auto statement = statement_of(spec);
  if (!statement) return from_error(spec, statement.error());
  const auto reference = reference_of(spec, env);
  if (!reference) return from_error(spec, reference.error());
  const std::string database = sdk::text_option(spec.options, "database").value_or("postgres");
  SessionOptions options;
  options.search_path = sdk::text_option(spec.options, "search_path").value_or("public");
  auto connection = Connection::open(env.address(), database, options, env.context.stop_token());
  if (!connection) {
    return from_error(
        spec, explain(env, connection.error(),
                      fmt::format("cannot connect to database '{}'", printable(database, 100))));
  }
  const auto newest = newest_epoch(*connection, *statement);
  if (!newest) return from_error(spec, explain(env, newest.error(), "the query failed"));
  if (!*newest) {
    return from_error(spec, fail(Reason::stale_data, "there is no data at all", "", spec.name));
  }
  return judge_age(spec, **newest, *reference);
}

}  // namespace rad::postgresql
