#include "plugins/postgresql/control_data.h"

#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "agent/base/text.h"

namespace rad::postgresql {
namespace {

std::string real_text() {
  return read_file(RAD_SOURCE_DIR "/tests/unit/postgresql/data/controldata.txt").value();
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ControlData, ReadsWhatTheToolPrints) {
  const auto data = parse_control_data(real_text());
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->state, "in production");
  EXPECT_EQ(data->max_connections, 100U);
  EXPECT_EQ(data->max_wal_senders, 10U);
  EXPECT_EQ(data->wal_segment_bytes, 16U << 20U);
  EXPECT_EQ(data->block_bytes * data->blocks_per_file, std::uint64_t{1} << 30U);
  EXPECT_TRUE(data->data_checksums);
  EXPECT_EQ(format_rfc3339(data->checkpoint_time), "2026-11-20T21:29:11.000Z");
}

TEST(ControlData, RefusesAWrongChecksum) {
  const std::string warning =
      "WARNING: Calculated CRC checksum does not match value stored in file.\n";
  EXPECT_EQ(parse_control_data(warning + real_text()).error().reason, Reason::metadata_invalid);
  EXPECT_EQ(parse_control_data(real_text(), warning).error().reason, Reason::metadata_invalid);
}

TEST(ControlData, RefusesWhatIsMissingOrNoNumber) {
  EXPECT_FALSE(parse_control_data(""));
  EXPECT_FALSE(parse_control_data(replaced(real_text(), "max_connections setting", "else")));
  EXPECT_FALSE(parse_control_data(replaced(real_text(), "16777216", "many")));
  EXPECT_FALSE(parse_control_data(
      replaced(real_text(), "checkpoint:            Fri", "checkpoint:            On")));
}

TEST(ControlData, DoesWithoutTheSendersOfOldVersions) {
  EXPECT_TRUE(parse_control_data(replaced(real_text(), "max_wal_senders setting", "else")));
}

}  // namespace
}  // namespace rad::postgresql
