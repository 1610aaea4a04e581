// Any bytes as a tar: whatever the rules let through stays below the data directory.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "plugins/wal_e/member_ledger.h"
#include "plugins/wal_e/page_checksum.h"
#include "plugins/wal_e/relation_file.h"
#include "plugins/wal_e/tar_rules.h"
#include "plugins/wal_e/tar_stream.h"

namespace {

using rad::Result;
using namespace rad::wal_e;  // NOLINT: a fuzzer of this namespace alone

void require(bool condition) {
  if (!condition) std::abort();
}

bool leads_out(std::string_view path) {
  if (path.starts_with('/')) return true;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part == ".." || part == "." || (part.empty() && !path.empty())) return true;
    begin = end + 1;
  }
  return path.find('\0') != std::string_view::npos;
}

void check(const TarMember& member, MemberLedger& ledger) {
  const Result<MemberDecision> decision = decide(member, std::uint64_t{1} << 32U);
  if (!decision) {
    require(decision.error().reason == rad::Reason::unsafe_content);
    return;
  }
  require(!leads_out(decision->path));
  require(!leads_out(decision->link_target));
  require(decision->path.empty() == (decision->action == MemberAction::root));
  require(member.type != TarType::symlink || decision->action != MemberAction::write_file);
  // The same path again is the same path.
  const Result<std::string> again = safe_path(decision->path);
  require(again && *again == decision->path);
  parse_relation_file(decision->path);
  ledger.add(0, *decision);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kPiece = 700;
  std::span<const std::byte> rest = std::as_bytes(std::span(data, size));
  TarStream tar([&]() -> Result<std::span<const std::byte>> {
    const auto piece = rest.first(std::min(kPiece, rest.size()));
    rest = rest.subspan(piece.size());
    return piece;
  });
  MemberLedger ledger;
  TarMember member;
  for (Result<bool> more = tar.next(member); more && *more; more = tar.next(member)) {
    check(member, ledger);
    PageScanner pages(0);
    std::uint64_t total = 0;
    Result<std::span<const std::byte>> piece = tar.data();
    for (; piece && !piece->empty(); piece = tar.data()) {
      pages.feed(*piece);
      total += piece->size();
    }
    if (!piece) break;
    require(member.type != TarType::file || total == member.size);
    pages.finish();
  }
  // Names that no tar can carry, straight to the rules.
  TarMember direct;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t half = size / 2;
  direct.name = text.substr(0, half);
  direct.link = text.substr(half);
  for (const TarType type :
       {TarType::file, TarType::directory, TarType::symlink, TarType::hardlink, TarType::other}) {
    direct.type = type;
    check(direct, ledger);
  }
  return 0;
}
