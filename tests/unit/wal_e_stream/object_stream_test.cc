#include "plugins/wal_e/object_stream.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/wal_e_stream/stream_support.h"

namespace rad::wal_e {
namespace {

using object_store::ObjectInfo;
using test::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string flipped(std::string text, std::size_t at) {
  text[at] = static_cast<char>(text[at] ^ 0x40);
  return text;
}

class ObjectStream : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    keyring_ = new Keyring;
    plain_ = new std::string(text_of(3'000'000) + noise(400'000));
    packed_ = new std::string(lzop(*plain_));
    encrypted_ = new std::string(keyring_->encrypt(*packed_));
  }
  static void TearDownTestSuite() {
    delete keyring_;
    delete plain_;
    delete packed_;
    delete encrypted_;
  }

  struct Got {
    Result<DecodedInfo> info = DecodedInfo{};
    std::string content;
  };

  Got decode(const std::string& stored, unsigned decoders = 2) {
    dir_.write("object", stored);
    const auto storage = *object_store::open_storage("file://" + dir_.path().string());
    return decode_from(*storage, {.key = "object", .size = stored.size(), .modified = {}},
                       decoders);
  }

  Got decode_from(object_store::Storage& storage, const ObjectInfo& listed, unsigned decoders = 2) {
    Got got;
    DecodeContext context;
    context.gnupg_home = home_;
    context.decoders = decoders;
    context.patience = patience_;
    context.gpg = gpg_;
    context.stop = stop_.get_token();
    got.info = decode_object(storage, listed, context, [&](std::span<const std::byte> piece) {
      got.content.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return sink_ ? sink_(piece) : Status{};
    });
    return got;
  }

  void expect_fault(const std::string& stored, Reason reason, std::string_view text = "") {
    for (const unsigned decoders : {1U, 2U}) {
      const Got got = decode(stored, decoders);
      ASSERT_FALSE(got.info);
      const Error error = got.info.error();
      EXPECT_EQ(to_string(error.reason), to_string(reason)) << error.message;
      EXPECT_EQ(error.object, "object");
      EXPECT_THAT(error.message, HasSubstr("object 'object'"));
      EXPECT_THAT(error.message, HasSubstr(std::string(text)));
    }
  }

  static Keyring* keyring_;
  static std::string* plain_;
  static std::string* packed_;
  static std::string* encrypted_;
  TempDir dir_;
  std::filesystem::path home_ = keyring_->home();
  std::filesystem::path gpg_ = "gpg";
  std::chrono::milliseconds patience_ = std::chrono::minutes(1);
  std::stop_source stop_;
  ByteSink sink_;
  std::size_t seen_ = 0;
};

Keyring* ObjectStream::keyring_ = nullptr;
std::string* ObjectStream::plain_ = nullptr;
std::string* ObjectStream::packed_ = nullptr;
std::string* ObjectStream::encrypted_ = nullptr;

TEST_F(ObjectStream, DecodesAnEncryptedObject) {
  for (const unsigned decoders : {0U, 1U, 2U, 4U}) {
    const Got got = decode(*encrypted_, decoders);
    ASSERT_TRUE(got.info) << got.info.error().message;
    EXPECT_EQ(got.content, *plain_);
    EXPECT_TRUE(got.info->encrypted);
    EXPECT_THAT(got.info->key_ids, ElementsAre(kTestKeyId));
    EXPECT_EQ(got.info->stored_bytes, encrypted_->size());
    EXPECT_EQ(got.info->plain_bytes, plain_->size());
  }
}

TEST_F(ObjectStream, DecodesAPlainObjectWithoutAKeyring) {
  home_.clear();
  const Got got = decode(*packed_);
  ASSERT_TRUE(got.info) << got.info.error().message;
  EXPECT_EQ(got.content, *plain_);
  EXPECT_FALSE(got.info->encrypted);
  EXPECT_EQ(got.info->stored_bytes, packed_->size());
}

TEST_F(ObjectStream, DecodesFromAStorageWithoutDescriptors) {
  MemoryStorage storage;
  storage.objects["plain"] = *packed_;
  storage.objects["encrypted"] = *encrypted_;
  for (const char* key : {"plain", "encrypted"}) {
    const Got got = decode_from(storage, *storage.stat(key));
    ASSERT_TRUE(got.info) << got.info.error().message;
    EXPECT_EQ(got.content, *plain_);
    EXPECT_EQ(got.info->stored_bytes, storage.objects[key].size());
  }
}

TEST_F(ObjectStream, NoticesATransferShorterThanTheListing) {
  for (const std::string* stored : {packed_, encrypted_}) {
    for (const std::size_t cut : {stored->size() - 1, stored->size() / 2, std::size_t{100}}) {
      MemoryStorage storage;
      storage.objects["object"] = *stored;
      storage.cut_transfer_at = cut;
      const Got got = decode_from(storage, *storage.stat("object"));
      ASSERT_FALSE(got.info);
      EXPECT_EQ(got.info.error().reason, Reason::truncated) << got.info.error().message;
      EXPECT_THAT(
          got.info.error().message,
          HasSubstr(fmt::format("it has {} bytes, the listing says {}", cut, stored->size())));
    }
  }
}

TEST_F(ObjectStream, SaysWhatTheStorageSaidAndNotWhatGpgMadeOfIt) {
  for (const std::string* stored : {packed_, encrypted_}) {
    MemoryStorage storage;
    storage.objects["object"] = *stored;
    storage.cut_transfer_at = stored->size() / 2;
    storage.fail_with = fail(Reason::storage_unreachable, "no route to the host");
    const Got got = decode_from(storage, *storage.stat("object"));
    ASSERT_FALSE(got.info);
    EXPECT_EQ(got.info.error().reason, Reason::storage_unreachable) << got.info.error().message;
    EXPECT_THAT(got.info.error().message, HasSubstr("no route to the host"));
  }
}

TEST_F(ObjectStream, NoticesAnObjectThatChangedSinceTheListing) {
  dir_.write("object", *packed_);
  const auto storage = *object_store::open_storage("file://" + dir_.path().string());
  EXPECT_EQ(decode_from(*storage, {"object", packed_->size() + 1, {}}).info.error().reason,
            Reason::truncated);
  EXPECT_EQ(decode_from(*storage, {"object", packed_->size() - 1, {}}).info.error().reason,
            Reason::backup_removed);
  EXPECT_EQ(decode_from(*storage, {"gone", 1, {}}).info.error().reason, Reason::missing_object);
}

TEST_F(ObjectStream, CallsCutObjectsTruncatedEncryptedOrNot) {
  for (const std::string* stored : {packed_, encrypted_}) {
    for (const std::size_t cut :
         {std::size_t{1}, std::size_t{3}, std::size_t{30}, stored->size() / 2, stored->size() - 700,
          stored->size() - 1, stored->size()}) {
      expect_fault(stored->substr(0, stored->size() - cut), Reason::truncated);
    }
  }
}

TEST_F(ObjectStream, CallsAlteredCiphertextDecryptFailed) {
  // The first byte, the session key, the first data, the middle, the integrity code.
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{100}, std::size_t{300}, std::size_t{420}, std::size_t{600},
        encrypted_->size() / 2, encrypted_->size() - 700, encrypted_->size() - 3}) {
    expect_fault(flipped(*encrypted_, at), Reason::decrypt_failed);
  }
  expect_fault(*encrypted_ + "garbage", Reason::decrypt_failed);
  expect_fault(*encrypted_ + *encrypted_, Reason::decrypt_failed);
}

TEST_F(ObjectStream, SaysWhichKeyIsMissing) {
  const Keyring empty(false);
  home_ = empty.home();
  expect_fault(*encrypted_, Reason::key_unavailable, kTestKeyId);
  home_.clear();
  expect_fault(*encrypted_, Reason::key_unavailable);
}

TEST_F(ObjectStream, LeavesADamagedKeyIdToTheCallerWhoKnowsTheSiblings) {
  expect_fault(flipped(*encrypted_, 5), Reason::key_unavailable, "0BA356FB41400827");
}

TEST_F(ObjectStream, CallsFaultsInsideIntactCiphertextByTheirOwnNames) {
  expect_fault(keyring_->encrypt(packed_->substr(0, packed_->size() - 4)), Reason::truncated,
               "in the decrypted stream");
  expect_fault(keyring_->encrypt(flipped(*packed_, packed_->size() - 200'000)),
               Reason::checksum_mismatch, "in the decrypted stream");
  expect_fault(keyring_->encrypt("not lzop at all"), Reason::decompress_failed);
}

TEST_F(ObjectStream, GivesTheOffsetOfDamageInAPlainObject) {
  const Got got = decode(flipped(*packed_, packed_->size() - 200'000));
  ASSERT_FALSE(got.info);
  EXPECT_EQ(got.info.error().reason, Reason::checksum_mismatch);
  ASSERT_TRUE(got.info.error().offset);
  EXPECT_LT(*got.info.error().offset, packed_->size() - 200'000);
}

TEST_F(ObjectStream, RefusesWhatIsNeitherLzopNorOpenPgp) {
  expect_fault("", Reason::truncated, "empty");
  expect_fault("\x1f\x8b\x08 gzip", Reason::decompress_failed, "1f 8b 08");
  expect_fault(flipped(*packed_, 3), Reason::decompress_failed, "magic");
}

TEST_F(ObjectStream, StopsWithTheSinksError) {
  int pieces = 0;
  sink_ = [&](std::span<const std::byte>) -> Status {
    if (++pieces == 2) return fail(Reason::scratch_full, "no room");
    return {};
  };
  const Got got = decode(*encrypted_);
  ASSERT_FALSE(got.info);
  EXPECT_EQ(got.info.error().reason, Reason::scratch_full);
  EXPECT_EQ(got.info.error().message, "no room");
}

TEST_F(ObjectStream, NamesTheCiphertextWhenTheSinkDislikesDamagedContent) {
  const std::string unchecked = lzop(*plain_, {"--no-checksum"});
  sink_ = [&](std::span<const std::byte> piece) -> Status {
    const bool same = std::memcmp(piece.data(), plain_->data() + seen_, piece.size()) == 0;
    seen_ += piece.size();
    if (same) return {};
    return fail(Reason::metadata_invalid, "bad content");
  };
  const std::string stored = keyring_->encrypt(unchecked);
  const Got got = decode(flipped(stored, stored.size() - 200'000));
  ASSERT_FALSE(got.info);
  EXPECT_EQ(got.info.error().reason, Reason::decrypt_failed) << got.info.error().message;
  EXPECT_THAT(got.info.error().message, HasSubstr("bad content"));
}

TEST_F(ObjectStream, StopsSoonWhenAsked) {
  sink_ = [&](std::span<const std::byte>) -> Status {
    stop_.request_stop();
    return {};
  };
  for (const std::string* stored : {packed_, encrypted_}) {
    stop_ = std::stop_source();
    const Got got = decode(*stored);
    ASSERT_FALSE(got.info);
    EXPECT_EQ(got.info.error().reason, Reason::cancelled);
  }
}

TEST_F(ObjectStream, DoesNotWaitForAnAgentThatDoesNotAnswer) {
  // A gpg that reads nothing and says nothing.
  const auto script = dir_.write("gpg", "#!/bin/sh\nexec sleep 600\n");
  ::chmod(script.c_str(), 0755);
  gpg_ = script;
  patience_ = std::chrono::milliseconds(300);
  expect_fault(*encrypted_, Reason::key_unavailable, "does not answer");
}

TEST_F(ObjectStream, SaysThatGpgIsNotInstalled) {
  gpg_ = "/nonexistent/gpg";
  expect_fault(*encrypted_, Reason::tool_missing);
}

TEST_F(ObjectStream, ReadsWhoAnObjectIsEncryptedToWithoutDecrypting) {
  dir_.write("e", *encrypted_);
  dir_.write("p", *packed_);
  dir_.write("broken-id", flipped(*encrypted_, 5));
  const auto storage = *object_store::open_storage("file://" + dir_.path().string());
  EXPECT_THAT(read_head(*storage, *storage->stat("e"))->key_ids, ElementsAre(kTestKeyId));
  EXPECT_THAT(read_head(*storage, *storage->stat("broken-id"))->key_ids,
              ElementsAre("0BA356FB41400827"));
  EXPECT_FALSE(read_head(*storage, *storage->stat("p"))->encrypted);
}

TEST_F(ObjectStream, NotesAnExpiredKey) {
  const Keyring old(false);
  old.gpg({"--faked-system-time", "20200101T000000!", "--passphrase", "", "--pinentry-mode",
           "loopback", "--quick-gen-key", "old@example.invalid", "future-default", "default",
           "1d"});
  const std::string stored =
      old.gpg({"--faked-system-time", "20200101T020000!", "--trust-model", "always", "-z", "0",
               "--encrypt", "-r", "old@example.invalid"},
              *packed_);
  home_ = old.home();
  const Got got = decode(stored);
  ASSERT_TRUE(got.info) << got.info.error().message;
  ASSERT_EQ(got.info->gpg_notes.size(), 1U);
  EXPECT_THAT(got.info->gpg_notes[0], HasSubstr("expired"));
}

TEST_F(ObjectStream, CallsALockedKeyUnavailable) {
  const Keyring locked(false);
  locked.gpg({"--passphrase", "secret", "--pinentry-mode", "loopback", "--quick-gen-key",
              "locked@example.invalid", "future-default", "default", "never"});
  const std::string stored = locked.gpg(
      {"--trust-model", "always", "-z", "0", "--encrypt", "-r", "locked@example.invalid"},
      *packed_);
  locked.stop_agent();  // and what it has cached
  home_ = locked.home();
  expect_fault(stored, Reason::key_unavailable, "cannot be used");
}

TEST_F(ObjectStream, ReadsTheGenuineObjectsToTheirManifest) {
  const std::string root = std::string(RAD_SOURCE_DIR) + "/tests/data/wale-small/encrypted";
  const auto storage = *object_store::open_storage("file://" + root);
  std::uint64_t wal = 0;
  for (const ObjectInfo& object : *storage->list("wal_005/")) {
    const Got got = decode_from(*storage, object, 1);
    ASSERT_TRUE(got.info) << got.info.error().message;
    wal += got.content.size() == 16U << 20U ? 1 : 0;
  }
  EXPECT_EQ(wal, 5U);
}

}  // namespace
}  // namespace rad::wal_e
