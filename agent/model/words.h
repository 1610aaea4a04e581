// The words of the project as enumerations. Enumerators are spelled exactly as in YAML, JSON,
// metric labels and issue titles; to_string() and parse() are the only translation. See
// docs/design.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rad {

/// How far a run goes; ordered, a deeper one proves more.
enum class Depth : std::uint8_t { inspect, verify, restore };

/// What a run is doing. `fetch` is where `inspect` and `verify` read the store; at depth `restore`
/// the single pass over the bytes is the stage `restore`.
enum class Stage : std::uint8_t { preflight, fetch, restore, recover, check, cleanup, report };

/// What a check found.
enum class Outcome : std::uint8_t { pass, fail, inconclusive, skipped, not_applicable };

/// The end of a run. Fail only where the backup is at fault.
enum class Verdict : std::uint8_t { pass, fail, inconclusive, cancelled };

/// How much a passed check proves. Depth d is proved only by a passed check of at least the
/// matching value: inspect metadata, verify bytes, restore data.
enum class Proof : std::uint8_t { none, metadata, bytes, data };

enum class Role : std::uint8_t { restore, instance, check };

std::string_view to_string(Depth value) noexcept;
std::string_view to_string(Stage value) noexcept;
std::string_view to_string(Outcome value) noexcept;
std::string_view to_string(Verdict value) noexcept;
std::string_view to_string(Proof value) noexcept;
std::string_view to_string(Role value) noexcept;

std::optional<Depth> parse_depth(std::string_view text) noexcept;
std::optional<Stage> parse_stage(std::string_view text) noexcept;
std::optional<Outcome> parse_outcome(std::string_view text) noexcept;
std::optional<Verdict> parse_verdict(std::string_view text) noexcept;
std::optional<Proof> parse_proof(std::string_view text) noexcept;
std::optional<Role> parse_role(std::string_view text) noexcept;

/// The proof that a pass at `depth` needs from at least one check.
Proof needed_proof(Depth depth) noexcept;

}  // namespace rad
