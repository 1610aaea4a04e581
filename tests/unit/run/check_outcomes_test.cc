#include "agent/run/check_outcomes.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "plugins/protocol/codec.h"

namespace rad {
namespace {

using ::testing::HasSubstr;

class OutcomesFile : public ::testing::Test {
 protected:
  OutcomesFile() : top_(std::filesystem::temp_directory_path() / ("outcomes-" + random_hex())) {
    std::filesystem::create_directories(scratch_);
    std::filesystem::create_directories(outside_);
  }
  ~OutcomesFile() override { (void)remove_tree(top_); }

  static void write(const std::filesystem::path& path, std::size_t count) {
    std::vector<CheckOutcome> outcomes(count);
    for (std::size_t i = 0; i < count; ++i) {
      outcomes[i].name = "check-" + std::to_string(i);
      outcomes[i].check = "row_counts";
    }
    std::ofstream(path) << protocol::encode_outcomes(outcomes);
  }
  void expect_refused(const std::filesystem::path& file, const std::string& why) const {
    const auto outcomes = read_outcomes_file(scratch_, file.string());
    ASSERT_FALSE(outcomes) << file;
    EXPECT_EQ(outcomes.error().reason, Reason::plugin_protocol);
    EXPECT_THAT(outcomes.error().message, HasSubstr(why));
    EXPECT_THAT(outcomes.error().message, HasSubstr(file.filename().string()));
  }

  std::filesystem::path top_;
  std::filesystem::path scratch_ = top_ / "scratch";
  std::filesystem::path outside_ = top_ / "outside";
};

TEST_F(OutcomesFile, GivesAllOfThem) {
  write(scratch_ / "outcomes.json", 2500);
  const auto outcomes = read_outcomes_file(scratch_, (scratch_ / "outcomes.json").string());
  ASSERT_TRUE(outcomes) << outcomes.error().message;
  ASSERT_EQ(outcomes->size(), 2500U);
  EXPECT_EQ(outcomes->back().name, "check-2499");
}

TEST_F(OutcomesFile, OutsideOfScratchIsRefused) {
  write(outside_ / "outcomes.json", 1);
  expect_refused(outside_ / "outcomes.json", "not in the plugin's scratch");
  expect_refused(scratch_ / "../outside/outcomes.json", "cannot read");
  expect_refused(scratch_.string() + "-beside/outcomes.json", "not in the plugin's scratch");
}

TEST_F(OutcomesFile, LinksAreNotFollowed) {
  write(outside_ / "outcomes.json", 1);
  std::filesystem::create_symlink(outside_ / "outcomes.json", scratch_ / "link.json");
  expect_refused(scratch_ / "link.json", "cannot read");
  std::filesystem::create_directory_symlink(outside_, scratch_ / "directory");
  expect_refused(scratch_ / "directory/outcomes.json", "cannot read");
}

TEST_F(OutcomesFile, WhatIsNoFileOfOutcomesIsRefused) {
  expect_refused(scratch_ / "missing.json", "No such file");
  ASSERT_EQ(::mkfifo((scratch_ / "fifo.json").c_str(), 0600), 0);
  expect_refused(scratch_ / "fifo.json", "not a regular file");
  std::ofstream(scratch_ / "large.json") << "[]";
  std::filesystem::resize_file(scratch_ / "large.json", (64U << 20U) + 1);
  expect_refused(scratch_ / "large.json", "larger than");
  std::ofstream(scratch_ / "text.json") << "hello";
  const auto outcomes = read_outcomes_file(scratch_, (scratch_ / "text.json").string());
  ASSERT_FALSE(outcomes);
  EXPECT_EQ(outcomes.error().reason, Reason::plugin_protocol);
}

}  // namespace
}  // namespace rad
