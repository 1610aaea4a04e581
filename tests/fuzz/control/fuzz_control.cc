// What a client sends besides HTTP itself: the path, the query and the body.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/control/fields.h"
#include "agent/control/paths.h"

namespace {

void read_fields(rad::Result<rad::Fields> fields) {
  if (!fields) {
    if (fields.error().reason != rad::Reason::config_invalid) std::abort();
    return;
  }
  const auto text = fields->text("target");
  if (text && (text->empty() || text->size() > rad::Fields::kMaxText)) std::abort();
  (void)fields->one_of("depth", {"inspect", "verify", "restore"});
  (void)fields->duration("hold", std::chrono::hours(24));
  if (const auto limit = fields->number("limit", 1, 1000, 50); limit < 1 || limit > 1000) {
    std::abort();
  }
  const std::string reason = fields->reason();
  if (fields->check() && (reason.empty() || reason.size() > 500)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Fuzzed input is bytes, the functions take text.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto path = rad::split_path(text)) {
    const auto names = rad::match_path("/v1/runs/{run}/log", *path);
    if (names && (names->size() != 1 || names->front().empty())) std::abort();
  }
  read_fields(rad::Fields::from_query(text));
  read_fields(rad::Fields::from_body(text));
  return 0;
}
