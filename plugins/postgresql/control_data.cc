#include "plugins/postgresql/control_data.h"

#include <charconv>
#include <ctime>
#include <map>

#include <fmt/format.h>

#include "agent/base/child_process.h"
#include "agent/base/text.h"

namespace rad::postgresql {
namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

Fields split_fields(std::string_view text) {
  Fields fields;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto value = line.find_first_not_of(' ', colon + 1);
    fields.emplace(line.substr(0, colon),
                   value == std::string_view::npos ? std::string_view{} : line.substr(value));
  }
  return fields;
}

class Reader {
 public:
  explicit Reader(const Fields& fields) : fields_(fields) {}

  std::string text(std::string_view key) {
    const auto found = fields_.find(key);
    if (found != fields_.end()) return found->second;
    missing(key);
    return {};
  }

  template <class T>
  void number(std::string_view key, T& value, bool required = true) {
    const auto found = fields_.find(key);
    if (found == fields_.end()) {
      if (required) missing(key);
      return;
    }
    const std::string& digits = found->second;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
      problem_ = fmt::format("pg_controldata says '{}: {}', expected a number", key,
                             printable(digits, 80));
    }
  }

  // Written with strftime's %c in the C locale and UTC: "Fri Nov 20 21:29:11 2026".
  void time(std::string_view key, TimePoint& value) {
    const std::string written = text(key);
    std::tm fields{};
    const char* end = ::strptime(written.c_str(), "%a %b %d %H:%M:%S %Y", &fields);
    if (end == nullptr || *end != '\0') {
      problem_ =
          fmt::format("pg_controldata says '{}: {}', expected a time", key, printable(written, 80));
      return;
    }
    value = TimePoint(std::chrono::seconds(::timegm(&fields)));
  }

  const std::string& problem() const { return problem_; }

 private:
  void missing(std::string_view key) {
    problem_ = fmt::format("pg_controldata does not say '{}'", key);
  }

  const Fields& fields_;
  std::string problem_;
};

}  // namespace

Result<ControlData> parse_control_data(std::string_view text, std::string_view warnings) {
  // The tool goes on with a warning; its values cannot be trusted then.
  for (const std::string_view source : {text, warnings}) {
    if (source.find("Calculated CRC checksum does not match") != std::string_view::npos) {
      return fail(Reason::metadata_invalid, "the checksum of global/pg_control is wrong", "",
                  "global/pg_control");
    }
  }
  const Fields fields = split_fields(text);
  Reader reader(fields);
  ControlData data;
  data.state = reader.text("Database cluster state");
  data.system_identifier = reader.text("Database system identifier");
  data.checkpoint_lsn = reader.text("Latest checkpoint location");
  reader.time("Time of latest checkpoint", data.checkpoint_time);
  data.wal_level = reader.text("wal_level setting");
  reader.number("Latest checkpoint's TimeLineID", data.timeline);
  reader.number("max_connections setting", data.max_connections);
  reader.number("max_worker_processes setting", data.max_worker_processes);
  reader.number("max_wal_senders setting", data.max_wal_senders, false);
  reader.number("max_prepared_xacts setting", data.max_prepared_transactions);
  reader.number("max_locks_per_xact setting", data.max_locks_per_transaction);
  reader.number("Bytes per WAL segment", data.wal_segment_bytes);
  reader.number("Database block size", data.block_bytes);
  reader.number("Blocks per segment of large relation", data.blocks_per_file);
  unsigned checksum_version = 0;
  reader.number("Data page checksum version", checksum_version);
  data.data_checksums = checksum_version != 0;
  data.track_commit_timestamp = reader.text("track_commit_timestamp setting") == "on";
  if (!reader.problem().empty()) {
    return fail(Reason::metadata_invalid, reader.problem(), "", "global/pg_control");
  }
  return data;
}

Result<ControlData> read_control_data(const std::filesystem::path& bin_dir,
                                      const std::filesystem::path& data_dir) {
  ChildSpec spec;
  spec.program = bin_dir / "pg_controldata";
  spec.args = {"-D", data_dir.string()};
  spec.environment = std::map<std::string, std::string>{{"LC_ALL", "C"}, {"TZ", "UTC"}};
  RAD_TRY(const ToolOutput output, run_tool(spec, {}, std::chrono::seconds(60)));
  if (!output.status.ok()) {
    Error error =
        fail(Reason::metadata_invalid,
             fmt::format("pg_controldata cannot read global/pg_control ({})", output.status.text()),
             "", "global/pg_control");
    error.detail = printable(output.err);
    return error;
  }
  return parse_control_data(output.out, output.err);
}

}  // namespace rad::postgresql
