#include "plugins/wal_e/backup_test.h"

#include <algorithm>
#include <atomic>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "agent/base/text.h"
#include "plugins/wal_e/confirmed_read.h"
#include "plugins/wal_e/data_directory.h"
#include "plugins/wal_e/suspect_pages.h"

namespace rad::wal_e {
namespace {

namespace fs = std::filesystem;

class BackupTest {
 public:
  BackupTest(const TestRequest& request, PinnedBackup& pinned)
      : request_(request),
        storage_(request.storage),
        pinned_(pinned),
        reader_(request.storage, request.context, request.options.parallel, pinned) {}

  Result<ReadEvidence> verify() {
    RAD_CHECK(read(ReadOptions{}));
    RAD_CHECK(learn());
    RAD_CHECK(validate_all());
    judge_pages(false);
    judge_sizes();
    return finish();
  }

  Result<ChainResult> prove_around(const BaseFacts& facts, std::uint64_t number) {
    evidence_.facts = facts;
    waldump_ = find_waldump(request_.options.postgresql_bin, facts.major);
    const auto from = std::max(pinned_.path.first, number > 0 ? number - 1 : 0);
    RAD_CHECK(chain_end(part(from, std::max(from, number))));
    return *std::move(evidence_.chain);
  }

  Result<RestoredBackup> restore() {
    RestoredBackup restored;
    restored.data = request_.scratch / "data";
    ReadOptions options;
    options.target = restored.data;
    for (const auto& spec : pinned_.chosen.sentinel.tablespaces) {
      restored.tablespaces[spec.oid] = request_.scratch / "tablespaces" / spec.oid;
    }
    options.tablespaces = restored.tablespaces;
    RAD_CHECK(make_targets(options));
    RAD_CHECK(read(options));
    RAD_CHECK(learn());
    if (evidence_.unproved) return *evidence_.unproved;
    RAD_CHECK(put_right(restored.data, restored.tablespaces));
    RAD_CHECK(look_at_suspects());
    judge_pages(true);
    judge_sizes();
    RAD_CHECK(look_at_archive_end());
    RAD_TRY(restored.evidence, finish());
    return restored;
  }

 private:
  void progress(std::uint64_t done, std::string_view note) const {
    if (!request_.on_progress) return;
    const std::uint64_t total =
        pinned_.chosen.backup.stored_bytes() + (wal_counts_ ? pinned_.path.stored_bytes() : 0);
    request_.on_progress(done, std::max(done, total), note);
  }

  Status make_targets(const ReadOptions& options) const {
    std::error_code code;
    fs::create_directories(options.target, code);
    for (const auto& [oid, directory] : options.tablespaces) {
      if (!code) fs::create_directories(directory, code);
      if (!code) fs::permissions(directory, fs::perms::owner_all, code);
    }
    if (!code) fs::permissions(options.target, fs::perms::owner_all, code);
    if (!code) return {};
    return fail(code == std::errc::no_space_on_device ? Reason::scratch_full : Reason::host_unfit,
                fmt::format("cannot make directories in '{}': {}", request_.scratch.string(),
                            code.message()));
  }

  Status read(ReadOptions options) {
    wal_counts_ = options.target.empty();
    options.on_progress = [this](std::uint64_t done) { progress(done, "base backup"); };
    const auto start_over = [&]() -> Status {
      if (options.target.empty()) return {};
      RAD_CHECK(remove_tree(options.target));
      RAD_CHECK(remove_tree(request_.scratch / "tablespaces"));
      return make_targets(options);
    };
    RAD_TRY(evidence_.content, reader_.read(options, start_over));
    evidence_.findings = reader_.findings();
    evidence_.bytes_read += evidence_.content.stored_bytes;
    progress(evidence_.bytes_read, "base backup");
    note_links();
    return {};
  }

  void note_links() {
    const auto& links = evidence_.content.links_left_out;
    if (links.empty()) return;
    constexpr std::size_t kNamed = 10;
    std::string text;
    for (std::size_t i = 0; i < std::min(kNamed, links.size()); ++i) {
      text += (i > 0 ? ", " : "") + printable(links[i], 200);
    }
    const std::uint64_t count = links.size() + evidence_.content.links_not_listed;
    if (count > kNamed) text += fmt::format(" and {} more", count - kNamed);
    evidence_.findings.push_back(
        {"links_left_out",
         fmt::format("{} symbolic links of the backup are not created: {}", count, text), ""});
  }

  Status learn() {
    if (!evidence_.content.backup_label.empty()) pinned_.maybe_offline = false;
    auto facts = learn_facts(evidence_.content, pinned_);
    if (!facts) {
      // What is not found may be in a partition that is missing behind the last one.
      auto size = judge_size(evidence_.content, pinned_, 0);
      if (facts.error().reason == Reason::missing_object && size.error) return *size.error;
      return std::move(facts).error();
    }
    evidence_.facts = *std::move(facts);
    if (!evidence_.facts.has_checksums) {
      evidence_.findings.push_back(
          {"no_data_checksums",
           "the cluster has no data checksums, so damage inside pages shows "
           "only where a query fails: consider pg_checksums --enable",
           ""});
    }
    RAD_CHECK(check_tablespaces(evidence_.content, pinned_));
    const BaseFacts& facts_now = evidence_.facts;
    if (pinned_.path.steps.empty() || facts_now.offline) {
      pinned_.segment_bytes = facts_now.control.segment_bytes;
      RAD_CHECK(pin_wal(pinned_, facts_now.start, request_.options.recover_to));
    }
    waldump_ = find_waldump(request_.options.postgresql_bin, facts_now.major);
    if (!waldump_) {
      evidence_.unproved =
          fail(Reason::version_unsupported,
               fmt::format("this host has no pg_waldump of PostgreSQL {}, so the WAL records stay "
                           "unproved",
                           facts_now.version_text),
               fmt::format("install postgresql-{}, or set restore.postgresql_bin",
                           facts_now.version_text));
    }
    const Suspects suspects = find_suspects(evidence_.content, facts_now.has_checksums);
    evidence_.suspects = suspects.pages.size();
    evidence_.suspects_cut = suspects.cut;
    judge_.emplace(suspects.pages, evidence_.content.init_forks);
    end_of_backup_ = "desc: BACKUP_END " + format_lsn(facts_now.start);
    return {};
  }

  ChainOptions chain_options() {
    ChainOptions options;
    options.waldump = waldump_.value_or("");
    options.major = evidence_.facts.major;
    options.directory = request_.scratch / "wal-check";
    options.start = evidence_.facts.start;
    options.system_identifier = evidence_.facts.control.system_identifier;
    options.parallel = request_.options.parallel;
    options.stop = evidence_.facts.stop;
    options.on_record = [this](std::string_view line) {
      judge_->feed(line);
      if (line.find(end_of_backup_) != std::string_view::npos) end_seen_ = true;
    };
    // Text is dear: without anything to excuse only the end of the backup is looked for.
    const bool look = evidence_.suspects > 0 || fewer_bytes();
    options.show_from = look || options.stop == 0 ? 0 : options.stop - 1;
    options.on_progress = [this](std::uint64_t bytes) {
      if (wal_counts_) progress(evidence_.bytes_read + (wal_done_ += bytes), "WAL");
    };
    return options;
  }

  /// The steps of the path in [from, to], up to its first gap.
  WalPath part(std::uint64_t from, std::uint64_t to) const {
    WalPath result = pinned_.path;
    result.steps.clear();
    for (const WalStep& step : pinned_.path.steps) {
      if (step.number < from || step.number > to) continue;
      if (!result.steps.empty() && step.number != result.steps.back().number + 1) break;
      result.steps.push_back(step);
    }
    return result;
  }

  Status chain(const WalPath& path, const ChainOptions& options) {
    const auto context =
        context_for(request_.context, request_.options.parallel, path.steps.size());
    auto result = validate_chain(storage_, context, path, options);
    if (!result) return reader_.whose_fault(std::move(result).error());
    evidence_.bytes_read += result->stored_bytes;
    evidence_.findings.insert(evidence_.findings.end(), result->findings.begin(),
                              result->findings.end());
    evidence_.chain = *std::move(result);
    return {};
  }

  /// Some segments of the middle or the end: pg_waldump finds the first record that begins in them.
  Status chain_end(const WalPath& path) {
    auto options = chain_options();
    options.on_record = nullptr;
    options.stop = 0;
    options.start = std::max(options.start, path.steps.front().number * path.segment_bytes);
    return chain(path, options);
  }

  /// An archiver may be writing the newest object. \return whether it was taken off the path
  bool is_still_growing(const Error& error) {
    const WalStep& last = pinned_.path.steps.back();
    const auto listed = pinned_.path.object(last);
    if (error.object != listed.key || last.number <= pinned_.stop_segment()) return false;
    const auto now = storage_.stat(listed.key);
    if (!now || (now->size == listed.size && now->modified == listed.modified)) return false;
    evidence_.findings.push_back(
        {"archive_end_moving",
         fmt::format("'{}' was being written while it was read; the archive is tested up to the "
                     "segment before",
                     listed.key),
         listed.key});
    pinned_.path.steps.pop_back();
    return true;
  }

  Status validate_all() {
    const auto all = [&] { return part(pinned_.path.first, pinned_.path.steps.back().number); };
    auto status = chain(all(), chain_options());
    if (!status && is_still_growing(status.error())) status = chain(all(), chain_options());
    if (!status) return status;
    if (evidence_.chain->damage) {
      faults_.push_back(*evidence_.chain->damage);
    } else if (waldump_ && evidence_.facts.stop != 0 && !end_seen_ &&
               !evidence_.facts.label->from_standby) {
      const auto key = wal_key(pinned_.path.expected_name(pinned_.stop_segment()));
      faults_.push_back(fail(Reason::wal_damaged,
                             fmt::format("the WAL up to {} has no record that ends this backup, so "
                                         "recovery never becomes consistent",
                                         format_lsn(evidence_.facts.stop)),
                             "the WAL is not this backup's; take a new base backup", key));
    }
    return {};
  }

  bool fewer_bytes() const {
    const auto& planned = pinned_.chosen.sentinel.expanded_bytes;
    return planned && *planned > evidence_.content.member_bytes;
  }

  /// At restore only when the answer matters: a suspect page, or bytes that are missing.
  Status look_at_suspects() {
    if ((evidence_.suspects == 0 && !fewer_bytes()) || !waldump_ || evidence_.facts.offline)
      return {};
    const auto path = part(pinned_.path.first, pinned_.stop_segment());
    RAD_CHECK(chain(path, chain_options()));
    evidence_.chain.reset();
    return {};
  }

  void judge_pages(bool restoring) {
    evidence_.unexplained = judge_->unexplained();
    evidence_.dropped_relations = judge_->dropped_relations();
    if (restoring) {
      evidence_.to_judge = judge_->replayed();
      evidence_.to_judge.insert(evidence_.to_judge.end(), evidence_.unexplained.begin(),
                                evidence_.unexplained.end());
      if (!evidence_.unexplained.empty()) {
        const auto& page = evidence_.unexplained.front();
        evidence_.findings.push_back(
            {"suspect_pages",
             fmt::format(
                 "{} pages have a wrong checksum that the backup's WAL does not explain; they "
                 "are judged after recovery",
                 evidence_.unexplained.size()),
             fmt::format("{} block {}", page.path, page.block)});
      }
      return;
    }
    if (evidence_.unproved) return;
    if (evidence_.unexplained.empty()) {
      if (evidence_.suspects_cut) {
        evidence_.unproved =
            fail(Reason::check_error, "more pages than can be listed have a wrong checksum",
                 "run pg_checksums on the source");
      }
      return;
    }
    const auto& page = evidence_.unexplained.front();
    faults_.push_back(
        fail(Reason::checksum_mismatch,
             fmt::format("block {} of '{}' does not match its checksum, and {} ({} such pages)",
                         page.block, page.path,
                         evidence_.facts.offline
                             ? "nothing was written while this offline backup was taken"
                             : "the WAL of the backup holds no image of it",
                         evidence_.unexplained.size()),
             "run pg_checksums or amcheck on the source: the page may be bad there too",
             fmt::format("{} block {}", page.path, page.block)));
  }

  void judge_sizes() {
    auto size = judge_size(evidence_.content, pinned_, evidence_.dropped_relations);
    if (size.error) faults_.insert(faults_.begin(), *std::move(size.error));
    if (size.finding) evidence_.findings.push_back(*std::move(size.finding));
  }

  /// The last two segments: what the last record is, and whether the archive ends as archives do.
  Status look_at_archive_end() {
    if (!waldump_) return {};
    const auto last = pinned_.path.steps.back().number;
    const auto from = std::max(pinned_.path.first, last > 0 ? last - 1 : last);
    const auto path = part(pinned_.path.find(from) != nullptr ? from : last, last);
    auto status = chain_end(path);
    if (!status && is_still_growing(status.error())) return look_at_archive_end();
    // A target before the end does not need it; recovery will say what it needs.
    if (!status && request_.options.recover_to.kind != "latest" &&
        info(status.error().reason).blame == Blame::backup) {
      return {};
    }
    return status;
  }

  Result<ReadEvidence> finish() {
    if (!faults_.empty()) return reader_.first_of(std::move(faults_));
    return std::move(evidence_);
  }

  const TestRequest& request_;
  object_store::Storage& storage_;
  PinnedBackup& pinned_;
  ConfirmedRead reader_;
  ReadEvidence evidence_;
  std::vector<Error> faults_;
  std::optional<fs::path> waldump_;
  std::optional<SuspectJudge> judge_;
  std::string end_of_backup_;
  bool end_seen_ = false;
  std::atomic<std::uint64_t> wal_done_ = 0;
  bool wal_counts_ = false;
};

}  // namespace

Result<ReadEvidence> verify_backup(const TestRequest& request, PinnedBackup& pinned) {
  return BackupTest(request, pinned).verify();
}

Result<RestoredBackup> restore_backup(const TestRequest& request, PinnedBackup& pinned) {
  return BackupTest(request, pinned).restore();
}

Result<ChainResult> prove_wal_around(const TestRequest& request, PinnedBackup& pinned,
                                     const ReadEvidence& evidence, std::uint64_t number) {
  return BackupTest(request, pinned).prove_around(evidence.facts, number);
}

}  // namespace rad::wal_e
