#include "plugins/wal_e/tar_stream.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/wal_e_stream/stream_support.h"

namespace rad::wal_e {
namespace {

using ::testing::HasSubstr;

struct Seen {
  TarMember member;
  std::string content;
};

Result<std::vector<Seen>> read_all(std::string tar, std::size_t step = 4096) {
  TarStream stream(pull_from(std::move(tar), step));
  std::vector<Seen> out;
  for (;;) {
    Seen seen;
    RAD_TRY(const bool more, stream.next(seen.member));
    if (!more) return out;
    for (;;) {
      RAD_TRY(const std::span<const std::byte> piece, stream.data());
      if (piece.empty()) break;
      seen.content.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
    out.push_back(std::move(seen));
  }
}

TarBuilder sample() {
  TarBuilder tar;
  tar.directory("/").directory("base/").file("base/a", text_of(3000)).file("PG_VERSION", "15\n");
  return tar;
}

TEST(TarStream, ReadsMembersWhateverThePieces) {
  for (const std::size_t step : {1U, 100U, 512U, 4096U, 100'000U}) {
    const auto seen = read_all(sample().finish(), step);
    ASSERT_TRUE(seen) << seen.error().message;
    ASSERT_EQ(seen->size(), 4U);
    EXPECT_EQ((*seen)[0].member.name, "/");
    EXPECT_EQ((*seen)[0].member.type, TarType::directory);
    EXPECT_EQ((*seen)[2].member.size, 3000U);
    EXPECT_EQ((*seen)[2].member.offset, 1024U);
    EXPECT_EQ((*seen)[2].content, text_of(3000));
    EXPECT_EQ((*seen)[3].content, "15\n");
  }
}

TEST(TarStream, ReadsPaxAsPythonWritesIt) {
  const std::string long_name = "base/" + std::string(120, 'n') + "/x";
  TarBuilder tar;
  tar.pax({{"mtime", "-1.5"}}).file("a", "1");
  tar.pax({{"mtime", "1795200287.25"}, {"path", long_name}}).file("cut", "2");
  tar.pax({{"path", "log/d\xC3\xA9j\xC3\xA0"}}).file("x", "3");
  tar.pax({{"path", "log/e\xCC\x81"}}).file("x", "4");
  tar.pax({{"hdrcharset", "BINARY"}, {"path", "log/\xFF\xFE"}}).file("x", "5");
  const auto seen = read_all(tar.finish());
  ASSERT_TRUE(seen) << seen.error().message << " / " << seen.error().detail;
  ASSERT_EQ(seen->size(), 5U);
  EXPECT_EQ((*seen)[1].member.name, long_name);
  EXPECT_EQ((*seen)[2].member.name, "log/d\xC3\xA9j\xC3\xA0");
  EXPECT_EQ((*seen)[4].member.name, "log/\xFF\xFE");
  EXPECT_EQ((*seen)[4].content, "5");
}

TEST(TarStream, KeepsDifferentNamesDifferent) {
  TarBuilder tar;
  tar.pax({{"path", "\xC3\xA9"}}).file("x", "composed");
  tar.pax({{"path", "\xC3\xA8"}}).file("x", "another");
  tar.file("\xE9", "latin");
  const auto seen = read_all(tar.finish());
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_NE((*seen)[0].member.name, (*seen)[1].member.name);
  EXPECT_EQ((*seen)[2].member.name, "\xE9");
}

TEST(TarStream, RefusesANameThatCannotBeReadButNotAnOwner) {
  TarBuilder name;
  name.pax({{"path", "log/\xFF"}}).file("x", "1");
  const auto bad = read_all(name.finish());
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().reason, Reason::metadata_invalid);
  TarBuilder owner;
  owner.pax({{"uname", "\xFF\xFE"}}).file("x", "1");
  const auto good = read_all(owner.finish());
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ((*good)[0].content, "1");
}

TEST(TarStream, ReadsGnuLongNamesAndLinks) {
  const std::string name = "base/" + std::string(150, 'g');
  const std::string target = "base/" + std::string(150, 't');
  TarBuilder tar;
  tar.gnu_long('L', name).file("short", "1");
  tar.gnu_long('K', target).gnu_long('L', name + "2").symlink("short", "short");
  const auto seen = read_all(tar.finish());
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ((*seen)[0].member.name, name);
  EXPECT_EQ((*seen)[1].member.link, target);
}

TEST(TarStream, TellsTypesApart) {
  TarBuilder tar;
  tar.file("f", "x").hard_link("h", "f").symlink("s", "/out").header("c", '3', 0);
  tar.header("b", '4', 0).header("p", '6', 0);
  const auto seen = read_all(tar.finish());
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ((*seen)[1].member.type, TarType::hardlink);
  EXPECT_EQ((*seen)[1].member.link, "f");
  EXPECT_EQ((*seen)[2].member.type, TarType::symlink);
  for (const std::size_t at : {3U, 4U, 5U}) EXPECT_EQ((*seen)[at].member.type, TarType::other);
}

TEST(TarStream, FindsEveryCutAtABlock) {
  const std::string whole = sample().finish();
  const std::size_t end = sample().size();
  for (std::size_t size = 0; size < end + 1024; size += 512) {
    const auto seen = read_all(whole.substr(0, size), 700);
    ASSERT_FALSE(seen) << size;
    EXPECT_EQ(seen.error().reason, Reason::truncated) << size << ": " << seen.error().message;
  }
  EXPECT_TRUE(read_all(whole.substr(0, end + 1024)));
}

TEST(TarStream, FindsEveryCutInsideABlock) {
  const std::string whole = sample().finish();
  for (std::size_t size = 1; size < whole.size(); size += 97) {
    if (size % 512 == 0) continue;
    EXPECT_FALSE(read_all(whole.substr(0, size))) << size;
  }
}

TEST(TarStream, FindsAGarbageHeaderInTheMiddleAndNearTheEnd) {
  TarBuilder middle = sample();
  const std::size_t at = middle.size();
  middle.raw(noise(512)).file("after", "x");
  const auto seen = read_all(middle.finish());
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().reason, Reason::metadata_invalid);
  EXPECT_THAT(seen.error().message, HasSubstr("byte " + std::to_string(at)));
  EXPECT_THAT(seen.error().message, HasSubstr("PG_VERSION"));
  TarBuilder end = sample();
  end.raw(noise(512));
  EXPECT_EQ(read_all(end.finish()).error().reason, Reason::metadata_invalid);
  EXPECT_EQ(read_all(noise(20'480)).error().reason, Reason::metadata_invalid);
}

TEST(TarStream, FindsAFlippedHeaderByte) {
  const std::string whole = sample().finish();
  for (std::size_t at = 1024; at < 1536; ++at) {
    if (at >= 1024 + 257 && at < 1024 + 265) continue;  // the magic only chooses the dialect
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x02);
    EXPECT_FALSE(read_all(damaged)) << at;
  }
}

TEST(TarStream, FindsZerosInTheMiddleOfMembers) {
  TarBuilder one = sample();
  one.raw(std::string(512, '\0')).file("after", "x");
  const auto single = read_all(one.finish());
  ASSERT_FALSE(single);
  EXPECT_EQ(single.error().reason, Reason::metadata_invalid);
  TarBuilder two = sample();
  two.raw(std::string(1024, '\0')).file("hidden", "x");
  const auto hidden = read_all(two.finish());
  ASSERT_FALSE(hidden);
  EXPECT_EQ(hidden.error().reason, Reason::metadata_invalid);
}

TEST(TarStream, DoesNotInventTheBytesOfASparseClaim) {
  constexpr std::uint64_t kClaim = 200ULL << 30U;
  TarBuilder pax;
  pax.pax({{"GNU.sparse.major", "1"},
           {"GNU.sparse.minor", "0"},
           {"GNU.sparse.name", "base/1/2"},
           {"GNU.sparse.realsize", std::to_string(kClaim)}})
      .file("GNUSparseFile.0/2", "1\n0\n5\n" + std::string(506, '\0') + "hello");
  TarStream stream(pull_from(pax.finish()));
  TarMember member;
  ASSERT_TRUE(stream.next(member));
  EXPECT_TRUE(member.sparse || member.size == kClaim);
  std::uint64_t got = 0;
  Result<std::span<const std::byte>> piece = stream.data();
  while (piece && !piece->empty()) {
    got += piece->size();
    piece = stream.data();
  }
  EXPECT_FALSE(piece);
  EXPECT_LT(got, 10'000U);
}

TEST(TarStream, CallsAClaimBeyondTheStreamTruncated) {
  TarBuilder tar = sample();
  tar.header("big", '0', 200ULL << 30U);
  const auto seen = read_all(tar.finish());
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().reason, Reason::truncated);
}

TEST(TarStream, PassesTheStreamsOwnErrorThrough) {
  const std::string whole = sample().finish();
  for (const std::size_t good : {0U, 512U, 1700U, 3000U}) {
    bool first = true;
    TarStream stream([&]() -> Result<std::span<const std::byte>> {
      if (good > 0 && std::exchange(first, false)) return bytes_of(whole).first(good);
      return fail(Reason::decrypt_failed, "the first cause");
    });
    TarMember member;
    Result<bool> more = stream.next(member);
    while (more && *more) {
      Result<std::span<const std::byte>> piece = stream.data();
      while (piece && !piece->empty()) piece = stream.data();
      more = piece ? stream.next(member) : Result<bool>(piece.error());
    }
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().message, "the first cause");
  }
}

}  // namespace
}  // namespace rad::wal_e
