#include "agent/base/text.h"

#include <random>

#include <gtest/gtest.h>

namespace rad {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TimePoint at(std::int64_t unix_ms) {
  return TimePoint(milliseconds(unix_ms));
}

TEST(Rfc3339, WritesMillisecondsInUtc) {
  EXPECT_EQ(format_rfc3339(at(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_rfc3339(at(1795200291715)), "2026-11-20T18:44:51.715Z");
  EXPECT_EQ(format_rfc3339(at(-1)), "1969-12-31T23:59:59.999Z");
}

TEST(ParseTime, TakesTheFormsOfRfc3339AndPostgresql) {
  const TimePoint wanted = at(1795200291000);
  for (const char* text :
       {"2026-11-20T18:44:51Z", "2026-11-20T18:44:51.000Z", "2026-11-20t18:44:51z",
        "2026-11-20 18:44:51", "2026-11-20 18:44:51+00", "2026-11-20 18:44:51 UTC",
        "2026-11-20 18:44:51 GMT", "2026-11-20T20:14:51+01:30", "2026-11-20T20:14:51+0130",
        "2026-11-20 11:44:51-07"}) {
    const auto time = parse_time(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(*time, wanted) << text;
  }
}

TEST(ParseTime, CutsTheFractionToMilliseconds) {
  EXPECT_EQ(*parse_time("2026-11-20 18:44:51.715999+00"), at(1795200291715));
  EXPECT_EQ(*parse_time("2026-11-20T18:44:51.5Z"), at(1795200291500));
  EXPECT_EQ(*parse_time("2026-11-20T18:44:51.123456789123Z"), at(1795200291123));
}

TEST(ParseTime, KnowsLeapYearsAndLeapSeconds) {
  EXPECT_TRUE(parse_time("2024-02-29T00:00:00Z"));
  EXPECT_FALSE(parse_time("2026-02-29T00:00:00Z"));
  EXPECT_EQ(*parse_time("2016-12-31T23:59:60Z"), *parse_time("2017-01-01T00:00:00Z"));
}

TEST(ParseTime, RefusesEverythingElse) {
  for (const char* text :
       {"", "now", "2026-11-20", "2026-11-20T18:44", "2026-11-20T24:00:00Z", "2026-13-01T00:00:00Z",
        "2026-11-20T18:44:51.Z", "2026-11-20T18:44:51Zx", "2026-11-20T18:44:51 CET",
        "2026-11-20T18:44:51+1", "2026-11-20T18:44:51+01:60", "2026-11-20T18:44:51+99",
        " 2026-11-20T18:44:51Z", "+026-11-20T18:44:51Z", "2026-11-20T18:44:61Z"}) {
    const auto time = parse_time(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().reason, Reason::config_invalid);
    EXPECT_NE(time.error().message.find(text), std::string::npos);
  }
}

TEST(ParseTime, ReadsBackWhatIsWritten) {
  std::mt19937_64 random(7);
  std::uniform_int_distribution<std::int64_t> any(-62167219200000, 253402300799999);
  for (int i = 0; i < 2000; ++i) {
    const TimePoint time = at(any(random));
    ASSERT_EQ(*parse_time(format_rfc3339(time)), time) << format_rfc3339(time);
  }
}

TEST(ParseDuration, AddsItsParts) {
  EXPECT_EQ(*parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(*parse_duration("90s"), seconds(90));
  EXPECT_EQ(*parse_duration("15m"), minutes(15));
  EXPECT_EQ(*parse_duration("26h"), hours(26));
  EXPECT_EQ(*parse_duration("1d12h"), hours(36));
  EXPECT_EQ(*parse_duration("1w"), hours(168));
  EXPECT_EQ(*parse_duration("1.5h"), minutes(90));
  EXPECT_EQ(*parse_duration("0s"), milliseconds(0));
}

TEST(ParseDuration, RefusesSignsUnitsAndBareNumbers) {
  for (const char* text : {"", "5", "s", "-5s", "+5s", "5 s", "5S", "5sec", "1h30", "1..5s", ".s",
                           "1e3s", "nan", "inf", "999999999999999999999w", "5s "}) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().reason, Reason::config_invalid);
  }
}

TEST(FormatDuration, ShowsTheTwoLargestUnits) {
  EXPECT_EQ(format_duration(milliseconds(0)), "0ms");
  EXPECT_EQ(format_duration(milliseconds(80)), "80ms");
  EXPECT_EQ(format_duration(milliseconds(4200)), "4.2s");
  EXPECT_EQ(format_duration(milliseconds(9949)), "9.9s");
  EXPECT_EQ(format_duration(milliseconds(9951)), "10s");
  EXPECT_EQ(format_duration(seconds(192)), "3m 12s");
  EXPECT_EQ(format_duration(milliseconds(59'600)), "1m");
  EXPECT_EQ(format_duration(hours(4)), "4h");
  EXPECT_EQ(format_duration(hours(26) + minutes(59)), "1d 2h");
  EXPECT_EQ(format_duration(-seconds(15)), "-15s");
  EXPECT_FALSE(format_duration(milliseconds::min()).empty());
}

TEST(ParseBytes, KnowsBothKindsOfUnits) {
  EXPECT_EQ(*parse_bytes("512"), 512U);
  EXPECT_EQ(*parse_bytes("512B"), 512U);
  EXPECT_EQ(*parse_bytes("64KiB"), 65536U);
  EXPECT_EQ(*parse_bytes("1.5GiB"), 1610612736U);
  EXPECT_EQ(*parse_bytes("2GB"), 2000000000U);
  EXPECT_EQ(*parse_bytes("2 GB"), 2000000000U);
  EXPECT_EQ(*parse_bytes("14TiB"), 14ULL << 40U);
  EXPECT_EQ(*parse_bytes("18446744073709551615"), 18446744073709551615ULL);
}

TEST(ParseBytes, RefusesSignsUnitsAndOverflow) {
  for (const char* text : {"", "B", "-1", "+1", "1XB", "1 X", "GiB", "99999999PiB", "nan",
                           "18446744073709551616", "1e9", "0x10"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

TEST(FormatBytes, RoundsToOneDigit) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes((1U << 20U) - 1), "1.0 MiB");
  EXPECT_EQ(format_bytes(51380224), "49.0 MiB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "16.0 EiB");
}

TEST(Closest, FindsWhatWasMeant) {
  const std::vector<std::string> keys{"schedules", "scratch_dir", "state_dir", "checks", "keep"};
  EXPECT_EQ(closest("schedule", keys), "schedules");
  EXPECT_EQ(closest("shcedules", keys), "schedules");
  EXPECT_EQ(closest("scratch-dir", keys), "scratch_dir");
  EXPECT_EQ(closest("State_Dir", keys), "state_dir");
  EXPECT_EQ(closest("chekcs", keys), "checks");
  EXPECT_EQ(closest("kepe", keys), "keep");
}

TEST(Closest, SaysNothingRatherThanNonsense) {
  EXPECT_EQ(closest("metrics", {"schedules", "keep"}), std::nullopt);
  EXPECT_EQ(closest("", {"a"}), std::nullopt);
  EXPECT_EQ(closest("x", {"y"}), std::nullopt);
  EXPECT_EQ(closest(std::string(5000, 'a'), {"aaaa"}), std::nullopt);
  EXPECT_EQ(closest("keep", {}), std::nullopt);
}

TEST(Printable, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(printable("Größe 5 €, 日本語, 😀"), "Größe 5 €, 日本語, 😀");
}

TEST(Printable, TakesTheTeethOutOfTerminalCodesAndLineEnds) {
  EXPECT_EQ(printable("a\nb\tc\r"), "a b c ");
  EXPECT_EQ(printable("\x1b[31mred\x7f"), "?[31mred?");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a?b");
  EXPECT_EQ(printable("x\u202Ey\u009Bz\u2028"), "x?y?z?");
}

TEST(Printable, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(printable("a\xff\xfe!"), "a?\?!");
  EXPECT_EQ(printable("\xc0\xaf"), "?\?");              // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "?\?\?");        // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "?\?\?\?");  // above U+10FFFF
  EXPECT_EQ(printable("ab\xe2\x82"), "ab?\?");          // ends early
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abc…");
  EXPECT_EQ(printable("äöüß", 6), "ä…");
  EXPECT_EQ(printable("abc", 2), "");
  EXPECT_EQ(printable("abc", 0), "");
}

TEST(Printable, AnyBytesGiveBoundedUtf8ThatStaysAsItIs) {
  std::mt19937 random(11);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::size_t limit = random() % 40;
    const std::string once = printable(bytes, limit);
    ASSERT_LE(once.size(), limit);
    ASSERT_EQ(printable(once, limit), once);
  }
}

}  // namespace
}  // namespace rad
