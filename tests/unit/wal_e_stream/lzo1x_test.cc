#include "plugins/wal_e/lzo1x.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <lzo/lzo1x.h>

namespace rad::wal_e {
namespace {

using Bytes = std::vector<std::byte>;

/// Content, or "refused": what both decoders have to agree on.
std::string by_library(const Bytes& stored, std::size_t size) {
  std::string plain(size, '\0');
  lzo_uint written = size;
  const int result =
      lzo1x_decompress_safe(reinterpret_cast<const unsigned char*>(stored.data()), stored.size(),
                            reinterpret_cast<unsigned char*>(plain.data()), &written, nullptr);
  return result == LZO_E_OK && written == size ? plain : "refused";
}

/// \param filler  what the slack holds: it must not matter.
std::string by_us(Bytes stored, std::size_t size, std::byte filler) {
  const std::size_t stored_size = stored.size();
  stored.resize(stored_size + kLzoSlack, filler);
  Bytes plain(size + kLzoSlack, filler);
  const bool whole = lzo1x_decode(std::span(stored).first(stored_size), {plain.data(), size});
  if (!whole) return "refused";
  return {reinterpret_cast<const char*>(plain.data()), size};
}

testing::AssertionResult agree(const Bytes& stored, std::size_t size) {
  const std::string wanted = by_library(stored, size);
  for (const unsigned filler : {0x00U, 0x11U, 0xFFU}) {
    if (by_us(stored, size, static_cast<std::byte>(filler)) != wanted) {
      return testing::AssertionFailure()
             << "filler " << filler << ", " << stored.size() << " to " << size << " bytes";
    }
  }
  return testing::AssertionSuccess();
}

Bytes bytes(std::initializer_list<unsigned> values) {
  Bytes result;
  for (const unsigned value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

/// As backups have them: zeros, repeated rows, text, noise, in pieces of any length.
Bytes content(std::mt19937& random, std::size_t size) {
  Bytes result;
  while (result.size() < size) {
    const std::size_t piece = std::min<std::size_t>(1 + random() % 700, size - result.size());
    const std::size_t back = 1 + random() % std::max<std::size_t>(result.size(), 1);
    const unsigned kind = random() % 4;
    for (std::size_t at = 0; at < piece; ++at) {
      if (kind == 0) {
        result.push_back(std::byte{0});
      } else if (kind == 1 && !result.empty()) {
        result.push_back(result[result.size() - std::min(back, result.size())]);
      } else if (kind == 2 && !result.empty()) {
        result.push_back(
            result[result.size() - std::min<std::size_t>(back % 40 + 1, result.size())]);
      } else {
        result.push_back(static_cast<std::byte>(random()));
      }
    }
  }
  return result;
}

Bytes compress(const Bytes& plain, bool hard) {
  Bytes stored(plain.size() + plain.size() / 16 + 67);
  std::vector<unsigned char> memory(hard ? LZO1X_999_MEM_COMPRESS : LZO1X_1_15_MEM_COMPRESS);
  lzo_uint size = stored.size();
  const auto* from = reinterpret_cast<const unsigned char*>(plain.data());
  auto* to = reinterpret_cast<unsigned char*>(stored.data());
  const int result = hard ? lzo1x_999_compress(from, plain.size(), to, &size, memory.data())
                          : lzo1x_1_15_compress(from, plain.size(), to, &size, memory.data());
  EXPECT_EQ(result, LZO_E_OK);
  stored.resize(size);
  return stored;
}

TEST(LzoDecoder, ReadsWhatLiblzo2Writes) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const Bytes plain = content(random, 1 + random() % 70'000);
    const Bytes stored = compress(plain, round % 4 == 0);
    ASSERT_NE(by_library(stored, plain.size()), "refused");
    ASSERT_TRUE(agree(stored, plain.size())) << "round " << round;
    ASSERT_TRUE(agree(stored, plain.size() - 1)) << "round " << round;
    ASSERT_TRUE(agree(stored, plain.size() + 1)) << "round " << round;
  }
}

TEST(LzoDecoder, AgreesWithLiblzo2OnEveryCut) {
  std::mt19937 random(2);
  const Bytes plain = content(random, 3000);
  const Bytes stored = compress(plain, true);
  for (std::size_t size = 0; size < stored.size(); ++size) {
    const Bytes cut(stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_TRUE(agree(cut, plain.size())) << size;
  }
}

TEST(LzoDecoder, AgreesWithLiblzo2OnDamage) {
  std::mt19937 random(3);
  int taken = 0;
  for (int round = 0; round < 3000; ++round) {
    const Bytes plain = content(random, 1 + random() % 2000);
    Bytes stored = compress(plain, round % 2 == 0);
    const unsigned flips = 1 + random() % 3;
    for (unsigned at = 0; at < flips; ++at) {
      stored[random() % stored.size()] = static_cast<std::byte>(random());
    }
    taken += by_library(stored, plain.size()) == "refused" ? 0 : 1;
    ASSERT_TRUE(agree(stored, plain.size())) << "round " << round;
  }
  EXPECT_GT(taken, 100) << "some damage leaves a stream that is whole";
}

TEST(LzoDecoder, AgreesWithLiblzo2OnNoise) {
  std::mt19937 random(4);
  for (int round = 0; round < 20'000; ++round) {
    Bytes stored(1 + random() % 40);
    for (std::byte& byte : stored) {
      byte = random() % 4 == 0 ? std::byte{0} : static_cast<std::byte>(random() % 80);
    }
    stored.insert(stored.end(), {std::byte{0x11}, std::byte{0}, std::byte{0}});
    ASSERT_TRUE(agree(stored, 1 + random() % 600)) << "round " << round;
  }
}

TEST(LzoDecoder, ReadsEveryFormOfTheEndMark) {
  const std::vector<Bytes> ends{
      bytes({0x15, 'a', 'b', 'c', 'd', 0x11, 0, 0}),
      bytes({0x15, 'a', 'b', 'c', 'd', 0x12, 3, 0}),
      bytes({0x15, 'a', 'b', 'c', 'd', 0x10, 1, 0, 0}),
      bytes({0x15, 'a', 'b', 'c', 'd', 0x10, 0, 9, 2, 0}),
      bytes({0x15, 'a', 'b', 'c', 'd', 0x19, 0, 0}),
      bytes({0x15, 'a', 'b', 'c', 'd', 0x11, 4, 0}),
      bytes({0x15, 'a', 'b', 'c', 'd', 0x11, 0, 0, 0}),
      bytes({0x15, 'a', 'b', 'c', 'd', 0x11, 0}),
      bytes({0x15, 'a', 'b', 'c', 'd', 0x10, 0, 0, 0}),
  };
  int whole = 0;
  for (const Bytes& stored : ends) {
    whole += by_library(stored, 4) == "abcd" ? 1 : 0;
    EXPECT_TRUE(agree(stored, 4));
  }
  EXPECT_EQ(whole, 4);
}

TEST(LzoDecoder, RepeatsPatternsOfEveryLength) {
  for (std::size_t distance = 1; distance <= 70; ++distance) {
    Bytes plain;
    for (std::size_t at = 0; at < 2000; ++at) {
      plain.push_back(static_cast<std::byte>(at % distance * 7 + 3));
    }
    for (const std::size_t size : {100U, 999U, 1000U, 1001U, 1002U, 1015U, 2000U}) {
      const Bytes part(plain.begin(), plain.begin() + size);
      const Bytes stored = compress(part, true);
      const std::string whole(reinterpret_cast<const char*>(part.data()), part.size());
      EXPECT_EQ(by_us(stored, size, std::byte{0xAA}), whole) << distance << ", " << size;
    }
  }
}

TEST(LzoDecoder, RefusesNothingAtAll) {
  EXPECT_TRUE(agree({}, 0));
  EXPECT_TRUE(agree({}, 1));
}

}  // namespace
}  // namespace rad::wal_e
