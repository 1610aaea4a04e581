#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {
namespace {

/// The storage may be slow, and large.
constexpr std::chrono::minutes kStorageLimit{10};

/// What the plugin remarks on the backups, each remark once with those that it is about.
std::string remarks(const std::vector<JsonView>& rows, const Look& look) {
  std::vector<std::pair<std::string, std::vector<std::string>>> notes;
  for (const JsonView& row : rows) {
    const std::string note = row.text("note");
    if (note.empty()) continue;
    auto known = std::ranges::find(notes, note, [](const auto& entry) { return entry.first; });
    if (known == notes.end()) known = notes.insert(notes.end(), {note, {}});
    known->second.push_back(row.text("name"));
  }
  std::string out;
  for (const auto& [note, names] : notes) {
    const std::string whose =
        names.size() == rows.size()
            ? ""
            : " (" + names.front() +
                  (names.size() == 1 ? "" : fmt::format(" and {} more", names.size() - 1)) + ")";
    out += fact("note", note + whose, look);
  }
  return out.empty() ? out : "\n" + out;
}

}  // namespace

std::string backups_text(JsonView backups, const Look& look) {
  const auto rows = backups.list("backups");
  const std::string target = backups.text("target");
  if (rows.empty()) {
    return fmt::format("{}: the storage shows no complete backup of {}\n",
                       paint("NONE", Colour::bad, look), target);
  }
  const auto newest = rows.front().time("finished_at");
  std::string out = fmt::format("{} of {}, the newest ended {}\n", count(rows.size(), "backup"),
                                target, newest ? relative(newest, look.now) : "at an unknown time");
  std::vector<std::vector<std::string>> cells{{"backup", "ended (UTC)", "age", "stored"}};
  for (const JsonView& row : rows) {
    const auto ended = row.time("finished_at");
    const std::uint64_t bytes = row.number("stored_bytes");
    // The head of the column says UTC.
    cells.push_back({row.text("name"), utc_time(ended).substr(0, 16),
                     ended ? relative(ended, look.now) : "",
                     bytes == 0 ? "" : format_bytes(bytes)});
  }
  return out + table(cells, look) + remarks(rows, look);
}

int backup_list(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(const auto answer,
             context.client.get("/v1/targets/" + encode(parsed.text("TARGET")) + "/backups",
                                kStorageLimit));
  if (context.json) return answer_json(answer);
  cli::write_out(stdout, backups_text(JsonView(answer), context.look()));
  return kOk;
}

}  // namespace rad::radctl
