// gpg as a child process that decrypts one stream, and what its answers mean (GnuPG 2.2, DETAILS).
//
// Status lines and messages come on one descriptor (--status-fd 2): neither the order of its
// answers nor its exit code alone proves anything. A cut first packet, for one, is exit code 0.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "agent/base/child_process.h"
#include "agent/base/error.h"
#include "agent/base/unique_fd.h"

namespace rad::wal_e {

/// What gpg has said so far.
struct GpgReport {
  bool session_key = false;          ///< it could be decrypted (DECRYPTION_KEY, DECRYPTION_INFO)
  bool okay = false;                 ///< DECRYPTION_OKAY
  bool intact = false;               ///< GOODMDC
  bool failed = false;               ///< DECRYPTION_FAILED, BADMDC, NODATA or UNEXPECTED
  std::vector<std::string> key_ids;  ///< ENC_TO
  std::vector<std::string> missing_keys;   ///< NO_SECKEY
  std::optional<std::uint32_t> key_error;  ///< libgpg-error code of a failed key operation
  std::vector<std::string> notes;          ///< e.g. "secret key 0123456789ABCDEF expired at ..."
  std::string messages;                    ///< free text, at most 4 KiB; untrusted
};

/// Takes one line of gpg's standard error.
void add_gpg_line(GpgReport& report, std::string_view line);

/// \return nothing if the plaintext is proved; else decrypt_failed, or key_unavailable when the
///   reason lies in the keyring or its agent as far as gpg can tell. gpg says the same of a missing
///   key and of a damaged key id: who knows other objects of the store has to decide.
std::optional<Error> judge_gpg(const GpgReport& report, const ExitStatus& status);

/// One running gpg. kill() from any thread, all else from one.
class GpgDecryption {
 public:
  /// \param input  borrowed for the call; what gpg reads from, at its present offset.
  /// \param home   the keyring; must be short (gpg-agent's socket lies in it) and writable.
  /// \return tool_missing, key_unavailable when `home` is empty, host_unfit.
  static Result<std::unique_ptr<GpgDecryption>> start(int input, const std::filesystem::path& gpg,
                                                      const std::filesystem::path& home);
  ~GpgDecryption();
  GpgDecryption(const GpgDecryption&) = delete;
  GpgDecryption& operator=(const GpgDecryption&) = delete;

  /// The plaintext; end of file does not prove anything.
  int output() const noexcept { return output_.get(); }
  void close_output() noexcept { output_.reset(); }
  void kill() noexcept { child_.kill(); }

  /// Waits for the end, at most `limit`, then kills. The report is complete afterwards.
  ExitStatus wait(std::chrono::milliseconds limit);
  /// Valid after wait().
  const GpgReport& report() const noexcept { return report_; }

 private:
  GpgDecryption(ChildProcess child, UniqueFd output, UniqueFd errors, UniqueFd ended);
  void collect();

  ChildProcess child_;
  UniqueFd output_;
  UniqueFd errors_;
  UniqueFd ended_;  ///< eventfd: the child is gone, take what is there and stop
  GpgReport report_;
  std::optional<ExitStatus> status_;
  std::thread collector_;
};

}  // namespace rad::wal_e
