// SQLite without Store in between: to prepare files, and to look into them.
#pragma once

#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace rad::test {

/// Carries out the statements. \return the first column of their rows, a line each.
inline std::string sql(const std::filesystem::path& path, const std::string& text) {
  sqlite3* connection = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
  std::string rows;
  const auto take = [](void* out, int, char** values, char**) {
    *static_cast<std::string*>(out) +=
        std::string(values[0] == nullptr ? "NULL" : values[0]) + "\n";
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(connection, text.c_str(), take, &rows, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
  return rows;
}

}  // namespace rad::test
