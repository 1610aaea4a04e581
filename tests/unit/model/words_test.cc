#include "agent/model/words.h"

#include <gtest/gtest.h>

#include "agent/model/run_report.h"

namespace rad {
namespace {

template <class E>
void expect_both_ways(std::initializer_list<std::pair<E, std::string_view>> rows,
                      std::optional<E> (*parse)(std::string_view) noexcept) {
  for (const auto& [value, name] : rows) {
    EXPECT_EQ(to_string(value), name);
    EXPECT_EQ(parse(name), value);
  }
  EXPECT_EQ(parse(""), std::nullopt);
  EXPECT_EQ(parse("?"), std::nullopt);
  EXPECT_EQ(to_string(static_cast<E>(200)), "?");
}

TEST(Words, AreSpelledAsTheEnumerators) {
  expect_both_ways<Depth>(
      {{Depth::inspect, "inspect"}, {Depth::verify, "verify"}, {Depth::restore, "restore"}},
      parse_depth);
  expect_both_ways<Stage>({{Stage::preflight, "preflight"},
                           {Stage::fetch, "fetch"},
                           {Stage::restore, "restore"},
                           {Stage::recover, "recover"},
                           {Stage::check, "check"},
                           {Stage::cleanup, "cleanup"},
                           {Stage::report, "report"}},
                          parse_stage);
  expect_both_ways<Outcome>({{Outcome::pass, "pass"},
                             {Outcome::fail, "fail"},
                             {Outcome::inconclusive, "inconclusive"},
                             {Outcome::skipped, "skipped"},
                             {Outcome::not_applicable, "not_applicable"}},
                            parse_outcome);
  expect_both_ways<Verdict>({{Verdict::pass, "pass"},
                             {Verdict::fail, "fail"},
                             {Verdict::inconclusive, "inconclusive"},
                             {Verdict::cancelled, "cancelled"}},
                            parse_verdict);
  expect_both_ways<Proof>({{Proof::none, "none"},
                           {Proof::metadata, "metadata"},
                           {Proof::bytes, "bytes"},
                           {Proof::data, "data"}},
                          parse_proof);
  expect_both_ways<Role>(
      {{Role::restore, "restore"}, {Role::instance, "instance"}, {Role::check, "check"}},
      parse_role);
  expect_both_ways<CleanupResult>({{CleanupResult::pending, "pending"},
                                   {CleanupResult::clean, "clean"},
                                   {CleanupResult::kept, "kept"},
                                   {CleanupResult::failed, "failed"}},
                                  parse_cleanup_result);
}

TEST(Words, DeeperRunsNeedMoreProof) {
  EXPECT_EQ(needed_proof(Depth::inspect), Proof::metadata);
  EXPECT_EQ(needed_proof(Depth::verify), Proof::bytes);
  EXPECT_EQ(needed_proof(Depth::restore), Proof::data);
  EXPECT_LT(Depth::inspect, Depth::verify);
  EXPECT_LT(Depth::verify, Depth::restore);
}

int status_of(std::optional<Verdict> verdict, CleanupResult cleanup = CleanupResult::clean) {
  RunReport report;
  report.verdict = verdict;
  report.cleanup = cleanup;
  return exit_status(report);
}

TEST(ExitStatus, TellsTheVerdictAndLeftDataOfAPass) {
  EXPECT_EQ(status_of(Verdict::pass), 0);
  EXPECT_EQ(status_of(Verdict::pass, CleanupResult::kept), 0);
  EXPECT_EQ(status_of(Verdict::pass, CleanupResult::failed), 7);
  EXPECT_EQ(status_of(Verdict::fail), 1);
  EXPECT_EQ(status_of(Verdict::fail, CleanupResult::failed), 1);
  EXPECT_EQ(status_of(Verdict::inconclusive), 3);
  EXPECT_EQ(status_of(Verdict::cancelled), 6);
  EXPECT_EQ(status_of(std::nullopt), 3) << "a run without an end is not a pass";
}

}  // namespace
}  // namespace rad
