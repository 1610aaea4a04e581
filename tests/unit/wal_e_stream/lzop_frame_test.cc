#include "plugins/wal_e/lzop_frame.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/wal_e/block_pipeline.h"
#include "tests/unit/wal_e_stream/stream_support.h"

namespace rad::wal_e {
namespace {

using ::testing::HasSubstr;

Result<std::string> unpack(std::string_view file, unsigned threads = 0, std::size_t step = 0) {
  MemorySource source(bytes_of(file), step);
  LzopReader reader(source);
  BlockPipeline blocks(reader, threads);
  std::string out;
  for (;;) {
    RAD_TRY(const std::span<const std::byte> piece, blocks.next());
    if (piece.empty()) return out;
    out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
}

std::string with_byte(std::string text, std::size_t at, unsigned flip = 0x40) {
  text[at] = static_cast<char>(static_cast<unsigned char>(text[at]) ^ flip);
  return text;
}

std::string sample() {
  return text_of(600'000) + noise(300'000) + std::string(400'000, '\0');
}

TEST(LzopReader, ReadsWhatLzopWrites) {
  const std::string plain = sample();
  const std::string file = lzop(plain);
  EXPECT_EQ(*unpack(file), plain);
  EXPECT_EQ(*unpack(file, 2), plain);
  EXPECT_EQ(*unpack(file, 3, 7), plain);
}

TEST(LzopReader, ReadsEveryChecksumAndLevel) {
  const std::string plain = sample();
  for (const std::vector<std::string>& options :
       std::vector<std::vector<std::string>>{{"--crc32"},
                                             {"-C"},
                                             {"-CC"},
                                             {"-CCC"},
                                             {"--no-checksum"},
                                             {"-1"},
                                             {"-9"},
                                             {"-3", "-CC"}}) {
    const std::string file = lzop(plain, options);
    EXPECT_EQ(*unpack(file, 2), plain) << options.front();
  }
}

TEST(LzopReader, ReadsSeveralStreamsOneAfterTheOther) {
  EXPECT_EQ(*unpack(lzop("first") + lzop("second"), 2), "firstsecond");
}

TEST(LzopReader, ReadsAnEmptyStream) {
  EXPECT_EQ(*unpack(lzop("")), "");
}

TEST(LzopReader, FindsEveryCut) {
  const std::string file = lzop(text_of(1000));
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto result = unpack(std::string_view(file).substr(0, size), size % 3);
    ASSERT_FALSE(result) << size;
    EXPECT_EQ(result.error().reason, Reason::truncated) << size;
    EXPECT_EQ(result.error().offset, size) << size;
  }
}

TEST(LzopReader, FindsAMissingEndMarkAndSaysWhereTheStreamEnds) {
  const std::string file = lzop(sample());
  const auto result = unpack(std::string_view(file).substr(0, file.size() - 4), 2);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::truncated);
  EXPECT_THAT(result.error().message, HasSubstr("before its end mark"));
}

TEST(LzopReader, FindsEveryFlippedByteOfASmallFile) {
  const std::string plain = text_of(3000);
  const std::string file = lzop(plain);
  for (std::size_t at = 0; at < file.size(); ++at) {
    const auto result = unpack(with_byte(file, at));
    EXPECT_FALSE(result && *result == plain && at > 40) << at;
    if (result) {
      ADD_FAILURE() << "byte " << at << " went unseen";
    } else {
      EXPECT_EQ(info(result.error().reason).blame, Blame::backup) << at;
    }
  }
}

TEST(LzopReader, NamesTheBlockOfADamagedStoredBlock) {
  const std::string plain = noise(600'000);
  const std::string file = lzop(plain);
  const auto result = unpack(with_byte(file, 300'000), 2);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::checksum_mismatch);
  EXPECT_GT(result.error().offset, 200'000U);
  EXPECT_LT(result.error().offset, 300'000U);
}

TEST(LzopReader, RefusesBytesAfterTheEndMark) {
  for (const std::string& more : {std::string(1, '\0'), std::string(20, '\0'), std::string("x")}) {
    const auto result = unpack(lzop("content") + more);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason, Reason::decompress_failed);
    EXPECT_THAT(result.error().message, HasSubstr("after the end mark"));
  }
}

TEST(LzopReader, RefusesWhatIsNoLzopFile) {
  const auto result = unpack("this is certainly something else");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::decompress_failed);
}

TEST(LzopReader, RefusesABlockLargerThanLzopWrites) {
  std::string file = lzop("content");
  const std::size_t block = file.size() - 4 - 7 - 12;
  file.replace(block, 4, std::string("\x04\x00\x00\x01", 4));
  const auto result = unpack(file);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::decompress_failed);
  EXPECT_THAT(result.error().message, HasSubstr("67108865"));
}

TEST(LzopReader, RefusesFiltersAndParts) {
  // Flags are at byte 17 to 20 after magic, versions, method and level.
  const std::string file = lzop("content");
  for (const auto& [at, bit] : {std::pair<std::size_t, unsigned>{19, 0x04}, {19, 0x08}}) {
    const auto result = unpack(with_byte(file, at, bit));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason, Reason::decompress_failed);
  }
}

TEST(BlockPipeline, GivesTheSameErrorAgain) {
  const std::string file = lzop(sample());
  MemorySource source(bytes_of(file).first(file.size() / 2));
  LzopReader reader(source);
  BlockPipeline blocks(reader, 2);
  Result<std::span<const std::byte>> piece = blocks.next();
  while (piece && !piece->empty()) piece = blocks.next();
  ASSERT_FALSE(piece);
  EXPECT_EQ(blocks.next().error().message, piece.error().message);
}

TEST(BlockPipeline, EndsItsWorkersWhenTheConsumerStopsEarly) {
  const std::string file = lzop(text_of(8'000'000));
  MemorySource source(bytes_of(file));
  LzopReader reader(source);
  BlockPipeline blocks(reader, 3);
  EXPECT_TRUE(blocks.next());
}

}  // namespace
}  // namespace rad::wal_e
