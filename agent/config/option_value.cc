#include "agent/config/option_value.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>

#include <arpa/inet.h>
#include <date/tz.h>
#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {
namespace {

Error wrong(std::string_view found, std::string_view expected, std::string hint = {}) {
  return fail(Reason::config_invalid,
              fmt::format("found '{}', expected {}", printable(found, 80), expected),
              std::move(hint));
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const auto near = closest(word, candidates);
  return near ? fmt::format("did you mean '{}'?", *near) : std::string();
}

std::string within_range(const OptionRow& row, std::string_view what) {
  const auto range = range_text(row);
  return range.empty() ? std::string(what) : fmt::format("{}, {}", what, range);
}

bool in_range(const OptionRow& row, std::int64_t value) {
  return value >= row.min && value <= row.max;
}

Status check_duration(const OptionRow& row, std::string_view text) {
  const auto words = allowed_words(row);
  if (std::find(words.begin(), words.end(), text) != words.end()) return {};
  const auto expected = within_range(row, "a duration such as 90s, 15m or 26h");
  const auto duration = parse_duration(text);
  if (duration && in_range(row, duration->count())) return {};
  const bool bare_number = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
  return wrong(text, expected, bare_number && text != "0" ? "add the unit: s, m, h, d or w" : "");
}

Status check_bytes(const OptionRow& row, std::string_view text) {
  const auto bytes = parse_bytes(text);
  constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (bytes && *bytes <= kLargest && in_range(row, static_cast<std::int64_t>(*bytes))) return {};
  return wrong(text, within_range(row, "a number of bytes such as 512MiB or 2GiB"));
}

Status check_integer(const OptionRow& row, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (whole && in_range(row, value)) return {};
  return wrong(text, within_range(row, "a whole number"));
}

Status check_name(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  const bool good = !text.empty() && text.size() <= 63 && text.front() != '-' &&
                    text.front() != '_' && std::all_of(text.begin(), text.end(), plain);
  if (good) return {};
  return wrong(text,
               "a name of a-z, 0-9, - and _, at most 63 long, that begins with a letter or "
               "digit");
}

Status check_name_list(std::string_view text) {
  while (true) {
    const auto comma = text.find(',');
    const auto element = text.substr(0, comma);
    // A pattern is good if it is a name with its wildcards taken for letters.
    std::string plain(element);
    std::replace_if(
        plain.begin(), plain.end(), [](char c) { return c == '*' || c == '?'; }, 'x');
    if (!check_name(plain)) {
      return wrong(element, "a name of a-z, 0-9, - and _, or a pattern of it with * and ?");
    }
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

Status check_path(std::string_view text) {
  if (!text.starts_with('/') || text.find('\0') != std::string_view::npos) {
    return wrong(text, "an absolute path");
  }
  const std::filesystem::path path(text);
  if (std::find(path.begin(), path.end(), "..") != path.end()) {
    return wrong(text, "a path without '..'");
  }
  return {};
}

Status check_enumeration(const OptionRow& row, std::string_view text) {
  const auto words = allowed_words(row);
  if (std::find(words.begin(), words.end(), text) != words.end()) return {};
  return wrong(text, range_text(row), did_you_mean(text, words));
}

Status check_time_zone(std::string_view text) {
  try {
    std::vector<std::string> names;
    for (const auto& zone : date::get_tzdb().zones) {
      if (zone.name() == text) return {};
      names.push_back(zone.name());
    }
    return wrong(text, "an IANA time zone such as UTC or Europe/Berlin", did_you_mean(text, names));
  } catch (const std::exception& exception) {
    return fail(Reason::config_invalid,
                fmt::format("found '{}', but the time zones of this host cannot be read: {}",
                            printable(text, 80), exception.what()),
                "install the package tzdata");
  }
}

Status check_cron(std::string_view text) {
  auto cron = CronExpression::parse(text);
  if (cron) return {};
  auto error = std::move(cron).error();
  error.message = fmt::format("found '{}': {}", printable(text, 80), error.message);
  return error;
}

}  // namespace

Result<std::string> expand_environment(std::string_view text, const Environment& environment) {
  std::string result;
  while (true) {
    const auto start = text.find("${");
    if (start == std::string_view::npos) return result.append(text);
    if (start > 0 && text[start - 1] == '$') {
      result.append(text.substr(0, start - 1)).append("${");
      text.remove_prefix(start + 2);
      continue;
    }
    const auto end = text.find('}', start);
    if (end == std::string_view::npos) {
      return fail(Reason::config_invalid,
                  fmt::format("found '{}', expected a closing '}}' after '${{'",
                              printable(text.substr(start), 60)),
                  "write $${ for a literal ${");
    }
    const auto name = text.substr(start + 2, end - start - 2);
    const auto found = environment.find(name);
    if (found == environment.end()) {
      return fail(Reason::config_invalid,
                  fmt::format("the environment variable '{}' is not set", printable(name, 60)),
                  name == "CREDENTIALS_DIRECTORY"
                      ? "systemd sets it for a unit with LoadCredential=; by hand: "
                        "CREDENTIALS_DIRECTORY=/some/dir rad-agent …"
                      : "set it, or write $${ for a literal ${");
    }
    result.append(text.substr(0, start)).append(found->second);
    text.remove_prefix(end + 1);
  }
}

Status check_value(const OptionRow& row, std::string_view text) {
  if (text.empty()) return wrong(text, fmt::format("a value of type {}", to_string(row.type)));
  switch (row.type) {
    case OptionType::section:
    case OptionType::list:
    case OptionType::string:
      return {};
    case OptionType::name:
      return check_name(text);
    case OptionType::name_list:
      return check_name_list(text);
    case OptionType::path:
      return check_path(text);
    case OptionType::duration:
      return check_duration(row, text);
    case OptionType::bytes:
      return check_bytes(row, text);
    case OptionType::integer:
      return check_integer(row, text);
    case OptionType::boolean:
      if (text == "true" || text == "false") return {};
      return wrong(text, "true or false");
    case OptionType::enumeration:
      return check_enumeration(row, text);
    case OptionType::time_zone:
      return check_time_zone(text);
    case OptionType::cron:
      return check_cron(text);
    case OptionType::listen_address:
      if (text == "off") return {};
      if (auto address = parse_listen_address(text); !address) return address.error();
      return {};
  }
  return {};
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto bad = [&] {
    return wrong(text, "IP:PORT such as 127.0.0.1:9735 or [::1]:9735, or off");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string host(text.substr(0, colon));
  const auto port_text = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc{} || end != port_text.data() + port_text.size()) return bad();
  std::array<unsigned char, sizeof(in6_addr)> parsed{};
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (inet_pton(AF_INET6, host.c_str(), parsed.data()) != 1) return bad();
  } else if (host != "localhost" && inet_pton(AF_INET, host.c_str(), parsed.data()) != 1) {
    return bad();
  }
  return ListenAddress{.host = host, .port = port};
}

}  // namespace rad
