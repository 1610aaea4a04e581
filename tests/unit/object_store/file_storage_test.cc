#include <filesystem>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/object_store/storage.h"
#include "tests/support/temp_dir.h"

namespace rad::object_store {
namespace {

using test::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<Storage> storage_at(const std::filesystem::path& path) {
  return std::move(*open_storage("file://" + path.string()));
}

std::vector<std::string> keys(const Result<std::vector<ObjectInfo>>& listing) {
  std::vector<std::string> out;
  for (const ObjectInfo& object : *listing) out.push_back(object.key);
  return out;
}

std::string content(ObjectReader& reader) {
  std::string out(64, '\0');
  out.resize(reader.read(std::as_writable_bytes(std::span(out))).value());
  return out;
}

TEST(OpenStorage, TakesAPathWithOrWithoutHostLikeWalE) {
  EXPECT_EQ((*open_storage("file:///srv/pg/"))->describe(), "file:///srv/pg");
  EXPECT_EQ((*open_storage("file://localhost/srv/pg"))->describe(), "file:///srv/pg");
}

TEST(OpenStorage, NamesWhatItUnderstandsForAnotherScheme) {
  const auto storage = open_storage("ftp://host/x");
  ASSERT_FALSE(storage);
  EXPECT_EQ(storage.error().reason, Reason::config_invalid);
  EXPECT_THAT(storage.error().message, HasSubstr("ftp://host/x"));
  EXPECT_FALSE(open_storage("file://only-a-host"));
}

TEST(FileStorage, ListsBelowAPrefixSortedByKey) {
  const TempDir dir;
  dir.write("wal_005/b.lzo", "22");
  dir.write("wal_005/a.lzo", "1");
  dir.write("wal_005/deep/c", "333");
  dir.write("wal_0055", "x");
  const auto storage = storage_at(dir.path());
  EXPECT_THAT(keys(storage->list("wal_005/")),
              ElementsAre("wal_005/a.lzo", "wal_005/b.lzo", "wal_005/deep/c"));
  EXPECT_THAT(keys(storage->list("wal_005/a")), ElementsAre("wal_005/a.lzo"));
  EXPECT_THAT(keys(storage->list("")),
              ElementsAre("wal_005/a.lzo", "wal_005/b.lzo", "wal_005/deep/c", "wal_0055"));
  EXPECT_THAT(keys(storage->list("basebackups_005/x/")), ElementsAre());
  EXPECT_EQ((*storage->list("wal_005/b"))[0].size, 2U);
}

TEST(FileStorage, SaysThatTheRootIsMissing) {
  const TempDir dir;
  const auto listing = storage_at(dir / "not-there")->list("");
  ASSERT_FALSE(listing);
  EXPECT_EQ(listing.error().reason, Reason::missing_object);
  EXPECT_THAT(listing.error().message, HasSubstr("not-there"));
}

TEST(FileStorage, FollowsALinkToAFileButRefusesOneToADirectory) {
  const TempDir dir;
  dir.write("elsewhere/file", "data");
  dir.write("store/a", "1");
  std::filesystem::create_symlink(dir / "elsewhere/file", dir / "store/linked");
  std::filesystem::create_symlink(dir / "gone", dir / "store/dangling");
  const auto storage = storage_at(dir / "store");
  EXPECT_THAT(keys(storage->list("")), ElementsAre("a", "linked"));
  std::filesystem::create_directory_symlink(dir / "elsewhere", dir / "store/out");
  const auto listing = storage->list("");
  ASSERT_FALSE(listing);
  EXPECT_EQ(listing.error().reason, Reason::config_invalid);
  EXPECT_THAT(listing.error().message, HasSubstr("out"));
}

TEST(FileStorage, TellsAMissingObjectFromAnUnreadableOne) {
  const TempDir dir;
  dir.write("a/b", "x");
  const auto storage = storage_at(dir.path());
  EXPECT_EQ(storage->open("a/c").error().reason, Reason::missing_object);
  EXPECT_EQ(storage->open("a/b/c").error().reason, Reason::missing_object);
  EXPECT_EQ(storage->stat("a").error().reason, Reason::missing_object);
  EXPECT_EQ(storage->stat("a/b")->size, 1U);
}

TEST(FileStorage, RefusesKeysThatLeadOut) {
  const TempDir dir;
  dir.write("secret", "x");
  dir.write("store/a", "1");
  const auto storage = storage_at(dir / "store");
  for (const char* key : {"../secret", "/etc/passwd", "a/../../secret", "", "./a", "a//b"}) {
    EXPECT_FALSE(storage->open(key)) << key;
    EXPECT_FALSE(storage->stat(key)) << key;
  }
  EXPECT_FALSE(storage->list("../"));
}

TEST(FileStorage, OpensAtAnOffset) {
  const TempDir dir;
  dir.write("a", "0123456789");
  EXPECT_EQ(content(**storage_at(dir.path())->open("a", {.offset = 7})), "789");
  EXPECT_EQ(content(**storage_at(dir.path())->open("a", {.offset = 2, .length = 3})), "234");
}

TEST(FileStorage, NoticesALengthThatTheListingDidNotHave) {
  const TempDir dir;
  dir.write("a", "0123456789");
  const auto storage = storage_at(dir.path());
  const auto reason = [&](std::uint64_t listed) {
    const auto reader = storage->open("a", {.expected_size = listed});
    std::string out(64, '\0');
    EXPECT_EQ(*(*reader)->read(std::as_writable_bytes(std::span(out))), 10U);
    return (*reader)->read(std::as_writable_bytes(std::span(out))).error().reason;
  };
  EXPECT_EQ(reason(11), Reason::truncated);
  EXPECT_EQ(reason(9), Reason::backup_removed);
}

TEST(FileStorage, StopsWhenAsked) {
  const TempDir dir;
  dir.write("a", "0123456789");
  const auto storage = storage_at(dir.path());
  const auto reader = *storage->open("a");
  reader->cancel();
  std::string out(64, '\0');
  EXPECT_EQ(reader->read(std::as_writable_bytes(std::span(out))).error().reason, Reason::cancelled);
  std::stop_source stop;
  stop.request_stop();
  const auto listed = storage->visit(
      "", [](const ObjectInfo&) { return Status{}; }, stop.get_token());
  EXPECT_EQ(listed.error().reason, Reason::cancelled);
}

TEST(FileStorage, IgnoresAPipeInsteadOfWaitingForItsWriter) {
  const TempDir dir;
  dir.write("a", "1");
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  const auto storage = storage_at(dir.path());
  EXPECT_THAT(keys(storage->list("")), ElementsAre("a"));
  EXPECT_EQ(storage->open("pipe").error().reason, Reason::missing_object);
}

/// Root may read everything, so the question is asked as another user, in a child.
TEST(FileStorage, NamesTheUserWhenAccessIsDenied) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  const TempDir dir;
  dir.write("a", "1");
  ::chmod(dir.path().c_str(), 0700);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(9);
    const auto listing = storage_at(dir.path())->list("");
    const bool right = !listing && listing.error().reason == Reason::access_denied &&
                       listing.error().hint.find("65534") != std::string::npos;
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace rad::object_store
