// Each check on a real restored cluster, sound and broken.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/json.h"
#include "tests/integration/postgresql/run_support.h"

namespace rad::test {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string fact(const char* key) {
  return SourceCluster::instance().fact(key);
}

std::string write_manifest(const RestoredCopy& copy, const bj::object& tables,
                           const bj::object& others = {}) {
  bj::object databases{{"app", tables}};
  for (const auto& [key, value] : others) databases[key] = value;
  const fs::path path = copy.place() / "rows.json";
  std::ofstream(path) << bj::serialize(bj::object{{"version", 1}, {"databases", databases}});
  return path;
}

bj::object right_counts() {
  return {{"shop.orders", 31200},
          {"shop.late", {{"rows", 50}}},
          {"shop.\"Odd.Name\"", {{"min", 3}, {"max", 3}}},
          {"shop.nothing", {{"empty", true}}},
          {"shop.cache", 9},  // unlogged: exempt
          {"shop.parted", 50},
          {"shop.parted_high", {{"empty", true}}},
          {"public.words", {{"rows", 255}, {"tolerance", "2%"}}}};
}

std::vector<std::string> summaries(const std::vector<CheckOutcome>& outcomes) {
  std::vector<std::string> texts;
  for (const CheckOutcome& outcome : outcomes) {
    texts.push_back(outcome.name + ": " + summary(outcome));
  }
  return texts;
}

TEST(Checks, AllPassOnASoundCluster) {
  RestoredCopy copy;
  TestRun run(copy, {check("page_checksums", {{"scope", "all"}}), check("recovery_point"),
                     check("relation_files"), check("read_all"),
                     check("row_counts", {{"manifest", write_manifest(copy, right_counts())}}),
                     check("amcheck", {{"heapallindexed", true}}),
                     check("freshness", {{"database", "app"},
                                         {"table", "shop.orders"},
                                         {"column", "placed_at"},
                                         {"max_age", "5000w"}})});
  run.start();
  const auto outcomes = run.check_all();
  EXPECT_THAT(
      summaries(outcomes),
      ElementsAre("page_checksums: pass", "recovery_point: pass", "relation_files: pass",
                  "read_all: pass", "row_counts: pass", "amcheck: pass", "freshness: pass"));
  EXPECT_EQ(outcomes[0].proof, Proof::data);
  EXPECT_EQ(outcomes[3].proof, Proof::data);
  // The instance runs again after pg_checksums.
  EXPECT_EQ(summaries(run.check_all()).size(), 7U);
}

TEST(Checks, RowCountsNamesEachTableAtFault) {
  RestoredCopy copy;
  bj::object tables = right_counts();
  tables["shop.orders"] = 31201;
  tables["shop.nothing"] = {{"min", 0}};
  tables["shop.dropped"] = 5;
  tables["public.words"] = {{"rows", 300}, {"tolerance", "2%"}};
  TestRun run(copy,
              {check("row_counts",
                     {{"manifest", write_manifest(copy, tables, {{"gone", {{"public.t", 1}}}})}})});
  run.start();
  const CheckOutcome outcome = run.check_one();
  EXPECT_EQ(outcome.outcome, Outcome::fail);
  EXPECT_EQ(outcome.reason, Reason::row_count_mismatch);
  EXPECT_THAT(outcome.details, Contains("app.shop.orders: 31200 rows, expected 31201"));
  EXPECT_THAT(outcome.details,
              Contains("app.shop.nothing: 0 rows, and the table is not declared empty"));
  EXPECT_THAT(outcome.details, Contains("app.shop.dropped: the table is missing"));
  EXPECT_THAT(outcome.details, Contains("app.public.words: 250 rows, expected 300 within 6"));
  EXPECT_THAT(outcome.details, Contains("gone: the database is missing"));
  EXPECT_THAT(outcome.details, Contains("app.shop.cache: unlogged, empty after every recovery"));
}

TEST(Checks, RowCountsTellsOfTablesThatAreNotListed) {
  RestoredCopy copy;
  const std::string manifest = write_manifest(copy, {{"shop.orders", 31200}, {"shop.parted", 50}});
  for (const char* how : {"ignore", "warn", "fail"}) {
    protocol::CheckSpec spec = check("row_counts", {{"manifest", manifest}, {"unlisted", how}});
    RestoredCopy fresh;
    TestRun run(fresh, {spec});
    run.start();
    const CheckOutcome outcome = run.check_one();
    EXPECT_EQ(outcome.outcome, std::string(how) == "fail" ? Outcome::fail : Outcome::pass) << how;
    const auto line = Contains("app.shop.late: not in the manifest");
    if (std::string(how) == "ignore") {
      EXPECT_THAT(outcome.details, Not(line));
    } else {
      EXPECT_THAT(outcome.details, line);
    }
    EXPECT_THAT(outcome.details, Not(Contains("app.shop.parted_low: not in the manifest")));
  }
}

TEST(Checks, RowCountsWithoutManifestWantsNoEmptyTable) {
  RestoredCopy copy;
  protocol::CheckSpec strict = check("row_counts");
  protocol::CheckSpec declared = check("row_counts", {{"empty", bj::array{"app.shop.nothing"}}});
  declared.name = "declared";
  TestRun run(copy, {strict, declared});
  run.start();
  EXPECT_THAT(
      summaries(run.check_all()),
      ElementsAre("row_counts: fail row_count_mismatch app.shop.nothing", "declared: pass"));
}

TEST(Checks, AManifestThatIsWrongEndsTheRunBeforeItBegins) {
  RestoredCopy copy;
  PluginDriver driver({{},
                       {check("row_counts", {{"manifest", write_manifest(copy, {{"no dot", 5}})}})},
                       copy.place()});
  const auto answer = driver.initialize();
  ASSERT_TRUE(answer.error.has_value());
  EXPECT_EQ(answer.error->reason, Reason::config_invalid);
  EXPECT_THAT(answer.error->message, HasSubstr("'no dot' is no table name"));
}

TEST(Checks, FindADamagedPage) {
  RestoredCopy copy;
  flip_byte(copy.data() / fact("odd_name"), 8000);
  const bj::object suspects{
      {"suspect_pages", bj::array{bj::object{{"path", fact("odd_name")}, {"block", 0}}}}};
  protocol::CheckSpec all = check("page_checksums", {{"scope", "all"}});
  all.name = "all_pages";
  TestRun run(copy, {check("page_checksums"), all, check("read_all")});
  run.start(suspects);
  const auto outcomes = run.check_all();
  EXPECT_THAT(summaries(outcomes),
              ElementsAre("page_checksums: fail checksum_mismatch " + fact("odd_name"),
                          "all_pages: fail checksum_mismatch " + fact("odd_name"),
                          "read_all: fail checksum_mismatch " + fact("odd_name")));
  EXPECT_THAT(outcomes[0].message, HasSubstr("block 0"));
}

TEST(Checks, FindADamagedPageThatACutListDoesNotName) {
  RestoredCopy copy;
  flip_byte(copy.data() / fact("odd_name"), 8000);
  TestRun run(copy, {check("page_checksums")});
  run.start({{"suspect_pages", bj::array{bj::object{{"path", fact("words_pkey")}, {"block", 0}}}},
             {"suspect_pages_cut", true}});
  const CheckOutcome outcome = run.check_one();
  EXPECT_EQ(summary(outcome), "fail checksum_mismatch " + fact("odd_name"));
  EXPECT_THAT(outcome.details, ::testing::Contains(HasSubstr("every page was read")));
}

TEST(Checks, AskedForSuspectsReadEveryPageWhenTheListIsCut) {
  RestoredCopy copy;
  TestRun run(copy, {check("page_checksums")});
  run.start({{"suspect_pages_cut", true}});
  const CheckOutcome outcome = run.check_one();
  EXPECT_EQ(summary(outcome), "pass");
  EXPECT_EQ(outcome.message, "every page matches its checksum");
  EXPECT_EQ(outcome.proof, Proof::data);
}

TEST(Checks, FindASuspectPageHealedByRecovery) {
  RestoredCopy copy;
  TestRun run(copy, {check("page_checksums")});
  run.start({{"suspect_pages", bj::array{bj::object{{"path", fact("odd_name")}, {"block", 0}}}}});
  const CheckOutcome outcome = run.check_one();
  EXPECT_EQ(summary(outcome), "pass");
  EXPECT_EQ(outcome.measured, "0 bad of 1 pages in 1 files");
}

TEST(Checks, FindARelationWithoutItsFile) {
  RestoredCopy copy;
  fs::remove(copy.data() / fact("odd_name"));
  TestRun run(copy, {check("relation_files"), check("read_all")});
  run.start();
  EXPECT_THAT(summaries(run.check_all()),
              ElementsAre("relation_files: fail missing_object app.shop.Odd.Name",
                          "read_all: fail check_failed app.shop.Odd.Name"));
}

TEST(Checks, FindAnIndexOfOtherRows) {
  RestoredCopy copy;
  fs::copy_file(copy.data() / fact("other_pkey"), copy.data() / fact("words_pkey"),
                fs::copy_options::overwrite_existing);
  TestRun run(copy, {check("amcheck", {{"heapallindexed", true}}), check("page_checksums")});
  run.start();
  const auto outcomes = run.check_all();
  EXPECT_THAT(summaries(outcomes), ElementsAre("amcheck: fail check_failed app.public.words_pkey",
                                               "page_checksums: pass"));
  EXPECT_THAT(outcomes[0].message, HasSubstr("lacks matching index tuple"));
}

TEST(Checks, ToldApartOrderFromOtherLocales) {
  RestoredCopy copy;
  TestRun run(copy, {check("amcheck", {{"heap", false}})});
  const auto started = run.start();
  EXPECT_EQ(summary(run.check_one()), "pass");
  // An index in the order of C, said to be in the order of German.
  run_sql(
      started, "app",
      "create table german (w text collate \"C\");"
      "insert into german select chr(65 + i % 2 * 32 + i % 26) || i from generate_series(1, 999) i;"
      "create index german_w on german (w);"
      "update pg_index set indcollation = (select oid::text::oidvector from pg_collation"
      "  where collname = 'de-x-icu') where indexrelid = 'german_w'::regclass");
  EXPECT_EQ(summary(run.check_one()), "fail check_failed app.public.german_w");
  run_sql(started, "app", "update pg_collation set collversion = '1' where collname = 'de-x-icu'");
  const CheckOutcome outcome = run.check_one();
  EXPECT_EQ(summary(outcome), "inconclusive locale_missing app.public.german_w");
}

TEST(Checks, CannotTellWithoutALocale) {
  RestoredCopy copy;
  TestRun run(copy, {check("read_all"), check("row_counts"), check("amcheck")});
  run_sql(run.start(), "postgres",
          "update pg_database set datcollate = 'xx_YY.utf8', datctype = 'xx_YY.utf8' "
          "where datname = 'app'");
  for (const CheckOutcome& outcome : run.check_all()) {
    EXPECT_EQ(outcome.reason, Reason::locale_missing) << outcome.message;
    EXPECT_EQ(outcome.outcome, Outcome::inconclusive);
  }
}

TEST(Checks, ReadAllWantsARow) {
  RestoredCopy copy{RestoredCopy::Odd{}};
  protocol::CheckSpec allowed = check("read_all", {{"allow_empty", true}});
  allowed.name = "allowed";
  TestRun run(copy, {check("read_all"), allowed});
  run_sql(run.start(), "template1", "delete from public.kept");
  EXPECT_THAT(summaries(run.check_all()),
              ElementsAre("read_all: fail check_failed", "allowed: pass"));
}

TEST(Checks, AmcheckSaysHowMuchItSampled) {
  RestoredCopy copy;
  protocol::CheckSpec again = check("amcheck", {{"sample", "20%"}});
  again.name = "again";
  protocol::CheckSpec other = check("amcheck", {{"sample", "20%"}, {"seed", 7}});
  other.name = "other";
  TestRun run(copy, {check("amcheck", {{"sample", "20%"}}), again, other});
  run.start();
  const auto outcomes = run.check_all();
  for (const CheckOutcome& outcome : outcomes) EXPECT_EQ(outcome.outcome, Outcome::pass);
  EXPECT_EQ(outcomes[0].measured, outcomes[1].measured);
  EXPECT_NE(outcomes[0].measured, outcomes[2].measured);
  int sampled = 0;
  int all = 0;
  ASSERT_EQ(std::sscanf(outcomes[0].measured.c_str(), "%d of %d", &sampled, &all), 2);
  EXPECT_GT(sampled, all / 10);
  EXPECT_LT(sampled, all * 3 / 10);
}

struct SqlCase {
  bj::object options;
  std::string expected;
};

TEST(Checks, SqlJudgesOneRowWithOneColumn) {
  const std::vector<SqlCase> cases{
      {{{"query", "select true"}}, "pass"},
      {{{"query", "select false"}}, "fail check_failed sql"},
      {{{"query", "select null::bool"}}, "fail check_failed sql"},
      {{{"query", "select true where false"}}, "fail check_failed sql"},
      {{{"query", "select true from generate_series(1, 1000000)"}}, "fail check_failed sql"},
      {{{"query", "select 5"}, {"min", 5}, {"max", 5}}, "pass"},
      {{{"query", "select 4"}, {"min", 5}}, "fail check_failed sql"},
      {{{"query", "select 6.5::numeric"}, {"max", 6}}, "fail check_failed sql"},
      {{{"query", "select 7"}, {"equals", 7}}, "pass"},
      {{{"query", "select 'NaN'::float8"}, {"equals", 7}}, "fail check_failed sql"},
      {{{"query", "select 5"}}, "inconclusive config_invalid"},
      {{{"query", "select 'x'"}, {"min", 1}}, "inconclusive config_invalid"},
      {{{"query", "select 1, 2"}, {"min", 1}}, "inconclusive config_invalid"},
      {{{"query", "select count(*) from nowhere"}, {"min", 1}}, "inconclusive check_error"},
      {{{"query", "select count(*) from words"}, {"database", "app"}, {"equals", 250}}, "pass"},
      {{{"query", "delete from words returning true"}, {"database", "app"}},
       "inconclusive check_error"},
      {{{"query", "select true; select true"}}, "inconclusive check_error"},
      {{{"query", "select pg_sleep(60)::text = ''"}, {"statement_timeout", "200ms"}},
       "inconclusive timeout"},
      {{{"query", "select true"}, {"database", "gone"}}, "inconclusive check_error"},
  };
  RestoredCopy copy;
  std::vector<protocol::CheckSpec> specs;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    specs.push_back(check("sql", cases[i].options));
    specs.back().name = "sql";
    specs.back().name += std::to_string(i);
  }
  TestRun run(copy, specs);
  run.start();
  const auto outcomes = run.check_all();
  ASSERT_EQ(outcomes.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    std::string expected = cases[i].expected;
    if (expected.ends_with(" sql")) expected += std::to_string(i);
    EXPECT_EQ(summary(outcomes[i]), expected)
        << bj::serialize(cases[i].options) << ": " << outcomes[i].message;
  }
}

TEST(Checks, NeverTellAValue) {
  RestoredCopy copy;
  protocol::CheckSpec cast = check("sql", {{"query", "select ('secret' || 'value')::int"}});
  protocol::CheckSpec number = check("sql", {{"query", "select 987654321"}, {"max", 5}});
  cast.name = "cast";
  number.name = "number";
  TestRun run(copy, {cast, number});
  run.start();
  for (const CheckOutcome& outcome : run.check_all()) {
    const std::string text = outcome.message + outcome.measured + outcome.hint + outcome.object;
    EXPECT_THAT(text, Not(HasSubstr("secretvalue")));
    EXPECT_THAT(text, Not(HasSubstr("987654321")));
  }
  EXPECT_THAT(run.driver().errors(), Not(HasSubstr("secretvalue")));
}

TEST(Checks, FreshnessComparesWithTheRecoveredTime) {
  RestoredCopy copy;
  const auto with = [](const char* name, bj::object options) {
    options["database"] = "app";
    protocol::CheckSpec spec = check("freshness", std::move(options));
    spec.name = name;
    return spec;
  };
  TestRun run(
      copy,
      {with("young", {{"query", "select max(placed_at) from shop.orders"}, {"max_age", "5000w"}}),
       with("old", {{"table", "shop.orders"}, {"column", "placed_at"}, {"max_age", "1h"}}),
       with("none", {{"query", "select max(now()) from shop.nothing"}, {"max_age", "1h"}}),
       with("future", {{"query", "select now() + interval '9 days'"}, {"max_age", "1h"}}),
       with("endless", {{"query", "select 'infinity'::timestamptz"}, {"max_age", "1h"}}),
       with("now", {{"query", "select now()"}, {"max_age", "1h"}, {"reference", "now"}})});
  run.start();
  EXPECT_THAT(summaries(run.check_all()),
              ElementsAre("young: pass", "old: fail stale_data old", "none: fail stale_data none",
                          "future: inconclusive check_error", "endless: inconclusive check_error",
                          "now: pass"));
}

TEST(Checks, AnswerOnTheEndpointOfAnotherPlugin) {
  RestoredCopy copy;
  TestRun run(copy, {check("read_all"), check("recovery_point"), check("page_checksums")});
  run.start();
  RestoredCopy elsewhere{RestoredCopy::Odd{}};
  TestRun other(elsewhere, {});
  const auto answer = other.driver().call("check", run.check_params());
  ASSERT_TRUE(answer.result.has_value());
  const auto outcomes = protocol::from_json<protocol::CheckResult>(*answer.result).value().outcomes;
  EXPECT_THAT(summaries(outcomes),
              ElementsAre("read_all: pass", "recovery_point: inconclusive check_error",
                          "page_checksums: inconclusive check_error"));
}

}  // namespace
}  // namespace rad::test
