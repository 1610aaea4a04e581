// The server of WAL and its client program, together and apart.
#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

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

/// A storage that a test can make fail, and that tells it what is looked for.
class MoodyStorage final : public object_store::Storage {
 public:
  explicit MoodyStorage(const fs::path& store) : storage_(test_support::storage_of(store)) {}

  Status visit(std::string_view prefix, const object_store::ObjectVisitor& visit,
               std::stop_token stop) override {
    return storage_->visit(prefix, visit, std::move(stop));
  }
  Result<object_store::ObjectInfo> stat(std::string_view key) override {
    if (const auto fault = next_fault(key)) return *fault;
    return storage_->stat(key);
  }
  Result<std::unique_ptr<object_store::ObjectReader>> open(
      std::string_view key, const object_store::OpenOptions& options) override {
    if (const auto fault = next_fault(key)) return *fault;
    return storage_->open(key, options);
  }
  std::string describe() const override { return storage_->describe(); }

  /// The next `times` requests end with `reason`.
  void refuse(int times, Reason reason) {
    const std::lock_guard lock(mutex_);
    refusals_ = times;
    reason_ = reason;
  }
  int refused() {
    const std::lock_guard lock(mutex_);
    return refused_;
  }
  /// \param hook  called before each request, with its key
  void before(std::function<void(std::string_view)> hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }

 private:
  std::optional<Error> next_fault(std::string_view key) {
    const std::lock_guard lock(mutex_);
    if (hook_) hook_(key);
    if (refusals_ == 0) return std::nullopt;
    --refusals_;
    ++refused_;
    return fail(reason_, "planted", "", std::string(key));
  }

  std::unique_ptr<object_store::Storage> storage_;
  std::mutex mutex_;
  std::function<void(std::string_view)> hook_;
  int refusals_ = 0;
  int refused_ = 0;
  Reason reason_ = Reason::storage_unreachable;
};

class WalFetch : public testing::Test {
 protected:
  /// \param after_pinning  before anything is read ahead
  void serve(const std::function<void()>& after_pinning = {}) {
    storage_ = std::make_unique<MoodyStorage>(store_.path());
    listing_ = arrange({}, storage_->list(kWalPrefix).value());
    const auto plan = plan_timelines(listing_.wal, {}, 1, 0x5000028, kDefaultSegmentBytes);
    path_ = follow(listing_.wal, plan, 1, 5, kDefaultSegmentBytes);
    if (after_pinning) after_pinning();
    WalSource source;
    source.storage = storage_.get();
    source.listing = &listing_.wal;
    source.path = &path_;
    source.system_identifier = test_support::kSystemIdentifier;
    source.scratch = dir_.path();
    source.last_number = 7;
    source.retry_limit = retry_limit_;
    source.late_limit = late_limit_;
    server_ = WalFetchServer::start(std::move(source), socket()).value();
  }
  fs::path socket() const { return dir_ / "wal.sock"; }

  ChildSpec client(const std::string& name, const fs::path& to) const {
    ChildSpec spec;
    spec.program = fs::path(RAD_BINARY_DIR) / "libexec/rad-wal-fetch";
    spec.args = {socket().string(), name, to.string()};
    return spec;
  }

  /// A connection of a client of the test's own.
  UniqueFd connect() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = socket().string();
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  /// Runs rad-wal-fetch. \return its exit code
  int fetch(const std::string& name, const fs::path& to) {
    const ChildSpec spec = client(name, to);
    const auto output = run_tool(spec, {}, std::chrono::seconds(60));
    EXPECT_TRUE(output);
    message_ = output->err;
    EXPECT_EQ(output->status.signal, 0);
    return output->status.code;
  }

  test::TempDir dir_;
  StoreCopy store_{test_support::plain_store()};
  std::unique_ptr<MoodyStorage> storage_;
  std::chrono::milliseconds retry_limit_{100};
  std::chrono::milliseconds late_limit_{100};
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
  serve([&] { store_.remove(wal_key(kMiddle)); });
  EXPECT_EQ(fetch(kMiddle, dir_ / "to"), 255);
  EXPECT_EQ(server_->first_fault()->reason, Reason::backup_removed);
}

TEST_F(WalFetch, SaysNothingOfAStoreThatHasGoneAway) {
  serve([&] {
    fs::rename(store_.path(), dir_ / "unmounted");
    fs::create_directory(store_.path());
  });
  // Were this taken for the end of the archive, recovery would end early and look fine.
  for (const char* name : {"000000010000000000000008", "00000001.history", kLast}) {
    EXPECT_EQ(fetch(name, dir_ / "to"), 255) << name;
    EXPECT_FALSE(fs::exists(dir_ / "to"));
  }
  EXPECT_EQ(server_->first_fault()->reason, Reason::storage_unreachable);
}

TEST_F(WalFetch, IsPatientWithAStorageThatComesBack) {
  retry_limit_ = std::chrono::minutes(1);
  serve();
  for (const Reason reason : {Reason::storage_unreachable, Reason::timeout}) {
    for (const char* name : {kFirst, "000000010000000000000008"}) {
      storage_->refuse(2, reason);
      EXPECT_EQ(fetch(name, dir_ / "to"), name == kFirst ? 0 : 1) << message_;
      fs::remove(dir_ / "to");
    }
  }
  EXPECT_EQ(storage_->refused(), 8);
  EXPECT_FALSE(server_->first_fault());
}

TEST_F(WalFetch, EndsPatienceWithAnError) {
  serve();
  for (const char* name : {kMiddle, "000000010000000000000008"}) {
    storage_->refuse(1'000'000, Reason::storage_unreachable);
    EXPECT_EQ(fetch(name, dir_ / "to"), 255) << message_;
  }
  EXPECT_GT(storage_->refused(), 4);
  EXPECT_EQ(server_->first_fault()->reason, Reason::storage_unreachable);
  storage_->refuse(0, Reason::storage_unreachable);
  EXPECT_EQ(fetch(kMiddle, dir_ / "to"), 0) << "the server may be asked again";
}

TEST_F(WalFetch, DoesNotAskADeniedStorageAgain) {
  retry_limit_ = std::chrono::minutes(10);
  serve();
  storage_->refuse(1'000'000, Reason::access_denied);
  EXPECT_EQ(fetch("000000010000000000000008", dir_ / "to"), 255);
  EXPECT_EQ(server_->first_fault()->reason, Reason::access_denied);
}

TEST_F(WalFetch, WaitsForASegmentThatIsStillBeingPushed) {
  // An archiver pushes several at once, and the later may be there first.
  const std::string middle = store_.read(wal_key(kMiddle));
  store_.remove(wal_key(kMiddle));
  late_limit_ = std::chrono::minutes(1);
  serve();
  int looks = 0;
  storage_->before([&](std::string_view key) {
    if (key != wal_key(kMiddle)) return;
    // Half of it, then all of it, as an archiver writes it in place.
    ++looks;
    if (looks == 2) store_.write(wal_key(kMiddle), middle.substr(0, middle.size() / 2));
    if (looks == 3) store_.write(wal_key(kMiddle), middle);
  });
  EXPECT_EQ(fetch(kMiddle, dir_ / "to"), 0) << message_;
  EXPECT_EQ(read_file(dir_ / "to", 20U << 20U).value(),
            test_support::decoded(store_.path(), wal_key(kMiddle)));
  EXPECT_FALSE(server_->first_fault());
}

TEST_F(WalFetch, DoesNotWaitForAnOldGap) {
  store_.remove(wal_key(kMiddle));
  fs::last_write_time(store_.path() / wal_key(kLast),
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
  late_limit_ = std::chrono::hours(1);
  serve();
  EXPECT_EQ(fetch(kMiddle, dir_ / "to"), 1);
  EXPECT_EQ(server_->first_fault()->reason, Reason::wal_gap);
}

TEST_F(WalFetch, GivesTheServerTheFileItself) {
  serve();
  ASSERT_EQ(fetch(kFirst, dir_ / "to"), 0);
  // The server may write over a segment when it recycles it; nobody else may have it.
  const UniqueFd recycled(::open((dir_ / "to").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(recycled.get(), "recycled", 8, 0), 8);
  ASSERT_EQ(fetch(kFirst, dir_ / "again"), 0);
  struct stat one {
  }, other{};
  ASSERT_EQ(::stat((dir_ / "to").c_str(), &one), 0);
  ASSERT_EQ(::stat((dir_ / "again").c_str(), &other), 0);
  EXPECT_NE(one.st_ino, other.st_ino);
  EXPECT_EQ(read_file(dir_ / "again", 20U << 20U).value(),
            test_support::decoded(store_.path(), wal_key(kFirst)));
}

TEST_F(WalFetch, CopiesWhereALinkCannotLead) {
  struct stat here {
  }, there{};
  ASSERT_EQ(::stat(dir_.path().c_str(), &here), 0);
  if (::stat("/dev/shm", &there) != 0 || here.st_dev == there.st_dev) {
    GTEST_SKIP() << "there is no other file system to write to";
  }
  serve();
  const fs::path to = fs::path("/dev/shm") / (dir_.path().filename().string() + "-wal");
  EXPECT_EQ(fetch(kFirst, to), 0) << message_;
  EXPECT_EQ(read_file(to, 20U << 20U).value(),
            test_support::decoded(store_.path(), wal_key(kFirst)));
  EXPECT_EQ(fetch(kFirst, to), 255) << "it is there";
  fs::remove(to);
}

TEST_F(WalFetch, AnswersInAnyOrder) {
  serve();
  for (const char* name : {kLast, kFirst, kFirst, kMiddle, kFirst, kLast}) {
    ASSERT_EQ(fetch(name, dir_ / "to"), 0) << message_;
    EXPECT_EQ(read_file(dir_ / "to", 20U << 20U).value(),
              test_support::decoded(store_.path(), wal_key(name)));
    fs::remove(dir_ / "to");
  }
}

TEST_F(WalFetch, ServesOnWhenAClientIsKilledInMidRequest) {
  retry_limit_ = std::chrono::minutes(10);
  serve();
  storage_->refuse(1'000'000, Reason::storage_unreachable);
  auto killed = ChildProcess::start(client("000000010000000000000008", dir_ / "to")).value();
  while (storage_->refused() == 0) std::this_thread::yield();
  killed.kill();
  killed.wait();
  storage_->refuse(0, Reason::storage_unreachable);
  EXPECT_EQ(fetch(kMiddle, dir_ / "to"), 0) << message_;
  EXPECT_FALSE(server_->first_fault()) << "nobody waited for it";
}

TEST_F(WalFetch, SilentClientsHoldUpNobody) {
  serve();
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 50; ++i) silent.push_back(connect());
  EXPECT_EQ(fetch(kFirst, dir_ / "to"), 0) << message_;
}

TEST_F(WalFetch, BearsAThousandRequestsAtOnce) {
  serve();
  const auto mine = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  const auto before = mine();
  std::vector<std::thread> crowd;
  std::atomic<int> answers = 0;
  for (int i = 0; i < 50; ++i) {
    crowd.emplace_back([&, i] {
      for (int turn = 0; turn < 20; ++turn) {
        const std::vector<std::string> names{"000000010000000000000008", "00000002.history",
                                             "../../etc/passwd", std::string(4000, 'x'), ""};
        const auto& name = names[static_cast<std::size_t>(i + turn) % names.size()];
        const UniqueFd fd = connect();
        // Descriptors that come along, as many as fit, must not stay here.
        std::array<int, 100> fds{};
        fds.fill(fd.get());
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> control{};
        iovec piece{const_cast<char*>(name.data()), name.size()};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof fds);
        std::memcpy(CMSG_DATA(part), fds.data(), sizeof fds);
        if (::sendmsg(fd.get(), &message, MSG_NOSIGNAL) < 0) continue;
        std::array<char, 1024> text{};
        if (::recv(fd.get(), text.data(), text.size(), 0) > 0) ++answers;
      }
    });
  }
  EXPECT_EQ(fetch(kFirst, dir_ / "to"), 0) << message_;
  for (auto& thread : crowd) thread.join();
  EXPECT_GT(answers, 500);
  EXPECT_EQ(fetch(kMiddle, dir_ / "then"), 0) << message_;
  EXPECT_FALSE(server_->first_fault());
  server_.reset();
  EXPECT_LE(mine(), before + 1);
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
