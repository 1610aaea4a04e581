#include "plugins/wal_e/file_output.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/wal_e/block_pipeline.h"
#include "plugins/wal_e/byte_source.h"
#include "plugins/wal_e/lzop_frame.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/wal_e_stream/stream_support.h"

namespace rad::wal_e {
namespace {

using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class FileOutputTest : public testing::Test {
 protected:
  void SetUp() override { output_ = *FileOutput::open(target(), {}); }
  std::filesystem::path target() const { return dir_.path() / "data"; }

  void write(const std::string& path, const std::string& content, std::size_t piece) {
    output_->begin(path, content.size());
    for (std::size_t at = 0; at < content.size(); at += piece) {
      const std::string part = content.substr(at, piece);
      const Status status = output_->append(bytes_of(part), std::nullopt);
      ASSERT_TRUE(status) << status.error().message;
    }
    ASSERT_TRUE(output_->end());
  }

  test::TempDir dir_;
  std::unique_ptr<FileOutput> output_;
};

TEST_F(FileOutputTest, WritesFilesOfEverySizeFromPiecesOfEverySize) {
  const std::vector<std::size_t> sizes{0,      1,      511,    4096,    8192,    65'535,
                                       65'536, 65'537, 69'632, 100'000, 300'032, 1'048'576};
  const std::vector<std::size_t> pieces{512, 3000, 4096, 65'536, 262'144, 5'000'000};
  for (const std::size_t size : sizes) {
    for (const std::size_t piece : pieces) {
      write(std::to_string(size) + "/" + std::to_string(piece), noise(size), piece);
    }
  }
  ASSERT_TRUE(output_->finish());
  for (const std::size_t size : sizes) {
    const std::string wanted = noise(size);
    for (const std::size_t piece : pieces) {
      const auto path = target() / std::to_string(size) / std::to_string(piece);
      EXPECT_TRUE(content_of(path) == wanted) << path;
    }
  }
}

/// As a partition is written: from the memory of the blocks, at any multiple of 512 bytes.
TEST_F(FileOutputTest, WritesWhatAPipelineHolds) {
  const std::string plain = noise(2'000'000) + text_of(6'000'000) + noise(3'000'000);
  const std::string stored = lzop(plain, {});
  MemorySource source(bytes_of(stored));
  LzopReader reader(source);
  BlockPipeline blocks(reader, 1);
  const std::vector<std::size_t> sizes{512, 2'500'096, 1024, 70'144, 5'000'192, 8192, 3'000'320};
  std::size_t file = 0;
  std::size_t left = 0;
  std::size_t taken = 0;
  for (;;) {
    const auto piece = blocks.next();
    ASSERT_TRUE(piece);
    if (piece->empty()) break;
    for (std::span<const std::byte> rest = *piece; !rest.empty() && file < sizes.size();) {
      if (left == 0) {
        left = sizes[file];
        output_->begin(std::to_string(file), left);
      }
      const std::size_t size = std::min(left, rest.size());
      ASSERT_TRUE(output_->append(rest.first(size), blocks.hold()));
      rest = rest.subspan(size);
      taken += size;
      left -= size;
      if (left == 0) {
        ASSERT_TRUE(output_->end());
        ++file;
      }
    }
  }
  ASSERT_TRUE(output_->finish());
  ASSERT_EQ(file, sizes.size());
  std::size_t at = 0;
  for (file = 0; file < sizes.size(); ++file) {
    EXPECT_TRUE(content_of(target() / std::to_string(file)) == plain.substr(at, sizes[file]))
        << file;
    at += sizes[file];
  }
  EXPECT_EQ(at, taken);
}

TEST_F(FileOutputTest, SaysWhatIsInTheWay) {
  std::ofstream(target() / "taken") << "x";
  write("free", "abc", 512);
  output_->begin("taken", 3);
  // The error may come at once or at the end, and stays.
  (void)output_->append(bytes_of("new"), std::nullopt);
  (void)output_->end();
  const Status status = output_->finish();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::metadata_invalid);
  EXPECT_THAT(status.error().message, HasSubstr("cannot create 'taken'"));
  output_->begin("later", 3);
  EXPECT_FALSE(output_->append(bytes_of("abc"), std::nullopt));
  EXPECT_FALSE(output_->finish());
  EXPECT_EQ(content_of(target() / "taken"), "x");
}

TEST_F(FileOutputTest, LetsGoOfEverythingWhenItIsAbandoned) {
  const std::string stored = lzop(noise(3'000'000), {});
  MemorySource source(bytes_of(stored));
  LzopReader reader(source);
  BlockPipeline blocks(reader, 1);
  const auto piece = blocks.next();
  ASSERT_TRUE(piece);
  output_->begin("cut", 3'000'000);
  ASSERT_TRUE(output_->append(piece->first(piece->size() / 512 * 512), blocks.hold()));
  output_.reset();  // the pipeline's destructor would wait for what it still held
}

}  // namespace
}  // namespace rad::wal_e
