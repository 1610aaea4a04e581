// Any bytes as a conversation: never a crash, and whatever is read can be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "plugins/protocol/codec.h"

namespace {

using namespace rad;
using namespace rad::protocol;

void must(bool held) {
  if (!held) std::abort();
}

/// Reads `object` as a T; if that works, what is written of it must be read again, alike.
template <class T>
void read_as(const boost::json::object& object) {
  const auto value = from_json<T>(object);
  if (!value) {
    must(value.error().reason == Reason::plugin_protocol);
    return;
  }
  const auto written = to_json(*value);
  const auto again = from_json<T>(written);
  must(again.has_value());
  must(to_json(*again) == written);
}

void read_as_all(const boost::json::object& object) {
  read_as<PluginInfo>(object);
  read_as<InitializeParams>(object);
  read_as<PreflightResult>(object);
  read_as<ReadResult>(object);
  read_as<RestoreResult>(object);
  read_as<StartResult>(object);
  read_as<ListedBackup>(object);
  read_as<BackupsResult>(object);
  read_as<CheckParams>(object);
  read_as<CheckResult>(object);
  read_as<DiagnoseParams>(object);
  read_as<DiagnoseResult>(object);
  read_as<CleanupResult>(object);
  read_as<GcParams>(object);
  read_as<GcResult>(object);
  read_as<Progress>(object);
  read_as<LogLine>(object);
}

void read_message(std::string_view line) {
  BadLine bad;
  const auto message = decode(line, &bad);
  if (!message) {
    must(message.error().reason == Reason::plugin_protocol);
    must(bad.code == kParseError || bad.code == kInvalidRequest);
    return;
  }
  const std::string again = std::visit([](const auto& value) { return encode(value); }, *message);
  must(again.ends_with('\n') && again.find('\n') == again.size() - 1);
  if (again.size() <= kMaxLineBytes) {
    must(decode(std::string_view(again).substr(0, again.size() - 1)).has_value());
  }
  if (const auto* request = std::get_if<Request>(&*message)) read_as_all(request->params);
  if (const auto* notification = std::get_if<Notification>(&*message)) {
    read_as_all(notification->params);
  }
  if (const auto* response = std::get_if<Response>(&*message)) {
    must(response->result.has_value() != response->error.has_value());
    if (response->result) read_as_all(*response->result);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The same lines must come out whether the bytes arrive at once or in two parts.
  LineSplitter whole;
  LineSplitter parts;
  const bool fits = whole.feed(bytes).has_value();
  const bool first = parts.feed(bytes.substr(0, size / 2)).has_value();
  const bool second = parts.feed(bytes.substr(size / 2)).has_value();
  must(fits == (first && second));
  while (const auto line = whole.next()) {
    must(parts.next() == line);
    read_message(*line);
  }
  must(!parts.next().has_value());
  read_message(bytes);
  (void)decode_outcomes(bytes);
  return 0;
}
