#include "agent/report/issue_directory.h"

#include <fstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/report/issue_file.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/report/example_reports.h"

namespace rad::test {
namespace {

using std::chrono::hours;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class IssueDirectoryTest : public testing::Test {
 protected:
  /// The n-th run of a kind, an hour after the one before.
  static RunReport number(RunReport report, int n) {
    report.id += "-" + std::to_string(n);
    report.created_at += hours(n);
    *report.ended_at += hours(n);
    return report;
  }
  /// A pass of `depth` in which the named checks passed.
  static RunReport passed(Depth depth, int n, const std::vector<std::string>& checks) {
    RunReport report = number(passed_restore(), n);
    report.depth = depth;
    report.checks.clear();
    for (const auto& name : checks) {
      report.checks.push_back({.name = name, .check = name, .outcome = Outcome::pass});
    }
    return report;
  }
  /// The one change that a report makes.
  IssueChange record(const RunReport& report, const IssueContext& context = {}) {
    auto changes = issues_.record(report, context);
    if (!changes) {
      ADD_FAILURE() << changes.error().message;
      return {};
    }
    EXPECT_LE(changes->size(), 1U);
    return changes->empty() ? IssueChange{} : changes->front();
  }
  std::string text(const std::filesystem::path& path) { return *read_file(path); }
  std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path() / "issues")) {
      if (entry.path().extension() == ".md") ++count;
    }
    return count;
  }
  static void edit(const std::filesystem::path& path, const std::string& from,
                   const std::string& to) {
    std::string content = *read_file(path);
    const auto at = content.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    content.replace(at, from.size(), to);
    ASSERT_TRUE(write_file_atomic(path, content));
  }

  TempDir dir_;
  IssueDirectory issues_{dir_.path() / "issues"};
};

const std::vector<std::string> kAllChecks{"backup_age", "wal_continuity", "stream_page_checksums"};

TEST_F(IssueDirectoryTest, OpensAppendsAndCloses) {
  const auto opened =
      record(number(failed_verify(), 0),
             {.last_good_proof = failed_verify().created_at - hours(24), .runbook_base = ""});
  EXPECT_EQ(opened.action, IssueAction::opened);
  EXPECT_EQ(opened.path.filename(), "customers-db-verify-20261120T184451-1a2b3c4d-0.md");
  expect_golden("report/issue_opened.md", text(opened.path));

  const auto appended = record(number(failed_verify(), 1));
  EXPECT_EQ(appended.action, IssueAction::appended);
  EXPECT_EQ(appended.path, opened.path);
  EXPECT_EQ(appended.count, 2U);

  const auto closed = record(passed(Depth::verify, 2, kAllChecks));
  EXPECT_EQ(closed.action, IssueAction::closed);
  expect_golden("report/issue_closed.md", text(opened.path));
  EXPECT_THAT(*issues_.open_issues(), IsEmpty());

  EXPECT_EQ(record(number(failed_verify(), 3)).action, IssueAction::opened);
  EXPECT_EQ(files(), 2U);
}

TEST_F(IssueDirectoryTest, RecordsARunOnlyOnce) {
  const RunReport first = number(failed_verify(), 0);
  const RunReport second = number(failed_verify(), 1);
  const auto path = record(first).path;
  record(second);
  const std::string before = text(path);
  EXPECT_EQ(record(first).action, IssueAction::already_recorded);
  EXPECT_EQ(record(second).action, IssueAction::already_recorded);
  EXPECT_EQ(text(path), before);

  const RunReport pass = passed(Depth::verify, 2, kAllChecks);
  const auto closing = record(pass);
  EXPECT_EQ(closing.action, IssueAction::closed);
  EXPECT_FALSE(closing.open);
  const std::string closed = text(path);
  EXPECT_EQ(record(pass).action, IssueAction::none);
  const auto late = record(second);
  EXPECT_EQ(late.action, IssueAction::already_recorded);
  EXPECT_FALSE(late.open) << "it was closed meanwhile";
  EXPECT_EQ(text(path), closed);
  EXPECT_EQ(files(), 1U);
}

TEST_F(IssueDirectoryTest, AShallowerPassClosesNothing) {
  record(number(failed_verify(), 0));
  EXPECT_EQ(record(passed(Depth::inspect, 1, kAllChecks)).action, IssueAction::none);
  EXPECT_EQ(issues_.open_issues()->size(), 1U);
}

TEST_F(IssueDirectoryTest, ADeeperPassClosesTheShallowerIssue) {
  record(number(failed_verify(), 0));
  EXPECT_EQ(record(passed(Depth::restore, 1, kAllChecks)).action, IssueAction::closed);
}

TEST_F(IssueDirectoryTest, APassWithoutTheFailedCheckClosesNothing) {
  record(number(failed_verify(), 0));
  EXPECT_EQ(record(passed(Depth::verify, 1, {"backup_age"})).action, IssueAction::none);
  RunReport skipped = passed(Depth::verify, 2, kAllChecks);
  for (auto& check : skipped.checks) {
    if (check.name == "wal_continuity") check.outcome = Outcome::not_applicable;
  }
  EXPECT_EQ(record(skipped).action, IssueAction::none);
  EXPECT_EQ(issues_.open_issues()->size(), 1U);
}

TEST_F(IssueDirectoryTest, RemembersEveryCheckThatFailedSinceTheOpening) {
  RunReport other = number(failed_verify(), 1);
  other.checks[1].name = "backup_complete";
  record(number(failed_verify(), 0));
  record(other);
  EXPECT_EQ(record(passed(Depth::verify, 2, {"wal_continuity"})).action, IssueAction::none);
  EXPECT_EQ(record(passed(Depth::verify, 3, {"wal_continuity", "backup_complete"})).action,
            IssueAction::closed);
}

TEST_F(IssueDirectoryTest, APassThatBeganBeforeTheFailureClosesNothing) {
  record(number(failed_verify(), 5));
  EXPECT_EQ(record(passed(Depth::verify, 4, kAllChecks)).action, IssueAction::none);
  EXPECT_EQ(record(passed(Depth::verify, 5, kAllChecks)).action, IssueAction::none);
}

TEST_F(IssueDirectoryTest, ThePassOfAnotherTargetClosesNothing) {
  record(number(failed_verify(), 0));
  RunReport pass = passed(Depth::verify, 1, kAllChecks);
  pass.target = "customers-db-2";
  EXPECT_EQ(record(pass).action, IssueAction::none);
}

TEST_F(IssueDirectoryTest, DepthsHaveIssuesOfTheirOwnAndOnePassMayCloseBoth) {
  record(number(failed_verify(), 0));
  RunReport deep = number(failed_verify(), 1);
  deep.depth = Depth::restore;
  EXPECT_EQ(record(deep).action, IssueAction::opened);
  auto changes = issues_.record(passed(Depth::restore, 2, kAllChecks), {});
  ASSERT_TRUE(changes);
  EXPECT_EQ(changes->size(), 2U);
  EXPECT_THAT(*issues_.open_issues(), IsEmpty());
}

TEST_F(IssueDirectoryTest, InconclusiveOpensOnlyWhenTold) {
  const RunReport report = inconclusive_restore();
  EXPECT_EQ(record(report).action, IssueAction::none);
  EXPECT_FALSE(std::filesystem::exists(dir_.path() / "issues"));
  EXPECT_EQ(record(report, {.open_on_inconclusive = true}).action, IssueAction::opened);
}

TEST_F(IssueDirectoryTest, CancelledAndUnfinishedRunsDoNothing) {
  RunReport report = failed_verify();
  report.verdict = Verdict::cancelled;
  EXPECT_EQ(record(report, {.open_on_inconclusive = true}).action, IssueAction::none);
  EXPECT_EQ(record(running_report(), {.open_on_inconclusive = true}).action, IssueAction::none);
}

TEST_F(IssueDirectoryTest, AClosingByHandHolds) {
  const auto path = record(number(failed_verify(), 0)).path;
  edit(path, "state: open", "state: 'Closed'   ");
  EXPECT_THAT(*issues_.open_issues(), IsEmpty());
  EXPECT_EQ(record(number(failed_verify(), 1)).action, IssueAction::opened);
  EXPECT_EQ(files(), 2U);
}

TEST_F(IssueDirectoryTest, AReopeningByHandIsNotUndoneByTheSamePass) {
  const auto path = record(number(failed_verify(), 0)).path;
  const RunReport pass = passed(Depth::verify, 1, kAllChecks);
  record(pass);
  edit(path, "state: closed", "state: open");
  EXPECT_EQ(record(pass).action, IssueAction::none);
  EXPECT_EQ(record(passed(Depth::verify, 2, kAllChecks)).action, IssueAction::closed);
}

TEST_F(IssueDirectoryTest, KeepsWhatPeopleWrote) {
  const auto path = record(number(failed_verify(), 0)).path;
  edit(path, "count: 1", "assignee: alice\r\ncount: 1");
  edit(path, "## Checks", "Alice: the disk was swapped.\n\n## Checks");
  record(number(failed_verify(), 1));
  EXPECT_THAT(text(path), HasSubstr("assignee: alice\r\n"));
  EXPECT_THAT(text(path), HasSubstr("Alice: the disk was swapped."));
  EXPECT_THAT(text(path), HasSubstr("count: 2\n"));
}

TEST_F(IssueDirectoryTest, AListOfChecksEditedByHandIsUnderstood) {
  const auto path = record(number(failed_verify(), 0)).path;
  edit(path, "checks: [\"wal_continuity\"]", "checks: [ wal_continuity, 'amcheck' ]");
  EXPECT_EQ(record(passed(Depth::verify, 1, {"wal_continuity"})).action, IssueAction::none);
  EXPECT_EQ(record(passed(Depth::verify, 2, {"wal_continuity", "amcheck"})).action,
            IssueAction::closed);
}

TEST_F(IssueDirectoryTest, ADeletedFileIsForgotten) {
  const auto path = record(number(failed_verify(), 0)).path;
  std::filesystem::remove(path);
  EXPECT_EQ(record(passed(Depth::verify, 1, kAllChecks)).action, IssueAction::none);
  EXPECT_EQ(record(number(failed_verify(), 2)).action, IssueAction::opened);
}

TEST_F(IssueDirectoryTest, AFileThatCannotBeReadAnyMoreIsLeftAlone) {
  const auto path = record(number(failed_verify(), 0)).path;
  ASSERT_TRUE(write_file_atomic(path, "all gone"));
  EXPECT_EQ(record(number(failed_verify(), 0)).action, IssueAction::already_recorded);
  EXPECT_EQ(record(number(failed_verify(), 1)).action, IssueAction::opened);
  EXPECT_EQ(text(path), "all gone");
}

TEST_F(IssueDirectoryTest, OtherThingsInTheDirectoryAreIgnored) {
  const auto directory = dir_.path() / "issues";
  std::filesystem::create_directories(directory / "sub.md");
  ASSERT_EQ(::mkfifo((directory / "pipe.md").c_str(), 0600), 0);
  std::filesystem::create_symlink("/etc/passwd", directory / "link.md");
  dir_.write("issues/notes.md", "# my notes\n");
  dir_.write("issues/empty.md", "");
  dir_.write("issues/half.md", "---\ntarget: customers-db\ndepth: verify\n");
  EXPECT_EQ(record(number(failed_verify(), 0)).action, IssueAction::opened);
  EXPECT_EQ(issues_.open_issues()->size(), 1U);
}

TEST_F(IssueDirectoryTest, NamesNeverLeaveTheDirectory) {
  RunReport report = failed_verify();
  report.target = "../../etc/cron.d/x\n---\nstate: closed";
  report.id = "/../y";
  const auto change = record(report);
  EXPECT_EQ(change.action, IssueAction::opened);
  EXPECT_EQ(change.path.parent_path(), dir_.path() / "issues");
  EXPECT_TRUE(std::filesystem::exists(change.path));
  const auto open = *issues_.open_issues();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(record(report).action, IssueAction::already_recorded);
}

TEST_F(IssueDirectoryTest, AnIssueThatRepeatsForYearsGrowsByALineARun) {
  const auto path = record(number(failed_verify(), 0)).path;
  edit(path, "## Checks", std::string(600'000, 'x') + "\n\n## Checks");
  const auto before = std::filesystem::file_size(path);
  for (int i = 1; i <= 10; ++i) {
    ASSERT_EQ(record(number(failed_verify(), i)).action, IssueAction::appended);
  }
  EXPECT_LT(std::filesystem::file_size(path) - before, 3000U);
  EXPECT_EQ(issues_.open_issues()->front().count, 11U);
  EXPECT_EQ(record(number(failed_verify(), 4)).action, IssueAction::already_recorded);
}

TEST_F(IssueDirectoryTest, ADirectoryThatCannotBeMadeIsNamed) {
  dir_.write("file", "x");
  IssueDirectory blocked(dir_.path() / "file" / "issues");
  const auto changes = blocked.record(failed_verify(), {});
  ASSERT_FALSE(changes);
  EXPECT_THAT(changes.error().message, HasSubstr("file/issues"));
}

TEST_F(IssueDirectoryTest, TwoProcessesLoseNothing) {
  record(number(failed_verify(), 0));
  std::vector<pid_t> children;
  constexpr int kRuns = 20;
  for (int child = 0; child < 3; ++child) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      bool good = true;
      for (int i = 1; i <= kRuns; ++i) {
        IssueDirectory own(dir_.path() / "issues");
        good = good && own.record(number(failed_verify(), child * 1000 + i), {}).has_value();
      }
      ::_exit(good ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  const auto open = *issues_.open_issues();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].count, 1U + 3 * kRuns);
  EXPECT_EQ(files(), 1U);
}

TEST_F(IssueDirectoryTest, HostileTextLeavesFrontMatterAndCommentsIntact) {
  RunReport report = hostile_report();
  report.target = "a: b\n---\n\"";
  report.checks[1].name = "x\"]\n---\nstate: closed\n<!-- rad-run: other -->";
  const auto change = record(report);
  const auto file = IssueFile::parse(text(change.path));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->open());
  EXPECT_TRUE(file->has_run(report.id));
  EXPECT_FALSE(file->has_run("other"));
}

TEST(IssueFile, GarbageIsNoIssue) {
  for (const char* garbage :
       {"", "---", "---\n---\n", "---\ntarget: x\ndepth: deep\nstate: open\n---",
        "---\ntarget: \ndepth: verify\nstate: open\n---\n", "\0\xff---\n"}) {
    EXPECT_FALSE(IssueFile::parse(garbage)) << garbage;
  }
  const auto minimal = IssueFile::parse(
      "\xef\xbb\xbf---\r\ntarget: x\r\ndepth: verify\r\n"
      "state: open\r\ncount: many\r\nopened_at: yesterday\r\n"
      "---\r\nbody");
  ASSERT_TRUE(minimal);
  EXPECT_EQ(minimal->count, 0U);
  EXPECT_TRUE(minimal->open());
  EXPECT_EQ(minimal->body, "body");
}

}  // namespace
}  // namespace rad::test
