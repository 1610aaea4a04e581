// Stopping: cancel, end of input and the sudden death of the server, at the worst moments.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/shm.h>
#include <unistd.h>

#include "plugins/postgresql/process_tree.h"
#include "tests/integration/postgresql/run_support.h"

namespace rad::test {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::IsEmpty;

constexpr auto kSoon = 15s;

protocol::CheckSpec endless_query() {
  return check("sql", {{"query", "select pg_sleep(600)::text = ''"}});
}

void expect_nothing_left(const RestoredCopy& copy) {
  EXPECT_THAT(processes_with(copy.place().string()), IsEmpty());
  EXPECT_TRUE(fs::is_empty(copy.place() / "scratch"));
  EXPECT_TRUE(fs::is_empty(copy.place() / "run"));
}

/// Waits until a process below the plugin has a title that holds `text`.
bool wait_for_process(TestRun& run, const std::string& text) {
  for (int i = 0; i < 400; ++i) {
    for (const auto& process : postgresql::descendants(run.driver().pid())) {
      if (postgresql::process_title(process.pid).find(text) != std::string::npos) return true;
    }
    ::usleep(25'000);
  }
  return false;
}

TEST(Stop, CancelEndsARecoveryThatWaitsForItsArchive) {
  RestoredCopy copy;
  copy.set_fetch("case $1 in *4) sleep 600;; esac; exec cp " + copy.archive().string() +
                 "/\"$1\" \"$2\" 2>/dev/null");
  TestRun run(copy, {});
  const auto id = run.driver().send("start", {{"artifact", copy.artifact()}});
  ASSERT_TRUE(wait_for_process(run, "waiting for 000000010000000000000004"));
  run.driver().cancel();
  const auto answer = run.driver().answer(id, 30s);
  ASSERT_TRUE(answer.error.has_value());
  EXPECT_EQ(answer.error->reason, Reason::cancelled);
  run.driver().call("cleanup");
  expect_nothing_left(copy);
}

TEST(Stop, CancelEndsALongQuery) {
  RestoredCopy copy;
  TestRun run(copy, {endless_query()});
  run.start();
  const auto id = run.driver().send("check", run.check_params());
  ASSERT_TRUE(wait_for_process(run, "SELECT"));
  run.driver().cancel();
  const auto answer = run.driver().answer(id, kSoon);
  ASSERT_TRUE(answer.error.has_value());
  EXPECT_EQ(answer.error->reason, Reason::cancelled);
  run.driver().call("cleanup");
  expect_nothing_left(copy);
}

TEST(Stop, EndOfInputInMidRecoveryLeavesNothing) {
  RestoredCopy copy;
  copy.set_fetch("case $1 in *4) sleep 600;; esac; exec cp " + copy.archive().string() +
                 "/\"$1\" \"$2\" 2>/dev/null");
  TestRun run(copy, {});
  run.driver().send("start", {{"artifact", copy.artifact()}});
  ASSERT_TRUE(wait_for_process(run, "waiting for 000000010000000000000004"));
  run.driver().close_input();
  const auto status = run.driver().wait_for_end(30s);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->text(), "exit code 0");
  expect_nothing_left(copy);
}

TEST(Stop, EndOfInputInMidQueryLeavesNothing) {
  RestoredCopy copy;
  TestRun run(copy, {endless_query()});
  run.start();
  run.driver().send("check", run.check_params());
  ASSERT_TRUE(wait_for_process(run, "SELECT"));
  run.driver().close_input();
  const auto status = run.driver().wait_for_end(kSoon);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->text(), "exit code 0");
  expect_nothing_left(copy);
}

pid_t server_of(const protocol::StartResult& started) {
  return static_cast<pid_t>(started.endpoint.properties.at("pid").as_int64());
}

/// Line 7 of postmaster.pid.
int shared_memory_of(const RestoredCopy& copy) {
  std::ifstream file(copy.data() / "postmaster.pid");
  std::string line;
  for (int i = 0; i < 6; ++i) std::getline(file, line);
  unsigned long key = 0;
  int id = -1;
  file >> key >> id;
  return id;
}

void expect_no_blame(const protocol::Response& answer, std::size_t count) {
  ASSERT_TRUE(answer.result.has_value());
  const auto outcomes = protocol::from_json<protocol::CheckResult>(*answer.result).value().outcomes;
  ASSERT_EQ(outcomes.size(), count);
  for (const CheckOutcome& outcome : outcomes) {
    EXPECT_EQ(summary(outcome), "inconclusive check_error") << outcome.name << outcome.message;
    EXPECT_THAT(outcome.message, ::testing::HasSubstr("signal 9"));
  }
}

TEST(Stop, DeathOfTheServerInMidCheckIsNotTheBackupsFault) {
  RestoredCopy copy;
  TestRun run(copy,
              {endless_query(), check("amcheck"), check("page_checksums", {{"scope", "all"}})});
  const auto started = run.start();
  const auto id = run.driver().send("check", run.check_params());
  ASSERT_TRUE(wait_for_process(run, "SELECT"));
  const int shared_memory = shared_memory_of(copy);
  shmid_ds status{};
  ASSERT_EQ(::shmctl(shared_memory, IPC_STAT, &status), 0);
  ::kill(server_of(started), SIGKILL);
  expect_no_blame(run.driver().answer(id, 60s), 3);
  run.driver().call("cleanup");
  EXPECT_EQ(::shmctl(shared_memory, IPC_STAT, &status), -1);
  expect_nothing_left(copy);
}

TEST(Stop, DeathOfTheServerBeforeItsChecksIsNotTheBackupsFault) {
  RestoredCopy copy;
  TestRun run(copy, {check("relation_files"), check("read_all"), check("row_counts")});
  ::kill(server_of(run.start()), SIGKILL);
  expect_no_blame(run.driver().call("check", run.check_params()), 3);
  run.driver().call("cleanup");
  expect_nothing_left(copy);
}

TEST(Stop, DeathOfABackendIsNotTheBackupsFault) {
  RestoredCopy copy;
  TestRun run(copy, {endless_query()});
  run.start();
  const auto id = run.driver().send("check", run.check_params());
  ASSERT_TRUE(wait_for_process(run, "SELECT"));
  for (const auto& process : postgresql::descendants(run.driver().pid())) {
    if (postgresql::process_title(process.pid).find("SELECT") != std::string::npos) {
      ::kill(process.pid, SIGKILL);
    }
  }
  expect_no_blame(run.driver().answer(id, 60s), 1);
  run.driver().call("cleanup");
  expect_nothing_left(copy);
}

TEST(Stop, DeathOfTheServerInMidRecoveryIsNotTheBackupsFault) {
  RestoredCopy copy;
  copy.set_fetch("case $1 in *4) sleep 600;; esac; exec cp " + copy.archive().string() +
                 "/\"$1\" \"$2\" 2>/dev/null");
  TestRun run(copy, {});
  const auto id = run.driver().send("start", {{"artifact", copy.artifact()}});
  ASSERT_TRUE(wait_for_process(run, "waiting for 000000010000000000000004"));
  std::ifstream file(copy.data() / "postmaster.pid");
  pid_t pid = 0;
  ASSERT_TRUE(file >> pid);
  ::kill(pid, SIGKILL);
  const auto answer = run.driver().answer(id, 30s);
  ASSERT_TRUE(answer.error.has_value());
  EXPECT_EQ(answer.error->reason, Reason::host_unfit);
  run.driver().call("cleanup");
  expect_nothing_left(copy);
}

TEST(Stop, CleanupTwiceIsHarmless) {
  RestoredCopy copy;
  TestRun run(copy, {});
  run.start();
  EXPECT_TRUE(run.driver().call("cleanup").result.has_value());
  EXPECT_TRUE(run.driver().call("cleanup").result.has_value());
  expect_nothing_left(copy);
}

}  // namespace
}  // namespace rad::test
