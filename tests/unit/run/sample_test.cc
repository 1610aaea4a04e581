#include "agent/run/sample.h"

#include <fstream>

#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "tests/support/temp_dir.h"

namespace rad {
namespace {

constexpr const char* kGood = R"({"version": 1, "about": "two files",
  "options": {"storage": "file://{sample}/store", "envdir": null},
  "cases": [
    {"name": "intact", "about": "good", "depth": "verify", "verdict": "pass"},
    {"name": "bad", "about": "bad", "depth": "restore", "verdict": "fail", "reason": "truncated",
     "damage": [{"flip": "store/a", "at": 1}, {"cut": "store/b", "at": 2}, {"remove": "keys"}],
     "options": {"parallel": 1}, "checks": [{"check": "rows", "file": "{sample}/rows"}]}]})";

class SampleTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto sample = dir_ / "samples/p";
    std::filesystem::create_directories(sample / "store");
    std::filesystem::create_directories(sample / "keys/deep");
    write("store/a", "abc");
    write("store/b", "abc");
    write("keys/deep/k", "secret");
    std::filesystem::permissions(sample / "keys/deep/k", std::filesystem::perms{0600});
    write("selftest.json", kGood);
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / "samples/p" / name) << text;
  }
  auto load() { return load_sample(dir_ / "samples", "p"); }

  test::TempDir dir_;
};

TEST_F(SampleTest, CopiesAreDamagedAndTheSampleIsNot) {
  const auto sample = load();
  ASSERT_TRUE(sample && *sample) << sample.error().message;
  ASSERT_EQ((*sample)->cases.size(), 2U);
  ASSERT_TRUE(lay_out(**sample, (*sample)->cases[0], dir_ / "one"));
  EXPECT_EQ(*read_file(dir_ / "one/keys/deep/k"), "secret");
  EXPECT_EQ(std::filesystem::status(dir_ / "one/keys/deep/k").permissions(),
            std::filesystem::perms{0644});
  ASSERT_TRUE(lay_out(**sample, (*sample)->cases[1], dir_ / "two"));
  EXPECT_EQ(*read_file(dir_ / "two/store/a"),
            "a\x9d"
            "c");
  EXPECT_EQ(*read_file(dir_ / "two/store/b"), "ab");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "two/keys"));
  EXPECT_EQ(*read_file(dir_ / "samples/p/store/a"), "abc");
}

TEST_F(SampleTest, OptionsOfTheSampleWinAndNullTakesAway) {
  const auto sample = load();
  TargetConfig target;
  target.name = "t";
  target.restore.plugin = "p";
  target.restore.options.values = {{"envdir", "/etc/x"}, {"storage", "s3://y"}, {"kept", 7}};
  target.instance.emplace();
  target.keep.on_fail = std::chrono::hours(8);
  const TargetConfig verify = on_sample(target, **sample, (*sample)->cases[0], "/copy");
  EXPECT_EQ(verify.restore.options.values,
            (boost::json::object{{"storage", "file:///copy/store"}, {"kept", 7}}));
  EXPECT_FALSE(verify.instance);
  EXPECT_TRUE(verify.checks.empty());
  EXPECT_EQ(verify.keep.on_fail.count(), 0);
  const TargetConfig restore = on_sample(target, **sample, (*sample)->cases[1], "/copy");
  EXPECT_EQ(restore.restore.options.values.at("parallel"), 1);
  EXPECT_TRUE(restore.instance);
  ASSERT_EQ(restore.checks.size(), 1U);
  EXPECT_EQ(restore.checks[0].options.values.at("file"), "/copy/rows");
}

TEST_F(SampleTest, NoneIsNoError) {
  const auto sample = load_sample(dir_ / "samples", "q");
  ASSERT_TRUE(sample);
  EXPECT_FALSE(*sample);
}

TEST_F(SampleTest, DescriptionsThatProveNothingAreRefused) {
  const std::string good = kGood;
  const auto with = [&good](const std::string& what, const std::string& instead) {
    std::string text = good;
    text.replace(text.find(what), what.size(), instead);
    return text;
  };
  for (const std::string& text :
       {std::string("[]"), std::string("{}"), good.substr(0, good.size() - 1),
        with("\"version\": 1", "\"version\": 2"), with("store/a", "/etc/passwd"),
        with("store/a", "store/../../a"), with("truncated", "trunkated"), with("\"fail\"", "\"f\""),
        with("\"pass\"", "\"fail\", \"reason\": \"truncated\""), with("\"bad\"", "\"intact\""),
        with("\"reason\": \"truncated\",", ""), with("\"at\": 1", "\"at\": -1"),
        with("{\"flip\"", "{\"flop\"")}) {
    write("selftest.json", text);
    const auto sample = load();
    ASSERT_FALSE(sample) << text;
    EXPECT_EQ(sample.error().reason, Reason::config_invalid) << text;
    EXPECT_NE(sample.error().message.find("samples/p"), std::string::npos);
  }
}

TEST_F(SampleTest, DamageThatHitsNothingIsAnError) {
  auto sample = load();
  ASSERT_TRUE(sample && *sample);
  SampleCase one = (*sample)->cases[0];
  int number = 0;
  using Kind = SampleDamage::Kind;
  for (const SampleDamage& damage :
       {SampleDamage{Kind::flip, "store/a", 3}, SampleDamage{Kind::cut, "store/a", 3},
        SampleDamage{Kind::remove, "store/c", 0}, SampleDamage{Kind::flip, "store", 0}}) {
    one.damage = {damage};
    const Status laid = lay_out(**sample, one, dir_ / std::to_string(++number));
    ASSERT_FALSE(laid) << number;
    EXPECT_EQ(laid.error().reason, Reason::config_invalid) << number;
  }
}

}  // namespace
}  // namespace rad
