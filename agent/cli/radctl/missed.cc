#include "agent/cli/radctl/missed.h"

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::radctl {

Answered<boost::json::array> read_missed(const Context& context, TimePoint from, TimePoint to) {
  boost::json::array all;
  const std::string period = fmt::format("/v1/missed?limit=1000&from={}&to={}",
                                         encode(format_rfc3339(from)), encode(format_rfc3339(to)));
  std::string after;
  for (bool more = true; more;) {
    RAD_TRY(const auto page,
            context.client.get(period + (after.empty() ? "" : "&after=" + encode(after))));
    const JsonView view(page);
    const auto rows = view.list("missed");
    for (const JsonView& row : rows) all.emplace_back(*row.raw());
    const std::string next = view.text("next_after");
    more = !next.empty() && next != after && !rows.empty();
    after = next;
  }
  return all;
}

}  // namespace rad::radctl
