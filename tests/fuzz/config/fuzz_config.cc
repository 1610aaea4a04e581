// Any text at all: the loader's tree builder, option typing and cron expressions must end, within
// their limits, without a crash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/config/cron_expression.h"
#include "agent/config/loader.h"
#include "agent/config/section_reader.h"
#include "agent/config/yaml_document.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const rad::YamlLimits limits{.depth = 32, .nodes = 2000, .text_bytes = 1U << 20U};
  const auto document = rad::parse_yaml(text, "fuzz.yaml", limits);
  auto errors = document.errors;
  if (!document.usable && errors.empty()) std::abort();
  if (document.usable) {
    static const rad::Environment kEnvironment{{"A", "b"}};
    rad::SectionReader reader("fuzz.yaml", kEnvironment, errors);
    reader.read(document.root);
    rad::sort_by_position(errors);
    if (!errors.empty() && rad::to_text(errors, "error").empty()) std::abort();
  }
  if (const auto cron = rad::CronExpression::parse(text)) {
    bool any = false;
    for (unsigned day = 1; day <= 31; ++day) {
      for (unsigned weekday = 0; weekday < 7; ++weekday) any = any || cron->day(day, 31, weekday);
    }
    if (!any && text.find_first_of("Ll") == std::string_view::npos) std::abort();
  }
  return 0;
}
