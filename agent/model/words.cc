#include "agent/model/words.h"

#include <array>
#include <utility>

namespace rad {
namespace {

template <class E>
using Table = std::pair<E, std::string_view>;

constexpr std::array kDepths{Table<Depth>{Depth::inspect, "inspect"},
                             Table<Depth>{Depth::verify, "verify"},
                             Table<Depth>{Depth::restore, "restore"}};
constexpr std::array kStages{
    Table<Stage>{Stage::preflight, "preflight"}, Table<Stage>{Stage::fetch, "fetch"},
    Table<Stage>{Stage::restore, "restore"},     Table<Stage>{Stage::recover, "recover"},
    Table<Stage>{Stage::check, "check"},         Table<Stage>{Stage::cleanup, "cleanup"},
    Table<Stage>{Stage::report, "report"}};
constexpr std::array kOutcomes{Table<Outcome>{Outcome::pass, "pass"},
                               Table<Outcome>{Outcome::fail, "fail"},
                               Table<Outcome>{Outcome::inconclusive, "inconclusive"},
                               Table<Outcome>{Outcome::skipped, "skipped"},
                               Table<Outcome>{Outcome::not_applicable, "not_applicable"}};
constexpr std::array kVerdicts{Table<Verdict>{Verdict::pass, "pass"},
                               Table<Verdict>{Verdict::fail, "fail"},
                               Table<Verdict>{Verdict::inconclusive, "inconclusive"},
                               Table<Verdict>{Verdict::cancelled, "cancelled"}};
constexpr std::array kProofs{
    Table<Proof>{Proof::none, "none"}, Table<Proof>{Proof::metadata, "metadata"},
    Table<Proof>{Proof::bytes, "bytes"}, Table<Proof>{Proof::data, "data"}};
constexpr std::array kRoles{Table<Role>{Role::restore, "restore"},
                            Table<Role>{Role::instance, "instance"},
                            Table<Role>{Role::check, "check"}};

template <class Rows, class E>
std::string_view name_in(const Rows& rows, E value) noexcept {
  for (const auto& [enumerator, name] : rows) {
    if (enumerator == value) return name;
  }
  return "?";
}

template <class Rows>
auto value_in(const Rows& rows, std::string_view text) noexcept
    -> std::optional<typename Rows::value_type::first_type> {
  for (const auto& [enumerator, name] : rows) {
    if (name == text) return enumerator;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Depth value) noexcept {
  return name_in(kDepths, value);
}
std::string_view to_string(Stage value) noexcept {
  return name_in(kStages, value);
}
std::string_view to_string(Outcome value) noexcept {
  return name_in(kOutcomes, value);
}
std::string_view to_string(Verdict value) noexcept {
  return name_in(kVerdicts, value);
}
std::string_view to_string(Proof value) noexcept {
  return name_in(kProofs, value);
}
std::string_view to_string(Role value) noexcept {
  return name_in(kRoles, value);
}

std::optional<Depth> parse_depth(std::string_view text) noexcept {
  return value_in(kDepths, text);
}
std::optional<Stage> parse_stage(std::string_view text) noexcept {
  return value_in(kStages, text);
}
std::optional<Outcome> parse_outcome(std::string_view text) noexcept {
  return value_in(kOutcomes, text);
}
std::optional<Verdict> parse_verdict(std::string_view text) noexcept {
  return value_in(kVerdicts, text);
}
std::optional<Proof> parse_proof(std::string_view text) noexcept {
  return value_in(kProofs, text);
}
std::optional<Role> parse_role(std::string_view text) noexcept {
  return value_in(kRoles, text);
}

Proof needed_proof(Depth depth) noexcept {
  switch (depth) {
    case Depth::inspect:
      return Proof::metadata;
    case Depth::verify:
      return Proof::bytes;
    case Depth::restore:
      return Proof::data;
  }
  return Proof::data;
}

}  // namespace rad
