#include "agent/store/values.h"

namespace rad {

std::string_view to_string(LedgerKind value) noexcept {
  switch (value) {
    case LedgerKind::scratch_dir:
      return "scratch_dir";
    case LedgerKind::runtime_dir:
      return "runtime_dir";
    case LedgerKind::kept:
      return "kept";
  }
  return "scratch_dir";
}

std::optional<LedgerKind> parse_ledger_kind(std::string_view text) noexcept {
  for (const auto kind : {LedgerKind::scratch_dir, LedgerKind::runtime_dir, LedgerKind::kept}) {
    if (to_string(kind) == text) return kind;
  }
  return std::nullopt;
}

std::string_view to_string(StoreTrouble value) noexcept {
  switch (value) {
    case StoreTrouble::none:
      return "none";
    case StoreTrouble::damaged:
      return "damaged";
    case StoreTrouble::full:
      return "full";
    case StoreTrouble::read_only:
      return "read_only";
    case StoreTrouble::unreachable:
      return "unreachable";
    case StoreTrouble::busy:
      return "busy";
    case StoreTrouble::io_error:
      return "io_error";
    case StoreTrouble::moved:
      return "moved";
    case StoreTrouble::newer_version:
      return "newer_version";
    case StoreTrouble::foreign:
      return "foreign";
    case StoreTrouble::other:
      break;
  }
  return "other";
}

}  // namespace rad
