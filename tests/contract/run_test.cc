// A good run from `initialize` to `shutdown`, and what it shows and leaves.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "agent/model/json.h"
#include "tests/contract/contract_config.h"
#include "tests/contract/plugin_under_test.h"
#include "tests/contract/survivors.h"

namespace rad::contract {
namespace {

namespace bj = boost::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Does the configured requests one after another and reads their answers as the agent does.
class GoodRun {
 public:
  explicit GoodRun(PluginUnderTest& plugin)
      : plugin_(plugin),
        artifact_(
            place(config().artifact, {{"scratch", plugin.scratch()}, {"runtime", plugin.runtime()}})
                .as_object()) {}

  void all() {
    result_of(plugin_.call("initialize", plugin_.run_params()));
    for (const std::string& method : config().run) {
      if (::testing::Test::HasFailure()) return;
      one(method);
    }
  }

 private:
  template <class T>
  T read(const std::string& method, bj::object params = {}) {
    const auto value = protocol::from_json<T>(result_of(plugin_.call(method, std::move(params))));
    if (value) return *value;
    ADD_FAILURE() << method << ": " << value.error().message;
    return {};
  }

  void one(const std::string& method) {
    if (method == "preflight") {
      read<protocol::PreflightResult>(method);
    } else if (method == "restore") {
      const auto result = read<protocol::RestoreResult>(method);
      EXPECT_THAT(result.artifact.path, ::testing::StartsWith(plugin_.scratch() + "/"));
      artifact_ = to_json(result.artifact);
    } else if (method == "start") {
      const auto result = read<protocol::StartResult>(method, {{"artifact", artifact_}});
      endpoint_ = result.endpoint;
    } else if (method == "check") {
      check();
    } else {
      read<protocol::ReadResult>(method);
    }
  }

  void check() {
    protocol::CheckParams params;
    params.endpoint = endpoint_;
    params.checks = config().checks;
    const auto result = read<protocol::CheckResult>("check", to_json(params));
    std::vector<std::string> answered;
    for (const CheckOutcome& outcome : result.outcomes) {
      answered.push_back(outcome.name);
      EXPECT_TRUE(outcome.outcome == Outcome::pass || outcome.outcome == Outcome::not_applicable)
          << outcome.name << ": " << outcome.message;
    }
    for (const protocol::CheckSpec& spec : config().checks) {
      EXPECT_THAT(answered, ::testing::Contains(spec.name));
    }
  }

  PluginUnderTest& plugin_;
  bj::object artifact_;
  std::optional<Endpoint> endpoint_;
};

/// Looks at the arguments and environments of the plugin and all its children, all the time.
class Watch {
 public:
  explicit Watch(pid_t pid)
      : seen_(visible_text(pid)), last_(seen_), thread_([this, pid](const std::stop_token& stop) {
          while (!stop.stop_requested()) look(pid);
        }) {}

  std::string seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  void look(pid_t pid) {
    const std::string text = visible_text(pid);
    const std::lock_guard lock(mutex_);
    if (text != last_) seen_ += text;
    last_ = text;
  }

  std::mutex mutex_;
  std::string seen_;
  std::string last_;
  std::jthread thread_;
};

/// What must not be seen: the configured texts and the content of files behind secret options.
std::vector<std::string> secrets(const protocol::PluginInfo& info) {
  std::vector<std::string> texts = config().secrets;
  for (const protocol::OptionInfo& option : info.options) {
    const bj::value* path = config().options.if_contains(option.key);
    if (!option.secret || path == nullptr || !path->is_string()) continue;
    const auto content = read_file(std::string(path->get_string()));
    if (!content) continue;
    const std::string line = content->substr(0, content->find('\n'));
    if (line.size() >= 8) texts.push_back(line);
  }
  return texts;
}

void expect_end(PluginUnderTest& plugin) {
  result_of(plugin.call("shutdown"));
  const auto status = plugin.wait();
  ASSERT_TRUE(status.has_value()) << "it still runs after 'shutdown'";
  EXPECT_EQ(status->text(), "exit code 0");
}

TEST(ContractRun, GoesThroughAndLeavesNothing) {
  PluginUnderTest plugin;
  GoodRun(plugin).all();
  result_of(plugin.call("cleanup"));
  EXPECT_THAT(plugin.left_behind(), IsEmpty());
  expect_end(plugin);
}

TEST(ContractRun, CleansUpTwice) {
  PluginUnderTest plugin;
  GoodRun(plugin).all();
  result_of(plugin.call("cleanup"));
  result_of(plugin.call("cleanup"));
  EXPECT_THAT(plugin.left_behind(), IsEmpty());
  expect_end(plugin);
}

TEST(ContractRun, CleansUpWhenNothingWasDone) {
  PluginUnderTest plugin;
  result_of(plugin.call("initialize", plugin.run_params()));
  result_of(plugin.call("cleanup"));
  EXPECT_THAT(plugin.left_behind(), IsEmpty());
  expect_end(plugin);
}

TEST(ContractRun, CleansUpAfterAFailedInitialize) {
  PluginUnderTest plugin;
  EXPECT_TRUE(plugin.call("initialize", plugin.run_params({{"no_such_option", 1}})).error);
  result_of(plugin.call("cleanup"));
  EXPECT_THAT(plugin.left_behind(), IsEmpty());
  expect_end(plugin);
}

/// What lies there for as long as the run does: gpg's lock files come and go.
std::vector<std::string> lasting(std::vector<std::string> paths) {
  std::erase_if(paths, [](const auto& path) { return path.find("/.#lk") != std::string::npos; });
  return paths;
}

TEST(ContractRun, CollectsGarbageAndSparesLiveRuns) {
  PluginUnderTest plugin;
  GoodRun(plugin).all();
  const auto before = lasting(plugin.left_behind());
  const auto params = plugin.run_params();
  result_of(plugin.call("gc", {{"live_runs", bj::array{params.at("run_id")}}}));
  EXPECT_EQ(lasting(plugin.left_behind()), before);
  result_of(plugin.call("cleanup"));
}

TEST(ContractRun, ShowsNoSecretInArgumentsOrEnvironment) {
  PluginUnderTest plugin;
  const auto hidden = secrets(plugin.describe());
  Watch watch(plugin.pid());
  GoodRun(plugin).all();
  result_of(plugin.call("cleanup"));
  const std::string seen = watch.seen();
  EXPECT_THAT(seen, HasSubstr(config().plugin.filename().string()));
  for (const std::string& secret : hidden) {
    EXPECT_EQ(seen.find(secret), std::string::npos) << "a secret is visible to everybody";
  }
}

TEST(ContractRun, AnswersADiagnosisWithOrWithoutACause) {
  PluginUnderTest plugin;
  result_of(plugin.call("initialize", plugin.run_params()));
  protocol::DiagnoseParams params;
  params.stage = Stage::recover;
  params.error = fail(Reason::recovery_failed, "the server did not come up");
  const auto answer = result_of(plugin.call("diagnose", to_json(params)));
  EXPECT_TRUE(protocol::from_json<protocol::DiagnoseResult>(answer));
}

TEST(ContractRun, ListsBackupsOrSaysThatItCannot) {
  PluginUnderTest plugin;
  const protocol::PluginInfo info = plugin.describe();
  result_of(plugin.call("initialize", plugin.run_params()));
  const auto answer = plugin.call("backups");
  const bool restores = std::ranges::find(info.roles, Role::restore) != info.roles.end();
  if (answer.error) {
    EXPECT_EQ(answer.error->reason, Reason::plugin_protocol) << answer.error->message;
    EXPECT_TRUE(answer.error_code == protocol::kMethodNotFound ||
                (restores && answer.error_code == protocol::kFailed));
  } else {
    EXPECT_TRUE(restores) << "a plugin without the role restore lists backups";
    const auto listed = protocol::from_json<protocol::BackupsResult>(*answer.result);
    ASSERT_TRUE(listed) << listed.error().message;
    EXPECT_THAT(listed->backups, Not(IsEmpty()));
  }
  result_of(plugin.call("cleanup"));
  EXPECT_THAT(plugin.left_behind(), IsEmpty());
  expect_end(plugin);
}

TEST(ContractRun, ReportsProgressWithinItsTotal) {
  PluginUnderTest plugin;
  GoodRun(plugin).all();
  for (const protocol::Notification& notification : plugin.notifications()) {
    if (notification.method != "progress") continue;
    const auto progress = protocol::from_json<protocol::Progress>(notification.params);
    ASSERT_TRUE(progress) << progress.error().message;
    if (progress->bytes_total > 0) {
      EXPECT_LE(progress->bytes_done, progress->bytes_total);
    }
  }
}

}  // namespace
}  // namespace rad::contract
