// Who is called to hold an instance, and when.
#include "agent/run/holds.h"

#include <chrono>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/unique_fd.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace rad {
namespace {

using namespace std::chrono_literals;

/// Where the service manager listens that starts holders.
class HolderSocket {
 public:
  explicit HolderSocket(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_.get(), 4), 0);
  }
  bool was_called() {
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 0) != 1) return false;
    const UniqueFd call(::accept(fd_.get(), nullptr, nullptr));
    return static_cast<bool>(call);
  }

 private:
  UniqueFd fd_;
};

TEST(Holds, CallsNobodyForARunThatHasNotEnded) {
  const test::TempDir dir;
  const test::FakeClock clock(TimePoint(1'700'000'000s));
  Store store = Store::open(dir / "rad.db").value();
  AgentOptions options;
  options.state_dir = dir.path();
  options.runtime_dir = dir.path();
  HolderSocket socket((dir / "hold.sock").string());
  RunReport report;
  report.id = "20260101T000000-00000000";
  report.target = "db";
  report.created_at = clock.now();
  ASSERT_TRUE(store.begin_run(report));
  ASSERT_TRUE(store.put_hold({.run_id = report.id,
                              .target = "db",
                              .owner = "alice",
                              .since = clock.now(),
                              .until = clock.now() + 4h}));
  // Its process was killed between the order and its end; that is for the sweep to see.
  Holds holds(store, clock);
  holds.look(options, dir / "rad.yaml");
  EXPECT_FALSE(socket.was_called());
  EXPECT_EQ(holds.views(options).front().state, "starting");
  report.verdict = Verdict::pass;
  report.ended_at = clock.now();
  ASSERT_TRUE(store.end_run(report));
  holds.look(options, dir / "rad.yaml");
  EXPECT_TRUE(socket.was_called());
}

}  // namespace
}  // namespace rad
