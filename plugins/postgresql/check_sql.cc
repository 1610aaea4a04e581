#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/postgresql/checks.h"
#include "plugins/postgresql/sql_error.h"
#include "plugins/sdk/options.h"

namespace rad::postgresql {
namespace {

constexpr std::uint32_t kBoolOid = 16;

struct Bounds {
  std::optional<double> min;
  std::optional<double> max;
  std::optional<double> equals;
  bool any() const { return min || max || equals; }

  std::string text() const {
    if (equals) return fmt::format("{}", *equals);
    if (min && max) return fmt::format("{} to {}", *min, *max);
    return min ? fmt::format("at least {}", *min) : fmt::format("at most {}", *max);
  }
  /// What is wrong with `value` without telling it.
  std::string judge(double value) const {
    if (std::isnan(value)) return "not a number";
    if (equals && value != *equals) return value < *equals ? "less" : "more";
    if (min && value < *min) return "less";
    if (max && value > *max) return "more";
    return {};
  }
};

Bounds bounds_of(const protocol::CheckSpec& spec) {
  return {sdk::number_option(spec.options, "min"), sdk::number_option(spec.options, "max"),
          sdk::number_option(spec.options, "equals")};
}

CheckOutcome failed(const protocol::CheckSpec& spec, std::string message) {
  return from_error(spec, fail(Reason::check_failed, std::move(message), "", spec.name));
}

CheckOutcome judge_boolean(const protocol::CheckSpec& spec, std::uint32_t type,
                           const std::string& value) {
  if (type != kBoolOid) {
    return from_error(spec,
                      fail(Reason::config_invalid,
                           "the query gives no boolean, and neither min, max nor equals is set"));
  }
  CheckOutcome outcome = value == "t" ? pass(spec, Proof::data, "the query answers true")
                                      : failed(spec, "the query answers false");
  outcome.measured = value == "t" ? "true" : "false";
  outcome.expected = "true";
  return outcome;
}

CheckOutcome judge_number(const protocol::CheckSpec& spec, const Bounds& bounds,
                          const std::string& value) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) {
    return from_error(spec, fail(Reason::config_invalid,
                                 "the query gives no number to compare with min, max or equals"));
  }
  const std::string wrong = bounds.judge(number);
  CheckOutcome outcome = wrong.empty()
                             ? pass(spec, Proof::data, "the number is within its bounds")
                             : failed(spec, fmt::format("the number is {} than allowed", wrong));
  outcome.expected = bounds.text();
  // A result of a query is data of production; it is told only where somebody has asked for it.
  const bool show = sdk::boolean_option(spec.options, "show_value").value_or(false);
  outcome.measured = show ? printable(value, 60) : wrong.empty() ? "within bounds" : wrong;
  return outcome;
}

}  // namespace

Status validate_sql(const protocol::CheckSpec& spec) {
  const Bounds bounds = bounds_of(spec);
  if (bounds.equals && (bounds.min || bounds.max)) {
    return fail(Reason::config_invalid, "'equals' and 'min' or 'max' exclude each other");
  }
  if (bounds.min && bounds.max && *bounds.min > *bounds.max) {
    return fail(Reason::config_invalid, "'min' is above 'max'");
  }
  return {};
}

CheckOutcome check_sql(const protocol::CheckSpec& spec, CheckEnv& env) {
  const std::string database = sdk::text_option(spec.options, "database").value_or("postgres");
  SessionOptions options;
  options.search_path = sdk::text_option(spec.options, "search_path").value_or("public");
  if (const auto timeout = sdk::duration_option(spec.options, "statement_timeout")) {
    options.statement_timeout_ms = static_cast<std::uint64_t>(timeout->count());
  }
  auto connection = Connection::open(env.address(), database, options, env.context.stop_token());
  if (!connection) {
    return from_error(
        spec, explain(env, connection.error(),
                      fmt::format("cannot connect to database '{}'", printable(database, 100))));
  }
  const auto rows = connection->query(sdk::text_option(spec.options, "query").value_or(""), {}, 2);
  if (!rows) return from_error(spec, explain(env, rows.error(), "the query failed"));
  if (rows->types.size() != 1) {
    return from_error(
        spec, fail(Reason::config_invalid,
                   fmt::format("the query gives {} columns, expected one", rows->types.size())));
  }
  if (rows->rows.empty()) return failed(spec, "the query gives no row, expected one");
  if (rows->rows.size() > 1 || rows->cut) {
    return failed(spec, "the query gives more than one row, expected one");
  }
  const auto& value = rows->rows[0][0];
  if (!value) return failed(spec, "the query gives NULL");
  const Bounds bounds = bounds_of(spec);
  return bounds.any() ? judge_number(spec, bounds, *value)
                      : judge_boolean(spec, rows->types[0], *value);
}

}  // namespace rad::postgresql
