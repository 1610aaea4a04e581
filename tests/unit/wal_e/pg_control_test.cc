#include "plugins/wal_e/pg_control.h"

#include <gtest/gtest.h>

#include "plugins/wal_e/base_backup_reader.h"
#include "tests/unit/wal_e/wal_e_support.h"

namespace rad::wal_e {
namespace {

/// As PostgreSQL 15 wrote it.
const std::string& genuine() {
  static const std::string bytes = [] {
    const auto storage = test_support::storage_of(test_support::plain_store());
    ReadOptions options;
    options.partitions = storage->list("basebackups_005/").value();
    std::erase_if(options.partitions,
                  [](const auto& object) { return !object.key.ends_with(".tar.lzo"); });
    return read_base_backup(*storage, {}, options).value().pg_control;
  }();
  return bytes;
}

TEST(PgControl, OfPostgreSql15) {
  const auto control = parse_pg_control(genuine());
  ASSERT_TRUE(control) << control.error().message;
  EXPECT_EQ(control->system_identifier, test_support::kSystemIdentifier);
  EXPECT_EQ(control->version, 1300U);
  EXPECT_EQ(control->catalog_version, 202209061U);
  EXPECT_EQ(control->state, ClusterState::in_production);
  EXPECT_EQ(control->checkpoint, 0x5000060U);
  EXPECT_EQ(control->redo, 0x5000028U);
  EXPECT_EQ(control->timeline, 1U);
  EXPECT_EQ(control->block_bytes, 8192U);
  EXPECT_EQ(control->segment_bytes, 16U << 20U);
  EXPECT_EQ(control->data_checksum_version, 1U);
}

TEST(PgControl, WithAnyByteOfItsStructureAlteredIsRefused) {
  for (std::size_t at = 0; at < 292; ++at) {
    std::string bytes = genuine();
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    EXPECT_FALSE(parse_pg_control(bytes)) << at;
  }
}

TEST(PgControl, CutShortIsRefused) {
  for (const std::size_t size : {0U, 8U, 511U}) {
    const auto control = parse_pg_control(std::string_view(genuine()).substr(0, size));
    ASSERT_FALSE(control);
    EXPECT_EQ(control.error().reason, Reason::metadata_invalid);
    EXPECT_EQ(control.error().object, "global/pg_control");
  }
}

TEST(PgControl, OfZerosIsRefused) {
  EXPECT_FALSE(parse_pg_control(std::string(8192, '\0')));
}

}  // namespace
}  // namespace rad::wal_e
