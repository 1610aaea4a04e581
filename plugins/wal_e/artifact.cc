#include "plugins/wal_e/artifact.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "agent/base/json.h"

namespace rad::wal_e {
namespace {

namespace bj = boost::json;

constexpr std::size_t kMaxListed = 1000;
/// Two lists, each as JSON: with all else they fit into one line of the protocol.
constexpr std::size_t kMaxListBytes = std::size_t{256} << 10U;

/// A list that ends before it is too long for the line.
class CutList {
 public:
  void add(bj::value item) {
    bytes_ += bj::serialize(item).size() + 1;
    cut_ = cut_ || items_.size() == kMaxListed || bytes_ > kMaxListBytes;
    if (!cut_) items_.push_back(std::move(item));
  }
  bool cut() const noexcept { return cut_; }
  std::size_t size() const noexcept { return items_.size(); }
  bj::array take() { return std::move(items_); }

 private:
  bj::array items_;
  std::size_t bytes_ = 0;
  bool cut_ = false;
};

bj::value archive_end(const RestoredBackup& restored, const PinnedBackup& pinned) {
  const auto& chain = restored.evidence.chain;
  if (!chain || chain->last_record == 0) return nullptr;
  const WalStep& last = pinned.path.steps.back();
  return bj::object{{"segment", to_string(pinned.path.name(last))},
                    {"timeline", pinned.path.timeline},
                    {"last_record_lsn", format_lsn(chain->last_record)},
                    {"clean", chain->proved}};
}

bj::array suspects(const ReadEvidence& evidence, bool& cut, std::vector<Finding>& findings) {
  CutList list;
  for (const auto& page : evidence.to_judge) {
    if (list.cut()) break;
    list.add(bj::object{{"path", json::safe_string(page.path)}, {"block", page.block}});
  }
  cut = list.cut() || evidence.suspects_cut;
  if (cut) {
    findings.push_back(
        {"artifact_cut",
         fmt::format("{} of {}{} pages to be judged after recovery are named to the instance "
                     "plugin: it has to judge every page",
                     list.size(), evidence.suspects_cut ? "more than " : "",
                     evidence.to_judge.size()),
         ""});
  }
  return list.take();
}

bj::array links(const BaseBackupContent& content, std::vector<Finding>& findings) {
  CutList list;
  for (const auto& link : content.links_left_out) {
    if (list.cut()) break;
    list.add(json::safe_string(link));
  }
  if (list.cut() || content.links_not_listed > 0) {
    findings.push_back(
        {"artifact_cut",
         fmt::format(
             "{} of {} symbolic links that are not created are named to the instance plugin",
             list.size(), content.links_left_out.size() + content.links_not_listed),
         ""});
  }
  return list.take();
}

}  // namespace

MadeArtifact make_artifact(const RestoredBackup& restored, const PinnedBackup& pinned,
                           const RecoverTo& recover_to,
                           const std::vector<std::string>& restore_command) {
  const BaseFacts& facts = restored.evidence.facts;
  MadeArtifact made;
  Artifact& artifact = made.artifact;
  artifact.kind = "postgresql_data_directory";
  artifact.path = restored.data.string();
  bj::array tablespaces;
  for (const auto& [oid, path] : restored.tablespaces) {
    tablespaces.push_back(bj::object{{"oid", oid}, {"path", path.string()}});
  }
  bool suspects_cut = false;
  bj::array suspect_pages = suspects(restored.evidence, suspects_cut, made.findings);
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
      {"suspect_pages", std::move(suspect_pages)},
      {"suspect_pages_cut", suspects_cut},
      {"links_left_out", links(restored.evidence.content, made.findings)},
      {"data_checksums", facts.has_checksums},
  };
  return made;
}

}  // namespace rad::wal_e
