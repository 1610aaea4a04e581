// How SQLite would carry out the lists: by an index, and without sorting what it has read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/store/queries.h"
#include "tests/unit/store/raw_sql.h"
#include "tests/unit/store/store_builders.h"

namespace rad::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string plan(const std::filesystem::path& path, const std::string& query) {
  sqlite3* connection = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(connection, ("EXPLAIN QUERY PLAN " + query).c_str(), -1, &statement,
                               nullptr),
            SQLITE_OK)
      << sqlite3_errmsg(connection);
  std::string text;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    text += reinterpret_cast<const char*>(sqlite3_column_text(statement, 3));
    text += '\n';
  }
  sqlite3_finalize(statement);
  sqlite3_close(connection);
  return text;
}

class StorePlan : public testing::Test {
 protected:
  StorePlan() { Store store = open_store(dir_); }
  std::string list(const RunFilter& filter) {
    return plan(dir_ / "rad.db", store::list_sql(store::kSummaryColumns, filter));
  }
  TempDir dir_;
};

auto uses(const std::string& index) {
  return AllOf(HasSubstr("SEARCH"), HasSubstr(index), Not(HasSubstr("SCAN")),
               Not(HasSubstr("TEMP B-TREE")));
}

TEST_F(StorePlan, ListsAreReadFromAnIndexInTheirOrder) {
  EXPECT_THAT(list({}), uses("runs_by_time"));
  EXPECT_THAT(list({.target = "t"}), uses("runs_by_target"));
  EXPECT_THAT(list({.target = "t", .before = "r"}), uses("runs_by_target"));
  EXPECT_THAT(list({.target = "t", .depth = Depth::verify, .verdict = Verdict::fail}),
              uses("runs_by_target"));
  EXPECT_THAT(list({.verdict = Verdict::fail}), uses("runs_by_verdict"));
  EXPECT_THAT(list({.schedule = "rad", .ended_only = true}), uses("runs_by_time"));
  EXPECT_THAT(list({.target = "t", .ended_only = true}), uses("runs_by_target"));
}

TEST_F(StorePlan, TheSchedulersQueryReadsOnlyWhatIsYoungEnough) {
  EXPECT_THAT(plan(dir_ / "rad.db", store::since_sql()), uses("runs_by_time"));
}

TEST_F(StorePlan, ReportsOnATimeReadOnlyItsRuns) {
  EXPECT_THAT(plan(dir_ / "rad.db", store::measured_sql()), HasSubstr("runs_by_time (created_at>"));
}

TEST_F(StorePlan, RunsThatGoOnAreFoundAmongAnyNumber) {
  EXPECT_THAT(plan(dir_ / "rad.db", store::unfinished_sql()), HasSubstr("runs_unfinished"));
}

TEST_F(StorePlan, TheLatestRunsAreFoundByTheirIds) {
  const std::string text = plan(dir_ / "rad.db", store::latest_sql());
  EXPECT_THAT(text, HasSubstr("SEARCH runs USING INDEX"));
  EXPECT_THAT(text, HasSubstr("SCAN latest_runs"));  // one row per schedule, not per run
  EXPECT_THAT(text, Not(HasSubstr("TEMP B-TREE")));
}

}  // namespace
}  // namespace rad::test
