#include "agent/cli/radctl/find_run.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "agent/base/error.h"
#include "agent/base/text.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {
namespace {

constexpr std::size_t kIdColumns = 24;  // 20261120T184451-1a2b3c4d
constexpr std::size_t kTailColumns = 8;

bool is_id(std::string_view word) {
  return word.size() == kIdColumns && word[8] == 'T' && word[15] == '-';
}

bool is_tail(std::string_view word) {
  return word.size() == kTailColumns && std::ranges::all_of(word, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::optional<std::string> pick(const std::vector<JsonView>& rows, std::string_view id_key,
                                const std::string& word) {
  for (const JsonView& row : rows) {
    const std::string id = row.text(id_key);
    if (row.text("target") == word || (is_tail(word) && id.ends_with("-" + word))) return id;
  }
  return std::nullopt;
}

Refusal no_run(const Context& context, const std::string& word) {
  Refusal refusal{.exit_status = kUsage,
                  .reason = "config_invalid",
                  .message = fmt::format("there is no run '{}'", word),
                  .hint = "radctl run list shows them"};
  const auto answer = context.client.get("/v1/targets");
  if (!answer) return refusal;
  std::vector<std::string> targets;
  for (const JsonView& target : JsonView(*answer).list("targets")) {
    targets.push_back(target.text("name"));
  }
  if (std::ranges::find(targets, word) != targets.end()) {
    refusal.message = fmt::format("target '{}' was never tested", word);
    refusal.hint = fmt::format("radctl run start {} --wait --reason \"first test\"", word);
  } else if (const auto meant = closest(word, targets)) {
    refusal.message = fmt::format("there is no run and no target '{}'", word);
    refusal.hint = fmt::format("did you mean '{}'?", *meant);
  }
  return refusal;
}

}  // namespace

Answered<std::string> find_run(const Context& context, const std::string& word) {
  if (is_id(word)) return word;
  const bool newest = word.empty() || word == "last";
  if (!newest) {
    RAD_TRY(const auto status, context.client.get("/v1/status"));
    const JsonView view(status);
    if (const auto id = pick(view.list("running"), "id", word)) return *id;
    if (const auto id = pick(view.list("waiting"), "id", word)) return *id;
  }
  const std::string query = newest          ? "limit=1"
                            : is_tail(word) ? "limit=1000"
                                            : "limit=1&target=" + encode(word);
  RAD_TRY(const auto answer, context.client.get("/v1/runs?" + query));
  const auto runs = JsonView(answer).list("runs");
  if (newest && !runs.empty()) return runs.front().text("id");
  if (const auto id = pick(runs, "id", word)) return *id;
  return no_run(context, newest ? "last" : word);
}

Answered<std::string> find_hold(const Context& context, const std::string& word) {
  RAD_TRY(const auto answer, context.client.get("/v1/holds"));
  const auto holds = JsonView(answer).list("holds");
  if (const auto id = pick(holds, "run_id", word)) return *id;
  if (is_id(word)) return word;
  return Refusal{.exit_status = kUsage,
                 .reason = "config_invalid",
                 .message = fmt::format("nothing is held of '{}'", word),
                 .hint = "radctl hold list shows what is held"};
}

std::string held_text(const Context& context, const std::string& run_id) {
  const auto answer = context.client.get("/v1/holds");
  if (!answer) return {};
  for (const JsonView& hold : JsonView(*answer).list("holds")) {
    if (hold.text("run_id") != run_id) continue;
    const Look look = context.look();
    return fact_with("held",
                     fmt::format("for {} until {} ({}); connect, and release it when done:",
                                 hold.text("owner"), utc_time(hold.time("until")),
                                 relative(hold.time("until"), look.now)),
                     "radctl hold psql " + run_id, look) +
           fmt::format("{}radctl hold release {}\n", std::string(13, ' '), run_id);
  }
  return {};
}

}  // namespace rad::radctl
