// The logs in data/ were written by PostgreSQL 15.20 in the situations that their names say.
#include "plugins/postgresql/server_log.h"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "agent/base/text.h"

namespace rad::postgresql {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kSegmentBytes = 16U << 20U;

std::string log_of(const std::string& name) {
  return read_file(RAD_SOURCE_DIR "/tests/unit/postgresql/data/" + name + ".log").value();
}

Error classify(const std::string& name, const ExitStatus& status = {1, 0}) {
  return classify_server_end(log_of(name), status, "recovering");
}

struct Case {
  const char* log;
  Reason reason;
  const char* message;
};

class ServerEnd : public ::testing::TestWithParam<Case> {};

TEST_P(ServerEnd, IsToldApart) {
  const Error error = classify(GetParam().log);
  EXPECT_EQ(to_string(error.reason), to_string(GetParam().reason));
  EXPECT_THAT(error.message, HasSubstr(GetParam().message));
  EXPECT_THAT(error.message, testing::StartsWith("PostgreSQL ended while recovering"));
  EXPECT_FALSE(error.detail.empty());
}

INSTANTIATE_TEST_SUITE_P(
    RealLogs, ServerEnd,
    ::testing::Values(Case{"gapname", Reason::recovery_failed, "before configured recovery target"},
                      Case{"nostart", Reason::recovery_failed, "required checkpoint record"},
                      Case{"dmgstartstop", Reason::recovery_failed, "required checkpoint record"},
                      Case{"nolabel", Reason::recovery_failed, "valid checkpoint record"},
                      Case{"trunc", Reason::wal_damaged, "000000010000000000000004"},
                      Case{"cmd255", Reason::storage_unreachable, "exit code 255"},
                      Case{"early", Reason::config_invalid, "before consistent recovery point"},
                      Case{"lib", Reason::library_missing, "timescaledb"},
                      Case{"mem", Reason::out_of_memory, "Cannot allocate memory"},
                      Case{"locale", Reason::locale_missing, "lc_monetary"},
                      Case{"full", Reason::scratch_full, "No space left on device"},
                      Case{"ver", Reason::version_unsupported, "incompatible with server"},
                      Case{"mode", Reason::host_unfit, "invalid permissions"},
                      Case{"sock", Reason::host_unfit, "lock file"},
                      Case{"kill9", Reason::host_unfit, "signal 9"},
                      Case{"nocontrol", Reason::start_failed, "pg_control is missing"}),
    [](const auto& param) { return std::string(param.param.log); });

TEST(ServerEnd, OfAKilledServerIsNotTheBackupsFault) {
  const Error error = classify_server_end(log_of("latest"), {0, SIGKILL}, "recovering");
  EXPECT_EQ(error.reason, Reason::host_unfit);
  EXPECT_THAT(error.hint, HasSubstr("out-of-memory"));
}

TEST(ServerEnd, WithoutALogIsNotTheBackupsFault) {
  EXPECT_EQ(classify_server_end("", {1, 0}, "recovering").reason, Reason::host_unfit);
}

TEST(ServerEnd, IsNotWhatABackendSaysOfItsConnection) {
  const std::string log =
      "2026-11-20 21:30:19.399 UTC [7] FATAL:  role \"postgres\" does not exist\n"
      "2026-11-20 21:30:19.399 UTC [8] FATAL:  database \"postgres\" does not exist\n"
      "2026-11-20 21:30:20.399 UTC [9] FATAL:  terminating connection due to unexpected postmaster "
      "exit\n";
  EXPECT_EQ(classify_server_end(log, {0, SIGKILL}, "it was being checked").reason,
            Reason::host_unfit);
  EXPECT_FALSE(blames_data(log));
}

TEST(ServerEnd, InCrashOfTheStartupProcessIsARecoveryFailure) {
  const std::string log =
      "2026-11-20 21:30:20.879 UTC [15761] LOG:  startup process (PID 15764) was terminated by "
      "signal 11: Segmentation fault\n";
  EXPECT_EQ(classify_server_end(log, {1, 0}, "recovering").reason, Reason::recovery_failed);
}

TEST(ServerEnd, HasTheLogsTailWithoutControlCharacters) {
  const Error error = classify_server_end("one\ntwo \x1b[31m\n", {1, 0}, "recovering");
  EXPECT_THAT(error.detail, Not(HasSubstr("\x1b")));
  EXPECT_THAT(error.detail, HasSubstr("one\ntwo"));
}

TEST(BlamesData, OnlyForAPanicThatTheHostDoesNotExplain) {
  EXPECT_TRUE(blames_data(
      "2026-11-20 21:30:20.879 UTC [1] PANIC:  WAL contains references to invalid pages\n"));
  EXPECT_FALSE(
      blames_data("2026-11-20 21:30:20.879 UTC [1] PANIC:  could not write to file "
                  "\"pg_wal/x\": No space left on device\n"));
  EXPECT_FALSE(blames_data(log_of("latest")));
}

TEST(RecoveryLog, OfARecoveryToTheEnd) {
  const RecoveryLog log = parse_recovery_log(log_of("latest"), kSegmentBytes);
  EXPECT_TRUE(log.archive_recovery);
  EXPECT_FALSE(log.target_reached);
  EXPECT_EQ(log.redo_done, parse_lsn("0/51D62C0"));
  ASSERT_TRUE(log.last_transaction);
  EXPECT_EQ(format_rfc3339(*log.last_transaction), "2026-11-20T21:29:13.087Z");
  EXPECT_EQ(log.last_restored_segment, "000000010000000000000005");
  EXPECT_EQ(log.end_segment, "");
}

TEST(RecoveryLog, OfTargets) {
  const RecoveryLog name = parse_recovery_log(log_of("name"), kSegmentBytes);
  EXPECT_TRUE(name.target_reached);
  EXPECT_THAT(name.stop_text, HasSubstr("recovery stopping at restore point \"rp2\""));
  EXPECT_TRUE(parse_recovery_log(log_of("immediate"), kSegmentBytes).target_reached);
}

TEST(RecoveryLog, NamesTheSegmentThatReplayComplainedOf) {
  EXPECT_EQ(parse_recovery_log(log_of("damaged"), kSegmentBytes).end_segment,
            "000000010000000000000004");
  EXPECT_EQ(parse_recovery_log(log_of("older"), kSegmentBytes).end_segment,
            "000000010000000000000004");
  EXPECT_EQ(parse_recovery_log(log_of("dmgstartstop"), kSegmentBytes).end_segment,
            "000000010000000000000002");
  EXPECT_EQ(parse_recovery_log(log_of("gap"), kSegmentBytes).end_segment, "");
}

TEST(RecoveryLog, TellsOfStatusFilesThatWereNotThere) {
  const RecoveryLog log = parse_recovery_log(log_of("noxact"), kSegmentBytes);
  ASSERT_EQ(log.missing_status_files.size(), 1U);
  EXPECT_THAT(log.missing_status_files[0], HasSubstr("pg_xact/0000"));
  EXPECT_TRUE(parse_recovery_log(log_of("latest"), kSegmentBytes).missing_status_files.empty());
}

TEST(RecoveryLog, OfGarbageIsEmpty) {
  const RecoveryLog log = parse_recovery_log("redo done at\n] LOG:  redo done at x\n\xff\xfe\n", 0);
  EXPECT_FALSE(log.redo_done);
  EXPECT_FALSE(log.archive_recovery);
}

TEST(LogTail, KeepsWholeLines) {
  EXPECT_EQ(log_tail("first line\nsecond line\nthird line\n", 24), "second line\nthird line");
}

}  // namespace
}  // namespace rad::postgresql
