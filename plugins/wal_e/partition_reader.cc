#include "plugins/wal_e/partition_reader.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace rad::wal_e {
namespace {

constexpr std::size_t kMaxText = std::size_t{1} << 20U;
constexpr std::size_t kMaxLinksLeftOut = 10'000;
constexpr std::uint64_t kReportEvery = std::uint64_t{4} << 20U;
constexpr std::array<std::string_view, 4> kTexts{"PG_VERSION", "global/pg_control", "backup_label",
                                                 "tablespace_map"};

bool is_text(std::string_view path) {
  return std::find(kTexts.begin(), kTexts.end(), path) != kTexts.end();
}

}  // namespace

PartitionReader::PartitionReader(std::uint32_t number, MemberLedger& ledger, FileOutput* output,
                                 std::uint64_t max_member_bytes,
                                 std::function<void(std::uint64_t)> on_stored)
    : number_(number),
      ledger_(ledger),
      output_(output),
      max_member_bytes_(max_member_bytes),
      on_stored_(std::move(on_stored)) {}

Status PartitionReader::read(object_store::Storage& storage, const object_store::ObjectInfo& object,
                             const DecodeContext& context, PartitionContent& content) {
  content.shape.object = object.key;
  RAD_TRY(const std::unique_ptr<ObjectReader> reader, ObjectReader::open(storage, object, context));
  reader_ = reader.get();
  bool stream_failed = false;
  std::uint64_t since_report = 0;
  TarStream tar([&]() -> Result<std::span<const std::byte>> {
    Result<std::span<const std::byte>> piece = reader->next();
    stream_failed = !piece;
    last_piece_ = piece ? *piece : std::span<const std::byte>();
    since_report += piece ? piece->size() : 0;
    if (since_report >= kReportEvery && on_stored_) {
      since_report = 0;
      on_stored_(reader->stored_bytes());
    }
    return piece;
  });
  Status result = read_members(tar, content);
  // Also after an error: the writers have what the reader owns.
  if (output_ != nullptr) {
    Status written = output_->finish();
    if (result) result = std::move(written);
  }
  content.decoded = reader->info();
  if (!result && !stream_failed && info(result.error().reason).blame == Blame::backup) {
    return reader->first_cause(std::move(result).error());
  }
  if (on_stored_) on_stored_(reader->stored_bytes());
  return result;
}

Status PartitionReader::read_members(TarStream& tar, PartitionContent& content) {
  TarMember member;
  for (;;) {
    RAD_TRY(const bool more, tar.next(member));
    if (!more) return {};
    RAD_CHECK(take_member(tar, member, content));
  }
}

Status PartitionReader::take_member(TarStream& tar, const TarMember& member,
                                    PartitionContent& content) {
  RAD_TRY(const MemberDecision decision, decide(member, max_member_bytes_));
  RAD_TRY(const bool first, ledger_.add(number_, decision));
  ++content.shape.members;
  content.shape.bytes += member.size;
  if (decision.action == MemberAction::root) content.shape.has_root = true;
  if (const std::string_view oid = tablespace_of(decision.path); !oid.empty()) {
    auto& seen = content.tablespaces;
    if (std::find(seen.begin(), seen.end(), oid) == seen.end()) seen.emplace_back(oid);
  }
  if (!decision.left_out.empty()) {
    if (content.links_left_out.size() < kMaxLinksLeftOut) {
      content.links_left_out.push_back(decision.left_out);
    } else {
      ++content.links_not_listed;
    }
  }
  const bool unpack = first && output_ != nullptr;
  switch (decision.action) {
    case MemberAction::write_file:
      return take_file(tar, decision.path, member.size, unpack, content);
    case MemberAction::make_directory:
      return unpack ? output_->make_directory(decision.path) : Status{};
    case MemberAction::link_file:
      if (first) content.hard_links.push_back({number_, decision.path, decision.link_target});
      return {};
    case MemberAction::root:
    case MemberAction::leave_out:
      break;
  }
  return {};
}

Status PartitionReader::take_file(TarStream& tar, const std::string& path, std::uint64_t size,
                                  bool unpack, PartitionContent& content) {
  const std::optional<RelationFile> relation = parse_relation_file(path);
  std::optional<PageScanner> pages;
  if (relation) pages.emplace(relation->first_page());
  std::string* text = nullptr;
  if (is_text(path)) text = &content.texts.emplace_back(path, std::string()).second;
  if (unpack) output_->begin(path, size);
  for (;;) {
    RAD_TRY(const std::span<const std::byte> piece, tar.data());
    if (piece.empty()) break;
    if (pages) pages->feed(piece);
    if (text != nullptr) {
      const std::size_t room = kMaxText - std::min(kMaxText, text->size());
      text->append(reinterpret_cast<const char*>(piece.data()), std::min(room, piece.size()));
    }
    if (unpack) RAD_CHECK(write(piece, content));
  }
  if (unpack) RAD_CHECK(output_->end());
  if (pages) {
    pages->finish();
    keep_pages(*relation, path, *pages, content);
  }
  return {};
}

Status PartitionReader::write(std::span<const std::byte> piece, PartitionContent& content) {
  content.written_bytes += piece.size();
  // libarchive copies what lies on both sides of a piece's end, into memory that it uses again.
  const bool in_place =
      std::less_equal<>()(last_piece_.data(), piece.data()) &&
      std::less_equal<>()(piece.data() + piece.size(), last_piece_.data() + last_piece_.size());
  std::optional<BlockPipeline::Hold> hold;
  if (in_place) hold = reader_->hold();
  return output_->append(piece, std::move(hold));
}

void PartitionReader::keep_pages(const RelationFile& file, const std::string& path,
                                 PageScanner& pages, PartitionContent& content) const {
  content.pages_checked += pages.checked;
  content.pages_unset += pages.unset;
  content.pages_empty += pages.empty;
  content.suspects_cut |= pages.cut;
  const auto keep = [&](const std::vector<PageScanner::Odd>& from, std::vector<SuspectPage>& to) {
    for (const PageScanner::Odd& odd : from) {
      if (to.size() >= PageScanner::kMaxOdd) {
        content.suspects_cut = true;
        return;
      }
      to.push_back({.path = path, .block = odd.page, .partial = odd.partial});
    }
  };
  keep(pages.bad_pages, content.suspects);
  keep(pages.unset_pages, content.unset);
  if (file.fork == "init" && file.segment == 0) content.init_forks.push_back(file.relation);
}

}  // namespace rad::wal_e
