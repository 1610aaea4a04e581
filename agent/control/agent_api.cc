// What concerns the agent as a whole: status, targets, plugins, reload, audit.
#include <algorithm>

#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/control/api.h"
#include "agent/control/views_json.h"
#include "agent/model/json.h"

namespace rad {
namespace {

namespace asio = boost::asio;
namespace bj = boost::json;

/// Each is a plugin process with the storage behind it.
constexpr int kMaxListings = 2;
constexpr std::uint64_t kMaxPage = 1000;
constexpr std::uint64_t kPage = 50;

Status no_parameters(const ApiCall& call) {
  RAD_TRY(const Fields query, Fields::from_query(call.request.query));
  return query.check();
}

Status no_input(const ApiCall& call) {
  RAD_CHECK(no_parameters(call));
  RAD_TRY(const Fields body, Fields::from_body(call.request.body));
  return body.check();
}

HttpResponse no_target(const Config& config, const std::string& name) {
  Error error = unknown_target(config, name);
  return not_found(std::move(error.message), std::move(error.hint));
}

bool may_connect(const Caller& caller) {
  return caller.access == Access::manager;
}

std::size_t count_schedules(const Config& config) {
  std::size_t count = config.rotations.size();
  for (const TargetConfig& target : config.targets) count += target.schedules.size();
  return count;
}

}  // namespace

asio::awaitable<ApiResult> get_status(ApiCall& call) {
  RAD_CO_CHECK(no_parameters(call));
  co_return json_answer(to_json(call.daemon.status(), may_connect(call.caller)));
}

asio::awaitable<ApiResult> list_holds(ApiCall& call) {
  RAD_CO_CHECK(no_parameters(call));
  co_return json_answer(
      {{"holds", to_json_list(call.daemon.status().holds, may_connect(call.caller))}});
}

asio::awaitable<ApiResult> list_targets(ApiCall& call) {
  RAD_CO_CHECK(no_parameters(call));
  RAD_CO_TRY(const auto targets, call.daemon.targets());
  co_return json_answer({{"targets", to_json_list(targets)}});
}

asio::awaitable<ApiResult> get_target(ApiCall& call) {
  RAD_CO_CHECK(no_parameters(call));
  RAD_CO_TRY(const auto targets, call.daemon.targets());
  const std::string& name = call.names.front();
  const auto found = std::ranges::find(targets, name, &TargetView::name);
  if (found == targets.end()) co_return no_target(call.daemon.generation()->config, name);
  co_return json_answer(to_json(*found));
}

asio::awaitable<ApiResult> list_backups(ApiCall& call) {
  RAD_CO_CHECK(no_parameters(call));
  const std::string name = call.names.front();
  const auto generation = call.daemon.generation();
  if (generation->config.find_target(name) == nullptr) {
    co_return no_target(generation->config, name);
  }
  ApiState& state = call.state;
  if (state.listing_backups >= kMaxListings) {
    co_return error_answer(
        503, fail(Reason::target_busy,
                  fmt::format("{} lists of backups are being made already", state.listing_backups),
                  "ask again in a moment"));
  }
  struct Count {
    explicit Count(int& counted) : count(counted) { ++count; }
    ~Count() { --count; }
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;
    int& count;
  };
  const Count counted(state.listing_backups);
  RAD_CO_TRY(bj::value backups, co_await call.daemon.backups(name));
  co_return json_answer({{"target", name}, {"backups", std::move(backups)}});
}

asio::awaitable<ApiResult> list_plugins(ApiCall& call) {
  RAD_CO_CHECK(no_parameters(call));
  const auto generation = call.daemon.generation();
  bj::array plugins;
  for (const auto& [name, schema] : generation->catalog.schemas) {
    bj::object plugin = to_json(schema);
    plugin["name"] = json::safe_string(name);
    plugins.emplace_back(std::move(plugin));
  }
  bj::array broken;
  for (const auto& [name, error] : generation->catalog.broken) {
    broken.emplace_back(bj::object{{"name", json::safe_string(name)}, {"error", to_json(error)}});
  }
  co_return json_answer({{"plugins", std::move(plugins)}, {"broken", std::move(broken)}});
}

asio::awaitable<ApiResult> reload(ApiCall& call) {
  RAD_CO_CHECK(no_input(call));
  const Caller caller = call.caller;
  const Status loaded = co_await call.daemon.reload();
  const auto generation = call.daemon.generation();
  call.daemon.audit(caller, "reload", "", "", true,
                    loaded ? fmt::format("reloaded: {} targets", generation->config.targets.size())
                           : "nothing is changed: " + printable(loaded.error().message, 500));
  if (!loaded) co_return error_answer_with_detail(loaded.error());
  co_return json_answer({{"targets", generation->config.targets.size()},
                         {"schedules", count_schedules(generation->config)}});
}

asio::awaitable<ApiResult> list_audit(ApiCall& call) {
  RAD_CO_TRY(Fields query, Fields::from_query(call.request.query));
  const std::uint64_t limit = query.number("limit", 1, kMaxPage, kPage);
  const std::uint64_t before = query.number("before", 1, INT64_MAX, 0);
  RAD_CO_CHECK(query.check());
  AuditFilter filter;
  filter.limit = static_cast<std::size_t>(limit) + 1;
  if (before != 0) filter.before = static_cast<std::int64_t>(before);
  RAD_CO_TRY(std::vector<AuditEntry> entries, call.daemon.store().list_audit(filter));
  bj::value next = nullptr;
  if (entries.size() > limit) {
    entries.pop_back();
    next = entries.back().id;
  }
  co_return json_answer({{"entries", to_json_list(entries)}, {"next_before", std::move(next)}});
}

}  // namespace rad
