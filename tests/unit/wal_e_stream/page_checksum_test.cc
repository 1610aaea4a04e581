#include "plugins/wal_e/page_checksum.h"

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "plugins/wal_e/relation_file.h"
#include "tests/unit/wal_e_stream/stream_support.h"

namespace rad::wal_e {
namespace {

/// A page with content and the right checksum for `number`.
std::string page_for(std::uint32_t number, std::uint32_t seed = 7) {
  std::string page = noise(kPageSize, seed);
  page[14] = 0x20;  // free space ends somewhere
  const std::uint16_t sum = page_checksum(reinterpret_cast<const std::byte*>(page.data()), number);
  std::memcpy(page.data() + 8, &sum, sizeof sum);
  return page;
}

PageState state_of(const std::string& page, std::uint32_t number) {
  return check_page(reinterpret_cast<const std::byte*>(page.data()), number);
}

/// The formula word by word, as its description has it.
std::uint16_t plainly(std::string page, std::uint32_t number) {
  static const std::uint32_t kBasis[32] = {
      0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2,
      0x83E13D2C, 0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C,
      0xF718902A, 0x0B1C9CDB, 0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979,
      0xCCA6C0B2, 0x304A0979, 0x85AA43D4, 0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E,
      0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};
  page[8] = page[9] = 0;
  std::uint32_t sums[32];
  std::memcpy(sums, kBasis, sizeof sums);
  const auto mix = [](std::uint32_t& sum, std::uint32_t word) {
    const std::uint32_t mixed = sum ^ word;
    sum = mixed * 16777619U ^ mixed >> 17U;
  };
  for (std::size_t at = 0; at < kPageSize; at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, page.data() + at, 4);
    mix(sums[at / 4 % 32], word);
  }
  std::uint32_t all = number;
  for (std::uint32_t& sum : sums) {
    mix(sum, 0);
    mix(sum, 0);
    all ^= sum;
  }
  return static_cast<std::uint16_t>(all % 65535 + 1);
}

TEST(PageChecksum, FollowsTheFormulaAtAnyAlignment) {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    const std::string page = noise(kPageSize, seed);
    for (const std::size_t shift : {0U, 1U, 4U, 31U}) {
      const std::string moved = std::string(shift, 'x') + page;
      EXPECT_EQ(
          page_checksum(reinterpret_cast<const std::byte*>(moved.data() + shift), seed * 1000),
          plainly(page, seed * 1000));
    }
  }
}

TEST(CheckPage, TellsTheFourStatesApart) {
  EXPECT_EQ(state_of(page_for(5), 5), PageState::good);
  EXPECT_EQ(state_of(page_for(5), 6), PageState::bad);
  EXPECT_EQ(state_of(std::string(kPageSize, '\0'), 5), PageState::empty);
  std::string unset = page_for(5);
  unset[8] = unset[9] = 0;
  EXPECT_EQ(state_of(unset, 5), PageState::unset);
  std::string headless(kPageSize, '\0');
  headless[5000] = 1;
  EXPECT_EQ(state_of(headless, 5), PageState::bad);
}

TEST(CheckPage, SeesAnyFlippedBit) {
  const std::string page = page_for(3);
  for (std::size_t at = 0; at < kPageSize; at += 61) {
    std::string damaged = page;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_EQ(state_of(damaged, 3), PageState::bad) << at;
  }
}

TEST(PageScanner, FindsTheSamePagesWhateverThePieces) {
  constexpr std::uint32_t kFirst = kPagesPerSegment;
  std::string file;
  for (std::uint32_t number = 0; number < 10; ++number)
    file += page_for(kFirst + number, number + 1);
  file[4 * kPageSize + 100] = static_cast<char>(file[4 * kPageSize + 100] ^ 1);
  std::memset(file.data() + 6 * kPageSize, 0, kPageSize);
  file += "a part of a page";
  for (const std::size_t step : {1U, 100U, 512U, 8191U, 8192U, 8193U, 30'000U, 1'000'000U}) {
    PageScanner scanner(kFirst);
    for (std::size_t at = 0; at < file.size(); at += step) {
      scanner.feed(bytes_of(file).subspan(at, std::min<std::size_t>(step, file.size() - at)));
    }
    scanner.finish();
    EXPECT_EQ(scanner.checked, 10U) << step;
    EXPECT_EQ(scanner.empty, 1U) << step;
    ASSERT_EQ(scanner.bad_pages.size(), 2U) << step;
    EXPECT_EQ(scanner.bad_pages[0].page, kFirst + 4) << step;
    EXPECT_FALSE(scanner.bad_pages[0].partial);
    EXPECT_EQ(scanner.bad_pages[1].page, kFirst + 10) << step;
    EXPECT_TRUE(scanner.bad_pages[1].partial);
  }
}

TEST(RelationFile, KnowsWhatHasPages) {
  EXPECT_EQ(parse_relation_file("base/5/16384")->relation, "base/5/16384");
  EXPECT_EQ(parse_relation_file("base/5/16384.3")->first_page(), 3U * 131072U);
  EXPECT_EQ(parse_relation_file("base/5/16384_fsm")->fork, "fsm");
  EXPECT_EQ(parse_relation_file("base/5/16384_vm.1")->segment, 1U);
  EXPECT_EQ(parse_relation_file("base/5/16384_init")->relation, "base/5/16384");
  EXPECT_EQ(parse_relation_file("global/1262")->relation, "global/1262");
  EXPECT_EQ(parse_relation_file("pg_tblspc/16400/PG_15_202209061/5/16401.2")->relation,
            "pg_tblspc/16400/PG_15_202209061/5/16401");
}

TEST(RelationFile, KnowsWhatHasNone) {
  for (const char* path : {"base/5/PG_VERSION",
                           "base/5/pg_filenode.map",
                           "base/5/pg_internal.init",
                           "base/5/pg_internal.init.123",
                           "base/5/t3_16384",
                           "base/5/t3_16384_fsm",
                           "global/pg_control",
                           "base/16384",
                           "base/pgsql_tmp/pgsql_tmp123.0",
                           "pg_xact/0000",
                           "backup_label",
                           "base/5/16384.x",
                           "base/5/16384_foo",
                           "base/5/",
                           "global",
                           "base/x/1",
                           "base/5/6/7",
                           "pg_tblspc/16400/5/16401",
                           "pg_tblspc/16400/PG_15/16401",
                           "base/5/1.99999999",
                           "base/5/99999999999999999999"}) {
    EXPECT_FALSE(parse_relation_file(path)) << path;
  }
}

}  // namespace
}  // namespace rad::wal_e
