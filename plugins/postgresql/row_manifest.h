// The file of expected row counts that `row_counts` compares with. Format: docs/row-counts.md.
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/base/error.h"

namespace rad::postgresql {

/// How far from the expected number is still right: a share of it or a number of rows.
struct Tolerance {
  double share = 0;        ///< 0.01 for "1%"
  std::uint64_t rows = 0;  ///< used if `share` is 0
};
/// "1%", "0.5%" (0 to 100 %) or a number of rows. \return config_invalid naming the text.
Result<Tolerance> parse_tolerance(std::string_view text);

/// What one table must hold.
struct Expectation {
  std::optional<std::uint64_t> rows;  ///< within `tolerance`
  std::optional<std::uint64_t> min;
  std::optional<std::uint64_t> max;
  bool empty = false;                  ///< declared empty: no rows are right
  std::optional<Tolerance> tolerance;  ///< else that of the file, else that of the check
};

/// Schema and table, unquoted.
using TableName = std::pair<std::string, std::string>;
/// "schema.table"; a part may stand between double quotes (a double quote in it doubled), and must
/// if it holds a dot. Without quotes the letters count as they are, upper case too.
/// \return config_invalid naming the text.
Result<TableName> parse_table_name(std::string_view text);

struct RowManifest {
  std::map<std::string, std::map<TableName, Expectation>> databases;
  std::optional<Tolerance> tolerance;
};
/// \param what  the file, for messages. \return config_invalid naming what is wrong, and where.
Result<RowManifest> parse_row_manifest(std::string_view text, std::string_view what);

/// Whether `rows` is what was expected; if not, in words without the table's name:
/// "98 rows, expected 100". A table without rows passes only if it was declared empty.
/// \param fallback  tolerance of the file or the check
std::optional<std::string> judge_rows(std::uint64_t rows, const Expectation& expected,
                                      const Tolerance& fallback);

}  // namespace rad::postgresql
