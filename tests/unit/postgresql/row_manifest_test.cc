#include "plugins/postgresql/row_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rad::postgresql {
namespace {

using ::testing::HasSubstr;

RowManifest manifest_of(const std::string& tables) {
  return parse_row_manifest(R"({"version": 1, "databases": {"app": )" + tables + "}}", "file")
      .value();
}

Expectation only(const std::string& value) {
  return manifest_of("{\"s.t\": " + value + "}").databases.at("app").at({"s", "t"});
}

std::string judged(std::uint64_t rows, const std::string& value, Tolerance fallback = {}) {
  return judge_rows(rows, only(value), fallback).value_or("right");
}

TEST(TableNames, TakeQuotesAndKeepLetters) {
  using Name = TableName;
  EXPECT_EQ(*parse_table_name("public.orders"), Name("public", "orders"));
  EXPECT_EQ(*parse_table_name("public.Weird Name; drop"), Name("public", "Weird Name; drop"));
  EXPECT_EQ(*parse_table_name("\"a.b\".\"c\"\"d\""), Name("a.b", "c\"d"));
  for (const char* text :
       {"", "orders", ".", "a.", ".b", "a.b.c", "\"a.b", "\"a\"b.c", "a.b\"c", "\"\".x"}) {
    EXPECT_FALSE(parse_table_name(text)) << text;
  }
}

TEST(Tolerances, AreSharesOrRows) {
  EXPECT_DOUBLE_EQ(parse_tolerance("1%")->share, 0.01);
  EXPECT_DOUBLE_EQ(parse_tolerance("0.5%")->share, 0.005);
  EXPECT_EQ(parse_tolerance("12")->rows, 12U);
  for (const char* text : {"", "%", "-1%", "101%", "1.5", "x", "1 %", "nan%", "1%%", "inf"}) {
    EXPECT_FALSE(parse_tolerance(text)) << text;
  }
}

TEST(JudgeRows, Exact) {
  EXPECT_EQ(judged(5, "5"), "right");
  EXPECT_EQ(judged(4, "5"), "4 rows, expected 5");
  EXPECT_EQ(judged(6, R"({"rows": 5})"), "6 rows, expected 5");
}

TEST(JudgeRows, WithTolerance) {
  EXPECT_EQ(judged(99, R"({"rows": 100, "tolerance": "1%"})"), "right");
  EXPECT_EQ(judged(98, R"({"rows": 100, "tolerance": "1%"})"), "98 rows, expected 100 within 1");
  EXPECT_EQ(judged(102, R"({"rows": 100, "tolerance": 2})"), "right");
  EXPECT_EQ(judged(90, R"({"rows": 100})", {0.1, 0}), "right");
  EXPECT_EQ(judged(90, R"({"rows": 100, "tolerance": 0})", {0.1, 0}), "90 rows, expected 100");
}

TEST(JudgeRows, Bounds) {
  EXPECT_EQ(judged(5, R"({"min": 5, "max": 7})"), "right");
  EXPECT_EQ(judged(4, R"({"min": 5})"), "4 rows, expected at least 5");
  EXPECT_EQ(judged(8, R"({"max": 7})"), "8 rows, expected at most 7");
}

TEST(JudgeRows, AnEmptyTableMustBeDeclaredEmpty) {
  EXPECT_EQ(judged(0, R"({"min": 0})"), "0 rows, and the table is not declared empty");
  EXPECT_EQ(judged(0, R"({"max": 9})"), "0 rows, and the table is not declared empty");
  EXPECT_EQ(judged(0, R"({"rows": 100, "tolerance": "100%"})"), "0 rows, expected 100");
  EXPECT_EQ(judged(0, "0"), "right");
  EXPECT_EQ(judged(0, R"({"empty": true})"), "right");
  EXPECT_EQ(judged(0, R"({"min": 0, "empty": true})"), "right");
  EXPECT_EQ(judged(1, R"({"empty": true})"), "1 rows, expected none");
  EXPECT_EQ(judged(1, "0"), "1 rows, expected 0");
}

TEST(RowManifests, NameWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"[]", "not a JSON object"},
      {"{", "file"},
      {R"({"databases": {"a": {}}})", "version"},
      {R"({"version": 2, "databases": {"a": {}}})", "version"},
      {R"({"version": 1})", "databases"},
      {R"({"version": 1, "databases": {}})", "databases"},
      {R"({"version": 1, "databases": {"a": 5}})", "a is not an object"},
      {R"({"version": 1, "tables": {}, "databases": {"a": {}}})", "unknown key 'tables'"},
      {R"({"version": 1, "tolerance": "x", "databases": {"a": {}}})", "tolerance 'x'"},
      {R"({"version": 1, "databases": {"a": {"t": 1}}})", "'t' is no table name"},
      {R"({"version": 1, "databases": {"a": {"s.t": -1}}})", "no whole number"},
      {R"({"version": 1, "databases": {"a": {"s.t": 1.5}}})", "no whole number"},
      {R"({"version": 1, "databases": {"a": {"s.t": null}}})", "is null"},
      {R"({"version": 1, "databases": {"a": {"s.t": {}}}})", "says nothing"},
      {R"({"version": 1, "databases": {"a": {"s.t": {"row": 1}}}})", "unknown key 'row'"},
      {R"({"version": 1, "databases": {"a": {"s.t": {"rows": 1, "min": 1}}}})", "both 'rows'"},
      {R"({"version": 1, "databases": {"a": {"s.t": {"min": 2, "max": 1}}}})", "above"},
      {R"({"version": 1, "databases": {"a": {"s.t": {"empty": "yes"}}}})",
       "neither true nor false"},
      {R"({"version": 1, "databases": {"a": {"s.t": 1, "\"s\".t": 1}}})", "is there twice"},
  };
  for (const auto& [text, message] : cases) {
    const auto manifest = parse_row_manifest(text, "file");
    ASSERT_FALSE(manifest) << text;
    EXPECT_EQ(manifest.error().reason, Reason::config_invalid);
    EXPECT_THAT(manifest.error().message, HasSubstr(message)) << text;
  }
}

}  // namespace
}  // namespace rad::postgresql
