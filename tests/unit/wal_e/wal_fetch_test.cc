// The server of WAL and its client program, together and apart.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/base/child_process.h"
#include "agent/base/files.h"
#include "plugins/wal_e/wal_fetch_server.h"
#include "tests/unit/wal_e/wal_e_support.h"

namespace rad::wal_e {
namespace {

namespace fs = std::filesystem;
using test_support::StoreCopy;

constexpr const char* kFirst = "000000010000000000000005";
constexpr const char* kMiddle = "000000010000000000000006";
constexpr const char* kLast = "000000010000000000000007";

class WalFetch : public testing::Test {
 protected:
  void serve() {
    storage_ = test_support::storage_of(store_.path());
    listing_ = arrange({}, storage_->list(kWalPrefix).value());
    const auto plan = plan_timelines(listing_.wal, {}, 1, 0x5000028, kDefaultSegmentBytes);
    path_ = follow(listing_.wal, plan, 1, 5, kDefaultSegmentBytes);
    WalSource source;
    source.storage = storage_.get();
    source.listing = &listing_.wal;
    source.path = &path_;
    source.system_identifier = test_support::kSystemIdentifier;
    source.scratch = dir_.path();
    source.last_number = 7;
    server_ = WalFetchServer::start(std::move(source), socket()).value();
  }
  fs::path socket() const { return dir_ / "wal.sock"; }

  /// Runs rad-wal-fetch. \return its exit code
  int fetch(const std::string& name, const fs::path& to) {
    ChildSpec spec;
    spec.program = fs::path(RAD_BINARY_DIR) / "libexec/rad-wal-fetch";
    spec.args = {socket().string(), name, to.string()};
    const auto output = run_tool(spec, {}, std::chrono::seconds(60));
    EXPECT_TRUE(output);
    message_ = output->err;
    EXPECT_EQ(output->status.signal, 0);
    return output->status.code;
  }

  test::TempDir dir_;
  StoreCopy store_{test_support::plain_store()};
  std::unique_ptr<object_store::Storage> storage_;
  StoreListing listing_;
  WalPath path_;
  std::unique_ptr<WalFetchServer> server_;
  std::string message_;
};

TEST_F(WalFetch, HandsOverSegmentsOneAfterTheOther) {
  serve();
  for (const char* name : {kFirst, kMiddle, kLast, kLast}) {
    const auto to = dir_ / "RECOVERYXLOG";
    fs::remove(to);
    ASSERT_EQ(fetch(name, to), 0) << message_;
    EXPECT_EQ(read_file(to, 20U << 20U).value(),
              test_support::decoded(store_.path(), wal_key(name)));
    struct stat info {};
    ASSERT_EQ(::stat(to.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
  }
  EXPECT_FALSE(server_->first_fault());
  EXPECT_EQ(server_->last_served(), 7U);
}

TEST_F(WalFetch, SaysAbsentOnlyOfWhatDoesNotExist) {
  serve();
  for (const char* name : {"000000010000000000000008", "00000002.history",
                           "000000020000000000000006", "000000010000000000000006.partial"}) {
    EXPECT_EQ(fetch(name, dir_ / "to"), 1) << name;
    EXPECT_FALSE(fs::exists(dir_ / "to"));
  }
  EXPECT_FALSE(server_->first_fault());
}

TEST_F(WalFetch, RemembersAGap) {
  store_.remove(wal_key(kMiddle));
  serve();
  EXPECT_EQ(fetch(kMiddle, dir_ / "to"), 1);
  ASSERT_TRUE(server_->first_fault());
  EXPECT_EQ(server_->first_fault()->reason, Reason::wal_gap);
  EXPECT_EQ(server_->first_fault()->object, wal_key(kMiddle));
}

TEST_F(WalFetch, KeepsToWhatWasPinned) {
  serve();
  store_.write("wal_005/000000010000000000000008.lzo", store_.read(wal_key(kLast)));
  EXPECT_EQ(fetch("000000010000000000000008", dir_ / "to"), 1);
}

TEST_F(WalFetch, NeverHandsOverADamagedSegment) {
  std::string bytes = store_.read(wal_key(kMiddle));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  store_.write(wal_key(kMiddle), bytes);
  serve();
  EXPECT_EQ(fetch(kFirst, dir_ / "first"), 0);
  EXPECT_EQ(fetch(kMiddle, dir_ / "to"), 255);
  EXPECT_FALSE(fs::exists(dir_ / "to"));
  EXPECT_FALSE(message_.empty());
  ASSERT_TRUE(server_->first_fault());
  EXPECT_EQ(server_->first_fault()->object, wal_key(kMiddle));
}

TEST_F(WalFetch, StopsRecoveryWhenASegmentHasGone) {
  serve();
  store_.remove(wal_key(kMiddle));
  EXPECT_EQ(fetch(kMiddle, dir_ / "to"), 255);
  EXPECT_EQ(server_->first_fault()->reason, Reason::backup_removed);
}

TEST_F(WalFetch, StopsRecoveryOnNamesThatAreNone) {
  serve();
  for (const char* name : {"../../etc/passwd", "x", "00000001000000000000000g"}) {
    EXPECT_EQ(fetch(name, dir_ / "to"), 255) << name;
  }
  EXPECT_FALSE(server_->first_fault()) << "the archive is not to blame";
}

TEST_F(WalFetch, ClientOpensNothingThatIsThereOrALink) {
  serve();
  const auto there = dir_.write("there", "precious");
  EXPECT_EQ(fetch(kFirst, there), 255);
  EXPECT_EQ(read_file(there).value(), "precious");
  fs::create_symlink(dir_ / "elsewhere", dir_ / "link");
  EXPECT_EQ(fetch(kFirst, dir_ / "link"), 255);
  EXPECT_FALSE(fs::exists(dir_ / "elsewhere"));
}

TEST_F(WalFetch, ClientDoesNotHangWithoutAPlugin) {
  EXPECT_EQ(fetch(kFirst, dir_ / "to"), 255);
  serve();
  server_.reset();
  EXPECT_EQ(fetch(kFirst, dir_ / "to"), 255);
  EXPECT_FALSE(fs::exists(socket()));
  EXPECT_FALSE(fs::exists(dir_ / "to"));
}

TEST_F(WalFetch, ServerGoesAwayWhileItReadsAhead) {
  serve();
  EXPECT_EQ(fetch(kFirst, dir_ / "to"), 0);
  server_.reset();
  EXPECT_FALSE(fs::exists(socket()));
}

TEST(WalFetchServer, RefusesALongSocketPath) {
  const auto server = WalFetchServer::start({}, "/" + std::string(120, 'x'));
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().reason, Reason::config_invalid);
}

}  // namespace
}  // namespace rad::wal_e
