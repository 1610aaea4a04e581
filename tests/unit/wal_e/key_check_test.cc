#include "plugins/wal_e/key_check.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/wal_e/wal_e_support.h"

namespace rad::wal_e {
namespace {

using namespace std::chrono_literals;

constexpr const char* kOurs = "0BE356FB41400827";
constexpr const char* kOther = "1111111111111111";

ObjectSample sample(std::string key, std::vector<std::string> recipients,
                    ObjectFormat format = ObjectFormat::openpgp) {
  return {.object = {.key = std::move(key), .size = 10, .modified = {}},
          .format = format,
          .recipients = std::move(recipients)};
}

SecretKey secret(std::string id) {
  SecretKey key;
  key.key_id = std::move(id);
  key.encrypts = true;
  return key;
}

TEST(KeyListing, IsUnderstood) {
  const auto keys = parse_key_listing(
      "sec:-:3072:1:7A32E86699160FDF:1614556800:1640995200::-:::scESC:::+:::23::0:\n"
      "fpr:::::::::F55A68E7CD6C2746960DDED27A32E86699160FDF:\n"
      "uid:-::::1614556800::A5B5072604D7AD8CF00DBB129F21035A0728A8B9::Backup::::::::::0:\n"
      "ssb:e:3072:1:0BE356FB41400827:1614556800::::::e:::+:::23:\n"
      "ssb:r:3072:1:2222222222222222:1614556800::::::e:::#:::23:\n");
  ASSERT_EQ(keys.size(), 3U);
  EXPECT_EQ(keys[0].expires, 1640995200);
  EXPECT_FALSE(keys[0].encrypts);
  EXPECT_EQ(keys[1].key_id, kOurs);
  EXPECT_EQ(keys[1].primary_id, "7A32E86699160FDF");
  EXPECT_TRUE(keys[1].encrypts);
  EXPECT_TRUE(keys[1].present);
  EXPECT_FALSE(keys[2].present);
  EXPECT_TRUE(keys[2].revoked);
  EXPECT_TRUE(parse_key_listing("sec:\n::\nssb:a:b\n").empty());
}

TEST(Expiry, IsAFindingBeforeAndAfter) {
  const TimePoint now{1700000000s};
  auto key = secret(kOurs);
  EXPECT_TRUE(judge_expiry({key}, now).empty());
  key.expires = 1699999999;
  EXPECT_EQ(judge_expiry({key}, now).at(0).code, "key_expired");
  key.expires = 1700000000 + 86400;
  EXPECT_EQ(judge_expiry({key}, now).at(0).code, "key_expires_soon");
  key.expires = 1700000000 + 86400 * 365;
  EXPECT_TRUE(judge_expiry({key}, now).empty());
}

TEST(KeyKnowledge, OfAStoreForOurKeyIsContent) {
  const KeyKnowledge keys({sample("a", {kOurs}), sample("b", {kOther, kOurs})}, {secret(kOurs)});
  EXPECT_TRUE(keys.any_encrypted());
  EXPECT_TRUE(keys.judge_samples());
  ASSERT_EQ(keys.keys_in_use().size(), 1U);
}

TEST(KeyKnowledge, OfAStoreForAnotherKeyLacksTheKey) {
  const KeyKnowledge keys({sample("a", {kOther}), sample("b", {kOther})}, {secret(kOurs)});
  const auto status = keys.judge_samples();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::key_unavailable);
  EXPECT_NE(status.error().message.find(kOther), std::string::npos);
}

TEST(KeyKnowledge, BlamesTheOnlyObjectForAnotherKey) {
  const KeyKnowledge keys({sample("a", {kOurs}), sample("b", {kOther}), sample("c", {kOurs})},
                          {secret(kOurs)});
  const auto status = keys.judge_samples();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::decrypt_failed);
  EXPECT_EQ(status.error().object, "b");
}

TEST(KeyKnowledge, OfARotatedKeyLacksTheNewOne) {
  const KeyKnowledge keys({sample("a", {kOurs}), sample("b", {kOther}), sample("c", {kOther})},
                          {secret(kOurs)});
  EXPECT_EQ(keys.judge_samples().error().reason, Reason::key_unavailable);
}

TEST(KeyKnowledge, TakesHiddenRecipientsForAnyKeyOfOurs) {
  const KeyKnowledge keys({sample("a", {"0000000000000000"})}, {secret(kOurs)});
  EXPECT_TRUE(keys.judge_samples());
  EXPECT_EQ(keys.keys_in_use().size(), 1U);
  const KeyKnowledge none({sample("a", {"0000000000000000"})}, {});
  EXPECT_FALSE(none.judge_samples());
}

TEST(KeyKnowledge, AStubIsNoKey) {
  auto stub = secret(kOurs);
  stub.present = false;
  const KeyKnowledge keys({sample("a", {kOurs})}, {stub});
  EXPECT_EQ(keys.judge_samples().error().reason, Reason::key_unavailable);
}

TEST(KeyKnowledge, OfAPlainStoreNeedsNoKey) {
  const KeyKnowledge keys({sample("a", {}, ObjectFormat::lzop)}, {});
  EXPECT_FALSE(keys.any_encrypted());
  EXPECT_TRUE(keys.judge_samples());
}

TEST(KeyKnowledge, TurnsNoSecretKeyIntoTheObjectsFaultWhenTheKeyWorks) {
  const auto storage = test_support::storage_of(test_support::encrypted_store());
  const std::string object = "wal_005/000000010000000000000003.lzo";
  const KeyKnowledge keys({sample("wal_005/000000010000000000000004.lzo", {kOurs})},
                          {secret(kOurs)});
  const auto judged =
      keys.judge(fail(Reason::key_unavailable, "no secret key", "", object), *storage);
  EXPECT_EQ(judged.reason, Reason::decrypt_failed);
  EXPECT_EQ(judged.object, object);
  const auto other = keys.judge(fail(Reason::truncated, "short", "", object), *storage);
  EXPECT_EQ(other.reason, Reason::truncated);
}

TEST(KeyKnowledge, ProvesTheKeyAgainBeforeItBlamesAnObject) {
  const auto storage = test_support::storage_of(test_support::encrypted_store());
  const std::string object = "wal_005/000000010000000000000003.lzo";
  KeyKnowledge keys({sample("wal_005/000000010000000000000004.lzo", {kOurs})}, {secret(kOurs)});
  keys.set_probe([]() -> Status { return fail(Reason::key_unavailable, "the agent has died"); });
  const auto judged =
      keys.judge(fail(Reason::key_unavailable, "no secret key", "", object), *storage);
  EXPECT_EQ(judged.reason, Reason::key_unavailable);
  EXPECT_EQ(judged.message, "the agent has died");
}

TEST(KeyKnowledge, TakesNoiseAmongEncryptedObjectsForDamage) {
  const test_support::StoreCopy store(test_support::encrypted_store());
  const std::string object = "wal_005/000000010000000000000003.lzo";
  store.write(object, std::string(5000, '\x17'));
  const auto storage = test_support::storage_of(store.path());
  const auto error = fail(Reason::decompress_failed, "neither lzop nor OpenPGP", "", object);
  const KeyKnowledge encrypted({sample("x", {kOurs}), sample(object, {}, ObjectFormat::unknown)},
                               {secret(kOurs)});
  EXPECT_EQ(encrypted.judge(error, *storage).reason, Reason::decrypt_failed);
  const KeyKnowledge mixed({sample("x", {kOurs}), sample("y", {}, ObjectFormat::lzop)},
                           {secret(kOurs)});
  EXPECT_EQ(mixed.judge(error, *storage).reason, Reason::decompress_failed);
}

/// Genuine gpg, in short paths.
class GenuineKeyring : public testing::Test {
 protected:
  ~GenuineKeyring() override { Keyring::remove(dir_ / "run"); }
  Keyring use(bool with_key = true) {
    test_support::make_key_home(dir_ / "keys", with_key);
    EXPECT_TRUE(Keyring::copy(dir_ / "keys", dir_ / "run", ""));
    return Keyring(dir_ / "run", 20s);
  }
  test::TempDir dir_;
};

TEST_F(GenuineKeyring, IsCopiedWithoutSocketsAndProved) {
  dir_.write("keys/S.gpg-agent", "stale");
  dir_.write("keys/.#lk0x1", "stale");
  const auto keyring = use();
  EXPECT_FALSE(std::filesystem::exists(dir_ / "run/.#lk0x1"));
  const auto keys = keyring.list_keys();
  ASSERT_TRUE(keys) << keys.error().detail;
  ASSERT_EQ(keys->size(), 2U);
  EXPECT_EQ(keys->at(1).key_id, kOurs);
  const auto status = keyring.probe(keys->at(1));
  EXPECT_TRUE(status) << status.error().detail;
  Keyring::remove(keyring.home());
  EXPECT_FALSE(std::filesystem::exists(keyring.home()));
  Keyring::remove(keyring.home());
}

TEST_F(GenuineKeyring, WithoutKeysListsNone) {
  const auto keys = use(false).list_keys();
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->empty());
}

TEST_F(GenuineKeyring, WithoutItsPrivatePartIsUnavailable) {
  const auto keyring = use();
  const auto keys = keyring.list_keys().value();
  std::filesystem::remove_all(dir_ / "run/private-keys-v1.d");
  const auto status = keyring.probe(keys.at(1));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::key_unavailable);
}

TEST_F(GenuineKeyring, WithAnAgentThatHangsIsUnavailableWithinTheLimit) {
  const auto agent = dir_.write("agent", "#!/bin/sh\nexec sleep 1000\n");
  ::chmod(agent.c_str(), 0755);
  (void)use();
  dir_.write("run/gpg.conf", "agent-program " + agent.string() + "\n");
  const Keyring keyring(dir_ / "run", 2s);
  const auto status = keyring.probe(secret(kOurs));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::key_unavailable);
}

TEST(Keyring, ThatIsNotThereIsTheConfigurationsFault) {
  const test::TempDir dir;
  const auto status = Keyring::copy("/nowhere", dir / "run", "");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::config_invalid);
}

}  // namespace
}  // namespace rad::wal_e
