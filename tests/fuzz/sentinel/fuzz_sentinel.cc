// Everything small that a store says in text: sentinel, backup_label, timeline history, names.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "plugins/wal_e/backup_label.h"
#include "plugins/wal_e/pg_control.h"
#include "plugins/wal_e/pg_waldump.h"
#include "plugins/wal_e/sentinel.h"
#include "plugins/wal_e/suspect_pages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rad::wal_e;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  // The first byte chooses the reader, so that each keeps its own inputs in the corpus.
  switch (data[0] % 7) {
    case 0:
      (void)parse_sentinel(text, "sentinel");
      break;
    case 1:
      (void)parse_backup_label(text, "backup_label");
      break;
    case 2:
      (void)parse_history(text, 7, "history");
      break;
    case 3:
      (void)parse_pg_control(text);
      break;
    case 4:
      (void)parse_waldump_error(text);
      break;
    case 5: {
      SuspectJudge judge({{.path = "base/5/16384", .block = 1, .partial = true}}, {"base/5/16385"});
      judge.feed(text);
      (void)judge.unexplained();
      break;
    }
    default:
      (void)parse_wal_file_name(text);
      (void)parse_backup_name(text);
      (void)parse_relation_path(text);
      (void)parse_lsn(text);
  }
  return 0;
}
