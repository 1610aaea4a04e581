#include "plugins/wal_e/artifact.h"

#include <boost/json/array.hpp>

#include "agent/base/json.h"

namespace rad::wal_e {
namespace {

namespace bj = boost::json;

constexpr std::size_t kMaxListed = 1000;

bj::value archive_end(const RestoredBackup& restored, const PinnedBackup& pinned) {
  const auto& chain = restored.evidence.chain;
  if (!chain || chain->last_record == 0) return nullptr;
  const WalStep& last = pinned.path.steps.back();
  return bj::object{{"segment", to_string(pinned.path.name(last))},
                    {"timeline", pinned.path.timeline},
                    {"last_record_lsn", format_lsn(chain->last_record)},
                    {"clean", chain->proved}};
}

bj::array suspects(const std::vector<SuspectPage>& pages) {
  bj::array list;
  for (const auto& page : pages) {
    if (list.size() == kMaxListed) break;
    list.push_back(bj::object{{"path", json::safe_string(page.path)}, {"block", page.block}});
  }
  return list;
}

}  // namespace

Artifact make_artifact(const RestoredBackup& restored, const PinnedBackup& pinned,
                       const RecoverTo& recover_to,
                       const std::vector<std::string>& restore_command) {
  const BaseFacts& facts = restored.evidence.facts;
  Artifact artifact;
  artifact.kind = "postgresql_data_directory";
  artifact.path = restored.data.string();
  bj::array tablespaces;
  for (const auto& [oid, path] : restored.tablespaces) {
    tablespaces.push_back(bj::object{{"oid", oid}, {"path", path.string()}});
  }
  bj::array links;
  for (const auto& link : restored.evidence.content.links_left_out) {
    if (links.size() == kMaxListed) break;
    links.push_back(json::safe_string(link));
  }
  bj::array timelines;
  for (const auto& line : pinned.path.ancestry) timelines.push_back(line.timeline);
  timelines.push_back(pinned.path.timeline);
  artifact.properties = {
      {"major", facts.major > 90 ? 9 : facts.major},
      {"version", facts.version_text},
      {"system_identifier", std::to_string(facts.control.system_identifier)},
      {"tablespaces", std::move(tablespaces)},
      {"restore_command", bj::array(restore_command.begin(), restore_command.end())},
      {"backup_start_lsn", format_lsn(facts.start)},
      {"backup_stop_lsn", facts.stop != 0 ? format_lsn(facts.stop) : std::string()},
      {"offline", facts.offline},
      {"recover_to", bj::object{{"kind", recover_to.kind}, {"value", recover_to.value}}},
      {"archive_end", archive_end(restored, pinned)},
      {"wal_segment_bytes", facts.control.segment_bytes},
      {"timelines", std::move(timelines)},
      {"suspect_pages", suspects(restored.evidence.to_judge)},
      {"links_left_out", std::move(links)},
      {"data_checksums", facts.has_checksums},
  };
  return artifact;
}

}  // namespace rad::wal_e
