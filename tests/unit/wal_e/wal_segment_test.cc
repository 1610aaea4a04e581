#include "plugins/wal_e/wal_segment.h"

#include <cstring>

#include <gtest/gtest.h>

#include "plugins/wal_e/wal_validate.h"
#include "tests/unit/wal_e/wal_e_support.h"

namespace rad::wal_e {
namespace {

using test_support::StoreCopy;

constexpr std::string_view kFirst = "000000010000000000000005";
constexpr std::string_view kMiddle = "000000010000000000000006";
constexpr std::string_view kLast = "000000010000000000000007";
constexpr Lsn kStart = 0x5000028;

const std::string& content_of(std::string_view name) {
  static std::map<std::string, std::string, std::less<>> cache;
  auto found = cache.find(name);
  if (found == cache.end()) {
    found = cache.emplace(name, test_support::decoded(test_support::plain_store(), wal_key(name)))
                .first;
  }
  return found->second;
}

template <class T>
void put(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

SegmentExpectation expectation() {
  return {*parse_segment_name(kMiddle), kDefaultSegmentBytes, test_support::kSystemIdentifier,
          0xD110};
}

Status check(const std::string& content) {
  return check_segment_head(parse_segment_head(std::as_bytes(std::span(content))), expectation(),
                            "x");
}

TEST(SegmentHead, OfPostgreSql15) {
  const auto head = parse_segment_head(std::as_bytes(std::span(content_of(kMiddle))));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->magic, 0xD110);
  EXPECT_EQ(major_of_magic(head->magic), 15);
  EXPECT_EQ(head->address, 0x6000000U);
  EXPECT_EQ(head->segment_bytes, kDefaultSegmentBytes);
  EXPECT_EQ(head->system_identifier, test_support::kSystemIdentifier);
  EXPECT_TRUE(check(content_of(kMiddle)));
}

TEST(SegmentHead, OfAnotherSegmentOrClusterIsDamage) {
  EXPECT_FALSE(check(content_of(kFirst)));
  EXPECT_FALSE(check(std::string(8192, '\0')));
  EXPECT_FALSE(check(""));
  // magic, flags, timeline, address, system identifier, segment size, page size
  for (const std::size_t at : {0, 2, 4, 8, 24, 32, 36}) {
    std::string altered = content_of(kMiddle).substr(0, 8192);
    altered[at] = static_cast<char>(altered[at] ^ 0x02);
    const auto status = check(altered);
    ASSERT_FALSE(status) << at;
    EXPECT_EQ(status.error().reason, Reason::wal_damaged);
    EXPECT_EQ(status.error().object, "x");
  }
}

Result<ChainResult> validate(const StoreCopy& store, Lsn start = kStart) {
  const auto storage = test_support::storage_of(store.path());
  const auto listing = arrange({}, storage->list(kWalPrefix).value());
  const auto plan = plan_timelines(listing.wal, {}, 1, start, kDefaultSegmentBytes);
  const auto path =
      follow(listing.wal, plan, 1, start / kDefaultSegmentBytes, kDefaultSegmentBytes);
  const test::TempDir scratch;
  ChainOptions options;
  options.waldump = find_waldump("/usr/lib/postgresql/{major}/bin", 15).value_or("");
  options.major = 15;
  options.directory = scratch / "wal";
  options.start = start;
  options.parallel = 2;
  auto result = validate_chain(*storage, {}, path, options);
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
  return result;
}

/// An altered copy of one segment, found at the object that it names.
void expect_damage(std::string_view name, const std::string& content, std::string_view at) {
  const StoreCopy store(test_support::plain_store());
  store.write_segment(std::string(name), content);
  const auto result = validate(store);
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_TRUE(result->damage);
  EXPECT_EQ(result->damage->reason, Reason::wal_damaged);
  EXPECT_EQ(result->damage->object, wal_key(at)) << result->damage->message;
  EXPECT_FALSE(result->proved);
}

/// Start of the first record after `from` whose header is on one page, by its back link.
std::size_t record_after(const std::string& content, std::size_t from) {
  for (std::size_t at = (from + 7) / 8 * 8; at + 24 < content.size(); at += 8) {
    std::uint32_t length = 0;
    std::uint64_t previous = 0;
    std::memcpy(&length, content.data() + at, sizeof length);
    std::memcpy(&previous, content.data() + at + 8, sizeof previous);
    const Lsn here = 0x7000000 + at;
    if (length >= 40 && length < 9000 && previous < here && here - previous < 9000) return at;
  }
  return 0;
}

TEST(WalChain, OfAGenuineArchiveIsProved) {
  const StoreCopy store(test_support::plain_store());
  const auto result = validate(store);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->damage);
  EXPECT_TRUE(result->proved);
  EXPECT_EQ(result->segments, 3U);
  EXPECT_EQ(result->last_record, 0x737D9D0U);
  EXPECT_EQ(result->end.kind, EndKind::switched);
  EXPECT_TRUE(result->findings.empty());
}

TEST(WalChain, FindsADamagedRecordInTheMiddle) {
  std::string content = content_of(kLast);
  const auto record = record_after(content, 100000);
  ASSERT_NE(record, 0U);
  content[record + 30] = static_cast<char>(content[record + 30] ^ 0x01);
  expect_damage(kLast, content, kLast);
}

TEST(WalChain, FindsDamageInTheFirstBytesOfASegment) {
  for (const auto& [name, at] : {std::pair{kMiddle, 45}, std::pair{kLast, 59}}) {
    std::string content = content_of(name);
    content[at] = static_cast<char>(content[at] ^ 0x01);
    expect_damage(name, content, name);
  }
}

TEST(WalChain, FindsAnArchiveThatJustStops) {
  std::string content = content_of(kLast);
  std::fill(content.begin() + 200000, content.end(), '\0');
  expect_damage(kLast, content, kLast);
}

TEST(WalChain, FindsALengthThatClaimsTheNextSegment) {
  // The last record before the switch is made to seem longer than the rest of the segment's page.
  std::string content = content_of(kLast);
  const std::size_t last = 0x737D9D0 - 0x7000000;
  std::uint64_t previous = 0;
  std::memcpy(&previous, content.data() + last + 8, sizeof previous);
  put<std::uint32_t>(content, previous - 0x7000000, 1U << 27U);
  expect_damage(kLast, content, kLast);
}

TEST(WalChain, RefusesASegmentOfTheWrongLength) {
  const StoreCopy store(test_support::plain_store());
  store.write_segment(std::string(kMiddle), content_of(kMiddle).substr(0, 8U << 20U));
  auto result = validate(store);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::truncated);
  EXPECT_EQ(result.error().object, wal_key(kMiddle));
  store.write_segment(std::string(kMiddle), content_of(kMiddle) + std::string(8192, 'x'));
  result = validate(store);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::wal_damaged);
}

TEST(WalChain, RefusesAnOlderSegmentInThePlaceOfANewer) {
  const StoreCopy store(test_support::plain_store());
  store.write(wal_key(kMiddle), store.read(wal_key(kFirst)));
  const auto result = validate(store);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::wal_damaged);
  EXPECT_EQ(result.error().object, wal_key(kMiddle));
}

TEST(WalChain, WithoutPgWaldumpReadsEveryByteAndProvesNoRecord) {
  const StoreCopy store(test_support::plain_store());
  const auto storage = test_support::storage_of(store.path());
  const auto listing = arrange({}, storage->list(kWalPrefix).value());
  const auto plan = plan_timelines(listing.wal, {}, 1, kStart, kDefaultSegmentBytes);
  const auto path = follow(listing.wal, plan, 1, 5, kDefaultSegmentBytes);
  const test::TempDir scratch;
  ChainOptions options;
  options.directory = scratch / "wal";
  options.start = kStart;
  const auto result = validate_chain(*storage, {}, path, options);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->proved);
  EXPECT_EQ(result->stored_bytes, path.stored_bytes());
}

TEST(WalChain, EndsSoonWhenItIsStopped) {
  const StoreCopy store(test_support::plain_store());
  const auto storage = test_support::storage_of(store.path());
  const auto listing = arrange({}, storage->list(kWalPrefix).value());
  const auto plan = plan_timelines(listing.wal, {}, 1, kStart, kDefaultSegmentBytes);
  const auto path = follow(listing.wal, plan, 1, 5, kDefaultSegmentBytes);
  const test::TempDir scratch;
  ChainOptions options;
  options.waldump = "/usr/lib/postgresql/15/bin/pg_waldump";
  options.major = 15;
  options.directory = scratch / "wal";
  options.start = kStart;
  std::stop_source stop;
  stop.request_stop();
  DecodeContext context;
  context.stop = stop.get_token();
  const auto result = validate_chain(*storage, context, path, options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::cancelled);
}

}  // namespace
}  // namespace rad::wal_e
