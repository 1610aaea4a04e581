// Quantities and instants as people and files write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"

namespace rad {

/// RFC 3339 in UTC with milliseconds: "2026-11-20T18:44:51.715Z".
std::string format_rfc3339(TimePoint time);
/// Takes RFC 3339 and PostgreSQL's "2026-11-20 18:44:51.715795+00" and "... UTC" forms; a missing
/// offset is UTC; a fraction is cut to milliseconds. Years 0000 to 9999.
/// \return Reason::config_invalid naming the text.
Result<TimePoint> parse_time(std::string_view text);

/// "90s", "15m", "26h", "1d12h", "1w", "250ms"; units ms s m h d w, at least one part, no sign.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The two largest units that matter: "1d 2h", "3m 12s", "4.2s", "80ms".
std::string format_duration(std::chrono::milliseconds duration);

/// "512", "64KiB", "1.5GiB", "2GB"; powers of 1024 with i, of 1000 without.
Result<std::uint64_t> parse_bytes(std::string_view text);
/// "49.0 MiB".
std::string format_bytes(std::uint64_t bytes);

/// The member of `candidates` that `word` was most likely meant to be, for "did you mean".
std::optional<std::string> closest(std::string_view word,
                                   const std::vector<std::string>& candidates);

/// Untrusted text made fit for a terminal, a log line or an issue, always one line of UTF-8: line
/// ends and tabs become a space; other control characters, marks that turn the direction of writing
/// and bytes that are not UTF-8 become '?'. Cut to at most `max_bytes`, ending in "…" if cut.
std::string printable(std::string_view text, std::size_t max_bytes = 2000);

}  // namespace rad
