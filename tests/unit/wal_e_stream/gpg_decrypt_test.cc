#include "plugins/wal_e/gpg_decrypt.h"

#include <initializer_list>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/wal_e/openpgp_packets.h"
#include "tests/unit/wal_e_stream/stream_support.h"

namespace rad::wal_e {
namespace {

using ::testing::ElementsAre;

GpgReport report_of(std::initializer_list<const char*> lines) {
  GpgReport report;
  for (const char* line : lines) add_gpg_line(report, line);
  return report;
}

std::string judged(const GpgReport& report, int code) {
  const std::optional<Error> error = judge_gpg(report, ExitStatus{.code = code, .signal = 0});
  return error ? std::string(to_string(error->reason)) : "proved";
}

TEST(GpgAnswers, ProveAnObjectOnlyWithItsIntegrity) {
  EXPECT_EQ(judged(report_of({"[GNUPG:] ENC_TO 0BE356FB41400827 1 0", "[GNUPG:] DECRYPTION_OKAY",
                              "[GNUPG:] GOODMDC"}),
                   0),
            "proved");
  EXPECT_EQ(judged(report_of({"[GNUPG:] DECRYPTION_OKAY"}), 0), "decrypt_failed");
  EXPECT_EQ(judged(report_of({"[GNUPG:] NODATA 3"}), 0), "decrypt_failed");
  EXPECT_EQ(
      judged(report_of({"[GNUPG:] DECRYPTION_OKAY", "[GNUPG:] GOODMDC", "[GNUPG:] NODATA 3"}), 2),
      "decrypt_failed");
}

TEST(GpgAnswers, TellTheKeyringFromTheData) {
  EXPECT_EQ(judged(report_of({"[GNUPG:] ENC_TO A 1 0", "[GNUPG:] NO_SECKEY A",
                              "[GNUPG:] BEGIN_DECRYPTION", "[GNUPG:] DECRYPTION_FAILED"}),
                   2),
            "key_unavailable");
  EXPECT_EQ(judged(report_of({"[GNUPG:] ENC_TO A 1 0", "[GNUPG:] ERROR pkdecrypt_failed 67108949",
                              "[GNUPG:] DECRYPTION_FAILED"}),
                   2),
            "key_unavailable");
  EXPECT_EQ(judged(report_of({"[GNUPG:] ENC_TO A 1 0", "[GNUPG:] ERROR pkdecrypt_failed 33554450",
                              "[GNUPG:] DECRYPTION_FAILED"}),
                   2),
            "decrypt_failed");
  // One of two recipients is ours: then a bad MDC is the data's.
  EXPECT_EQ(judged(report_of({"[GNUPG:] ENC_TO A 1 0", "[GNUPG:] ENC_TO B 1 0",
                              "[GNUPG:] NO_SECKEY A", "[GNUPG:] DECRYPTION_KEY X Y -",
                              "[GNUPG:] BADMDC", "[GNUPG:] DECRYPTION_FAILED"}),
                   2),
            "decrypt_failed");
  EXPECT_EQ(judged(report_of({"gpg: Fatal: can't create directory"}), 2), "key_unavailable");
}

TEST(GpgAnswers, BlameTheHostForAKilledGpg) {
  const std::optional<Error> error = judge_gpg(GpgReport{}, ExitStatus{.code = 0, .signal = 9});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->reason, Reason::host_unfit);
}

TEST(GpgAnswers, KeepNotesAndBoundMessages) {
  GpgReport report =
      report_of({"gpg: Note: secret key 2E03 expired at Thu Jan  2 00:00:00 2020 UTC"});
  EXPECT_THAT(report.notes, ElementsAre("secret key 2E03 expired at Thu Jan  2 00:00:00 2020 UTC"));
  for (int at = 0; at < 1000; ++at) add_gpg_line(report, std::string(100, 'x'));
  EXPECT_LE(report.messages.size(), 4096U);
}

PacketWalk walk(const std::string& bytes) {
  MemorySource source(bytes_of(bytes), 1000);
  return *walk_packets(source);
}

std::string session_key() {
  return std::string("\x84\x0c\x03", 3) + "\x01\x02\x03\x04\x05\x06\x07\x08" + "\x01xy";
}

TEST(PacketWalk, FollowsEveryKindOfLength) {
  const std::string body(600, 'd');
  const std::string partial = std::string("\xd2\xe9", 2) + body.substr(0, 512) + "\x05tail!";
  const std::string fixed = std::string("\xd2\xc1\x98", 3) + body;
  const std::string old_format = std::string("\xa5\x02\x58", 3) + body;
  const std::string aead = std::string("\xd4\x05", 2) + "tail!";
  for (const std::string& data : {partial, fixed, old_format, aead}) {
    const std::string whole = session_key() + session_key() + data;
    EXPECT_EQ(walk(whole).chain, PacketChain::complete);
    for (std::size_t size = 1; size < whole.size(); ++size) {
      const PacketWalk found = walk(whole.substr(0, size));
      EXPECT_EQ(found.chain, PacketChain::cut) << size;
      EXPECT_EQ(found.offset, size) << size;
    }
    EXPECT_EQ(walk(whole + "more").chain, PacketChain::damaged);
    EXPECT_EQ(walk(whole + "more").offset, whole.size());
  }
}

TEST(PacketWalk, TakesGrowingPartsForDamage) {
  const std::string data = std::string("\xd2\xe9", 2) + std::string(512, 'd') + "\xea" +
                           std::string(1024, 'd') + std::string(1, '\0');
  EXPECT_EQ(walk(session_key() + data).chain, PacketChain::damaged);
}

TEST(ObjectFormat, IsToldByContentNotByName) {
  EXPECT_EQ(format_of(bytes_of(lzop("x"))), ObjectFormat::lzop);
  EXPECT_EQ(format_of(bytes_of(session_key() + "\xd2\x01x")), ObjectFormat::openpgp);
  EXPECT_EQ(format_of(bytes_of("\xC1\x0c...")), ObjectFormat::openpgp);
  EXPECT_EQ(format_of(bytes_of("\x05" + session_key().substr(1) + "\xd2\x01x")),
            ObjectFormat::damaged_openpgp);
  EXPECT_EQ(format_of(bytes_of("PK\x03\x04")), ObjectFormat::unknown);
  EXPECT_EQ(format_of({}), ObjectFormat::unknown);
}

TEST(Recipients, AreReadFromTheFirstPackets) {
  EXPECT_THAT(recipients_of(bytes_of(session_key() + session_key() + "\xd2\x01x")),
              ElementsAre("0102030405060708"));
  EXPECT_THAT(recipients_of(bytes_of("\x84\x05\x03")), ElementsAre());
}

}  // namespace
}  // namespace rad::wal_e
