#include "plugins/wal_e/sentinel.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

constexpr std::string_view kHint =
    "the backup cannot be used without it; compare with the sentinel of another backup";

Error invalid(std::string_view object, std::string_view why) {
  return fail(Reason::metadata_invalid, fmt::format("sentinel '{}' {}", object, why),
              std::string(kHint), std::string(object));
}

bool is_oid(std::string_view text) {
  return !text.empty() && text.size() <= 10 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Status read_spec(const boost::json::object& document, std::string_view object, Sentinel& out) {
  auto spec = json::get_object(document, "spec");
  if (!spec) return invalid(object, "has a 'spec' that is not an object");
  auto prefix = json::get_string(*spec, "base_prefix", "");
  if (!prefix) return invalid(object, "has a 'spec.base_prefix' that is not a string");
  out.base_prefix = *prefix;
  auto oids = json::get_array(*spec, "tablespaces");
  if (!oids) return invalid(object, "has a 'spec.tablespaces' that is not a list");
  for (const auto& entry : *oids) {
    std::string oid;
    if (const auto* text = entry.if_string()) oid.assign(text->begin(), text->end());
    if (const auto* number = entry.if_int64()) oid = std::to_string(*number);
    if (!is_oid(oid)) return invalid(object, "names a tablespace that is not an OID");
    auto details = json::get_object(*spec, oid);
    if (!details) return invalid(object, "describes a tablespace by something not an object");
    auto location = json::get_string(*details, "loc", "");
    if (!location) return invalid(object, "has a tablespace location that is not a string");
    const bool known = std::any_of(out.tablespaces.begin(), out.tablespaces.end(),
                                   [&](const auto& other) { return other.oid == oid; });
    if (!known) out.tablespaces.push_back({oid, printable(*location)});
  }
  return {};
}

std::optional<std::uint32_t> decimal(std::string_view text) {
  std::uint32_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value, 10);
  if (text.empty() || end.ec != std::errc{} || end.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

Result<Sentinel> parse_sentinel(std::string_view text, std::string_view object) {
  if (text.size() > kMaxSentinelBytes) return invalid(object, "is larger than 1 MiB");
  if (text.empty()) return invalid(object, "is empty");
  auto parsed = json::parse(text, "sentinel", Reason::metadata_invalid);
  if (!parsed) return invalid(object, fmt::format("is not JSON: {}", parsed.error().message));
  const auto* document = parsed->if_object();
  if (document == nullptr) return invalid(object, "is not a JSON object");

  Sentinel result;
  auto segment = json::get_string(*document, "wal_segment_backup_stop");
  if (!segment) return invalid(object, "has no text 'wal_segment_backup_stop'");
  const auto name = parse_segment_name(*segment);
  if (!name) {
    return invalid(object, fmt::format("has '{}' as 'wal_segment_backup_stop', which is not a "
                                       "segment name of 24 hex digits",
                                       printable(*segment, 60)));
  }
  result.stop_segment = *name;
  if (const auto* offset = document->if_contains("wal_segment_offset_backup_stop")) {
    if (const auto* digits = offset->if_string()) {
      result.stop_offset = decimal({digits->data(), digits->size()});
    } else if (const auto* number = offset->if_int64();
               number && *number >= 0 && *number < 1 << 30) {
      result.stop_offset = static_cast<std::uint32_t>(*number);
    }
  }
  if (const auto* size = document->if_contains("expanded_size_bytes"); size && !size->is_null()) {
    auto bytes = json::get_uint(*document, "expanded_size_bytes");
    if (!bytes) return invalid(object, "has an 'expanded_size_bytes' that is not a whole number");
    result.expanded_bytes = *bytes;
  }
  if (auto status = read_spec(*document, object, result); !status) return status.error();
  return result;
}

}  // namespace rad::wal_e
