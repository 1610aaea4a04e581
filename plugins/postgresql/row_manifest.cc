#include "plugins/postgresql/row_manifest.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rad::postgresql {
namespace {

namespace bj = boost::json;

Error bad(std::string_view what, std::string_view where, std::string_view why) {
  return fail(Reason::config_invalid,
              fmt::format("{}: {} {}", what, printable(where, 200), printable(why, 300)),
              "the format is described in docs/row-counts.md");
}

// One part of a name; `text` is cut to what follows it. Nothing: not well formed.
std::optional<std::string> take_part(std::string_view& text) {
  std::string part;
  if (!text.starts_with('"')) {
    const auto end = text.find_first_of(".\"");
    part = text.substr(0, end);
    text.remove_prefix(part.size());
    return part.empty() || text.starts_with('"') ? std::nullopt : std::optional(part);
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] != '"') {
      part += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '"') {
      part += text[i++];
    } else {
      text.remove_prefix(i + 1);
      return part.empty() ? std::nullopt : std::optional(part);
    }
  }
  return std::nullopt;
}

Result<std::optional<std::uint64_t>> count_from(const bj::object& object, std::string_view key,
                                                std::string_view what, std::string_view where) {
  const bj::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return std::optional<std::uint64_t>{};
  if (value->is_int64() && value->get_int64() >= 0) {
    return std::optional<std::uint64_t>(static_cast<std::uint64_t>(value->get_int64()));
  }
  if (value->is_uint64()) return std::optional<std::uint64_t>(value->get_uint64());
  return bad(what, where, fmt::format("has '{}' that is no whole number of rows", key));
}

Result<std::optional<Tolerance>> tolerance_from(const bj::object& object, std::string_view what,
                                                std::string_view where) {
  const bj::value* value = object.if_contains("tolerance");
  if (value == nullptr || value->is_null()) return std::optional<Tolerance>{};
  std::string text;
  if (value->is_string()) {
    text = value->get_string();
  } else if (value->is_number()) {
    text = bj::serialize(*value);
  } else {
    return bad(what, where, "has a 'tolerance' that is neither text nor number");
  }
  auto tolerance = parse_tolerance(text);
  if (!tolerance) return bad(what, where, "has " + tolerance.error().message);
  return std::optional<Tolerance>(*tolerance);
}

Status known_keys(const bj::object& object, std::initializer_list<std::string_view> known,
                  std::string_view what, std::string_view where) {
  for (const auto& entry : object) {
    const std::string_view key = entry.key();
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return bad(what, where, fmt::format("has the unknown key '{}'", key));
    }
  }
  return {};
}

Result<Expectation> expectation_from(const bj::value& value, std::string_view what,
                                     std::string_view where) {
  Expectation expected;
  if (!value.is_object()) {
    bj::object shorthand;
    shorthand["rows"] = value;
    RAD_TRY(expected.rows, count_from(shorthand, "rows", what, where));
    if (!expected.rows) return bad(what, where, "is null, expected a number or an object");
    expected.empty = *expected.rows == 0;
    return expected;
  }
  const bj::object& object = value.get_object();
  // "md5" stands in lists made for comparing contents; it says nothing about counts.
  RAD_CHECK(known_keys(object, {"rows", "min", "max", "empty", "tolerance", "md5"}, what, where));
  RAD_TRY(expected.rows, count_from(object, "rows", what, where));
  RAD_TRY(expected.min, count_from(object, "min", what, where));
  RAD_TRY(expected.max, count_from(object, "max", what, where));
  RAD_TRY(expected.tolerance, tolerance_from(object, what, where));
  if (const bj::value* empty = object.if_contains("empty")) {
    if (!empty->is_bool()) return bad(what, where, "has an 'empty' that is neither true nor false");
    expected.empty = empty->get_bool();
  }
  if (expected.rows && (expected.min || expected.max)) {
    return bad(what, where, "has both 'rows' and 'min' or 'max'");
  }
  if (!expected.rows && !expected.min && !expected.max && !expected.empty) {
    return bad(what, where, "says nothing: expected 'rows', 'min', 'max' or 'empty'");
  }
  if (expected.min && expected.max && *expected.min > *expected.max) {
    return bad(what, where, "has a 'min' above its 'max'");
  }
  if (expected.rows == 0U) expected.empty = true;
  return expected;
}

}  // namespace

Result<Tolerance> parse_tolerance(std::string_view text) {
  const bool percent = text.ends_with('%');
  const std::string_view digits = text.substr(0, text.size() - (percent ? 1 : 0));
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = std::floor(value) == value;
  if (error != std::errc{} || end != digits.data() + digits.size() || !(value >= 0) ||
      (percent ? value > 100 : !whole || value > 1e15)) {
    return fail(Reason::config_invalid,
                fmt::format("tolerance '{}', expected a share such as 1% or a number of rows",
                            printable(text, 60)));
  }
  Tolerance tolerance;
  if (percent) {
    tolerance.share = value / 100;
  } else {
    tolerance.rows = static_cast<std::uint64_t>(value);
  }
  return tolerance;
}

Result<TableName> parse_table_name(std::string_view text) {
  std::string_view rest = text;
  auto schema = take_part(rest);
  if (schema && rest.starts_with('.')) {
    rest.remove_prefix(1);
    auto table = take_part(rest);
    if (table && rest.empty()) return TableName{*std::move(schema), *std::move(table)};
  }
  return fail(Reason::config_invalid,
              fmt::format("'{}' is no table name, expected schema.table", printable(text, 200)),
              "put a part that holds a dot or a double quote between double quotes");
}

Result<RowManifest> parse_row_manifest(std::string_view text, std::string_view what) {
  RAD_TRY(const bj::value document, json::parse(text, what, Reason::config_invalid));
  if (!document.is_object()) return bad(what, "the file", "is not a JSON object");
  const bj::object& root = document.get_object();
  RAD_CHECK(known_keys(root, {"version", "tolerance", "databases"}, what, "the file"));
  const bj::value* version = root.if_contains("version");
  if (version == nullptr || !version->is_int64() || version->get_int64() != 1) {
    return bad(what, "the file", "has no \"version\": 1");
  }
  RowManifest manifest;
  RAD_TRY(manifest.tolerance, tolerance_from(root, what, "the file"));
  const bj::value* databases = root.if_contains("databases");
  if (databases == nullptr || !databases->is_object() || databases->get_object().empty()) {
    return bad(what, "the file", "has no object \"databases\" with at least one entry");
  }
  for (const auto& [database, tables] : databases->get_object()) {
    if (!tables.is_object()) return bad(what, database, "is not an object of tables");
    auto& expected = manifest.databases[database];
    for (const auto& [key, value] : tables.get_object()) {
      auto name = parse_table_name(key);
      if (!name) return bad(what, database, "names the table " + name.error().message);
      const std::string where =
          fmt::format("{}: {}", std::string_view(database), std::string_view(key));
      RAD_TRY(Expectation expectation, expectation_from(value, what, where));
      if (!expected.emplace(*std::move(name), std::move(expectation)).second) {
        return bad(what, where, "is there twice");
      }
    }
  }
  return manifest;
}

std::optional<std::string> judge_rows(std::uint64_t rows, const Expectation& expected,
                                      const Tolerance& fallback) {
  if (rows == 0) {
    if (expected.empty) return std::nullopt;
    if (expected.rows) return fmt::format("0 rows, expected {}", *expected.rows);
    return "0 rows, and the table is not declared empty";
  }
  if (expected.min && rows < *expected.min) {
    return fmt::format("{} rows, expected at least {}", rows, *expected.min);
  }
  if (expected.max && rows > *expected.max) {
    return fmt::format("{} rows, expected at most {}", rows, *expected.max);
  }
  if (expected.rows) {
    const Tolerance tolerance = expected.tolerance.value_or(fallback);
    const auto allowed =
        tolerance.share > 0 ? static_cast<std::uint64_t>(
                                  std::floor(tolerance.share * static_cast<double>(*expected.rows)))
                            : tolerance.rows;
    const std::uint64_t off = rows > *expected.rows ? rows - *expected.rows : *expected.rows - rows;
    if (off <= allowed) return std::nullopt;
    return allowed == 0
               ? fmt::format("{} rows, expected {}", rows, *expected.rows)
               : fmt::format("{} rows, expected {} within {}", rows, *expected.rows, allowed);
  }
  if (!expected.min && !expected.max) {
    return fmt::format("{} rows, expected none", rows);
  }
  return std::nullopt;
}

}  // namespace rad::postgresql
