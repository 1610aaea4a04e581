#include "plugins/wal_e/gpg_decrypt.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <map>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "agent/base/clock.h"
#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

constexpr std::string_view kStatusPrefix = "[GNUPG:] ";
constexpr std::size_t kMaxMessages = 4096;
constexpr std::size_t kMaxLine = 4096;
constexpr std::size_t kMaxListed = 64;

// libgpg-error's codes (the low 16 bits) that speak of the data, not of the keyring or the agent.
constexpr std::array<std::uint32_t, 13> kDataErrors{
    4,    // public key algorithm
    10,   // checksum error
    12,   // cipher algorithm
    14,   // invalid packet
    18,   // wrong secret key used: the session key does not decrypt
    30,   // bad MPI
    41,   // wrong public key algorithm
    43,   // weak key
    65,   // invalid object
    79,   // invalid data
    82,   // invalid session key
    139,  // invalid length
    152,  // decryption failed
};

std::string_view next_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

void add_unique(std::vector<std::string>& list, std::string_view word) {
  if (word.empty() || list.size() >= kMaxListed) return;
  if (std::find(list.begin(), list.end(), word) == list.end()) list.emplace_back(word);
}

void add_status(GpgReport& report, std::string_view rest) {
  const std::string_view keyword = next_word(rest);
  if (keyword == "ENC_TO") {
    add_unique(report.key_ids, next_word(rest));
  } else if (keyword == "NO_SECKEY") {
    add_unique(report.missing_keys, next_word(rest));
  } else if (keyword == "DECRYPTION_KEY" || keyword == "DECRYPTION_INFO") {
    report.session_key = true;
  } else if (keyword == "KEYEXPIRED") {
    const std::string_view seconds = next_word(rest);
    std::int64_t value = 0;
    const auto parsed = std::from_chars(seconds.data(), seconds.data() + seconds.size(), value);
    if (parsed.ec == std::errc{}) {
      const TimePoint when = TimePoint(std::chrono::seconds(value));
      add_unique(report.notes, fmt::format("its key expired at {}", format_rfc3339(when)));
    }
  } else if (keyword == "DECRYPTION_OKAY") {
    report.okay = true;
  } else if (keyword == "GOODMDC") {
    report.intact = true;
  } else if (keyword == "DECRYPTION_FAILED" || keyword == "BADMDC" || keyword == "NODATA" ||
             keyword == "UNEXPECTED") {
    report.failed = true;
  } else if (keyword == "ERROR") {
    next_word(rest);  // where
    const std::string_view code = next_word(rest);
    std::uint32_t value = 0;
    const auto parsed = std::from_chars(code.data(), code.data() + code.size(), value);
    if (parsed.ec == std::errc{}) report.key_error = value & 0xFFFFU;
  }
}

}  // namespace

void add_gpg_line(GpgReport& report, std::string_view line) {
  if (line.starts_with(kStatusPrefix)) {
    add_status(report, line.substr(kStatusPrefix.size()));
    return;
  }
  constexpr std::string_view kProgram = "gpg: ";
  constexpr std::string_view kNote = "gpg: Note: ";
  if (line.starts_with(kNote)) add_unique(report.notes, line.substr(kNote.size()));
  if (line.starts_with(kProgram)) line.remove_prefix(kProgram.size());
  if (report.messages.size() + line.size() + 1 > kMaxMessages) return;
  if (!report.messages.empty()) report.messages += '\n';
  report.messages += line;
}

std::optional<Error> judge_gpg(const GpgReport& report, const ExitStatus& status) {
  // Status lines, not the exit code: that is 2 for an untidy home as well.
  if (status.signal == 0 && report.okay && report.intact && !report.failed) return std::nullopt;
  const std::string keys = fmt::format("{}", fmt::join(report.key_ids, ", "));
  Error error = fail(Reason::decrypt_failed, "gpg cannot decrypt it");
  const bool data_error = report.key_error && std::find(kDataErrors.begin(), kDataErrors.end(),
                                                        *report.key_error) != kDataErrors.end();
  if (status.signal != 0) {
    error.reason = Reason::host_unfit;
    error.message = fmt::format("gpg was ended by {}", status.text());
    error.hint = "look in the kernel's log for what killed it";
    error.retryable = true;
  } else if (report.okay) {
    error.message = fmt::format("gpg decrypted it, but not without a fault ({})", status.text());
  } else if (report.session_key) {
    error.message = "the encrypted data are damaged: gpg's integrity check (MDC) fails";
  } else if (report.key_error && !data_error) {
    error.reason = Reason::key_unavailable;
    error.message = fmt::format("the secret key for {} cannot be used (libgpg-error code {})", keys,
                                *report.key_error);
    error.hint = "use a key without passphrase, or preset it in the keyring's gpg-agent";
  } else if (!data_error && !report.missing_keys.empty()) {
    error.reason = Reason::key_unavailable;
    error.message =
        fmt::format("it is encrypted to {}, and the keyring has no secret key of these", keys);
    error.hint = "import the secret key into the keyring of the target";
  } else if (!report.failed && report.key_ids.empty()) {
    // It never came as far as the data: its home, its options or its agent.
    error.reason = Reason::key_unavailable;
    error.message = fmt::format("gpg did not start to decrypt ({})", status.text());
    error.hint = "run gpg --list-secret-keys with the same home as the same user";
  } else if (data_error) {
    error.message = fmt::format("the session key for {} is damaged", keys);
  }
  error.detail = report.messages;
  return error;
}

Result<std::unique_ptr<GpgDecryption>> GpgDecryption::start(int input,
                                                            const std::filesystem::path& gpg,
                                                            const std::filesystem::path& home) {
  if (home.empty()) {
    return fail(Reason::key_unavailable, "it is encrypted, and no keyring is configured",
                "set gpg_home to a GnuPG home with the secret key");
  }
  constexpr std::size_t kPipeSize = 1U << 20U;
  RAD_TRY(Pipe output, make_pipe(kPipeSize));
  RAD_TRY(Pipe errors, make_pipe());
  UniqueFd ended(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!ended) return fail(Reason::host_unfit, "cannot make an event descriptor");
  ChildSpec spec;
  spec.program = gpg;
  spec.args = {"--homedir",       home.string(), "--no-options", "--batch", "--no-tty",
               "--pinentry-mode", "error",       "--status-fd",  "2",       "--decrypt"};
  // Its messages are read, so their language is fixed.
  spec.environment = std::map<std::string, std::string>{
      {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LC_ALL", "C"}, {"HOME", home.string()}};
  spec.stdin_fd = input;
  spec.stdout_fd = output.write_end.get();
  spec.stderr_fd = errors.write_end.get();
  RAD_TRY(ChildProcess child, ChildProcess::start(spec));
  return std::unique_ptr<GpgDecryption>(new GpgDecryption(
      std::move(child), std::move(output.read_end), std::move(errors.read_end), std::move(ended)));
}

GpgDecryption::GpgDecryption(ChildProcess child, UniqueFd output, UniqueFd errors, UniqueFd ended)
    : child_(std::move(child)),
      output_(std::move(output)),
      errors_(std::move(errors)),
      ended_(std::move(ended)) {
  ::fcntl(errors_.get(), F_SETFL, ::fcntl(errors_.get(), F_GETFL) | O_NONBLOCK);
  collector_ = std::thread([this] { collect(); });
}

GpgDecryption::~GpgDecryption() {
  if (!status_) {
    output_.reset();
    child_.kill();
    wait(std::chrono::seconds(10));
  }
}

ExitStatus GpgDecryption::wait(std::chrono::milliseconds limit) {
  if (status_) return *status_;
  status_ = child_.wait_for(limit);
  if (!status_) {
    child_.kill();
    status_ = child_.wait();
  }
  // A gpg-agent that gpg has started may hold the other end: no waiting for end of file.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(ended_.get(), &one, sizeof one);
  collector_.join();
  return *status_;
}

void GpgDecryption::collect() {
  std::string line;
  std::array<char, 4096> buffer{};
  pollfd waits[2] = {{.fd = errors_.get(), .events = POLLIN, .revents = 0},
                     {.fd = ended_.get(), .events = POLLIN, .revents = 0}};
  for (;;) {
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) break;
    const ssize_t got = ::read(errors_.get(), buffer.data(), buffer.size());
    if (got == 0) break;
    if (got < 0) {
      if (errno == EINTR) continue;
      const bool nothing_left = errno == EAGAIN && (waits[1].revents & POLLIN) != 0;
      if (errno != EAGAIN || nothing_left) break;
      continue;
    }
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(got))) {
      if (c == '\n') {
        add_gpg_line(report_, line);
        line.clear();
      } else if (line.size() < kMaxLine) {
        line += c;
      }
    }
  }
  if (!line.empty()) add_gpg_line(report_, line);
}

}  // namespace rad::wal_e
