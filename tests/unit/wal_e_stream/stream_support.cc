#include "tests/unit/wal_e_stream/stream_support.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/base/files.h"

namespace rad::wal_e {
namespace {

constexpr std::size_t kBlock = 512;

void put(std::string& block, std::size_t at, std::string_view text, std::size_t limit) {
  text = text.substr(0, limit);
  block.replace(at, text.size(), text);
}

std::string run(const std::string& program, std::vector<std::string> args, std::string_view input) {
  ChildSpec spec;
  spec.program = program;
  spec.args = std::move(args);
  const Result<ToolOutput> output = run_tool(spec, input);
  if (!output) {
    ADD_FAILURE() << program << ": " << output.error().message;
    return {};
  }
  EXPECT_TRUE(output->status.ok()) << program << ": " << output->err;
  return output->out;
}

}  // namespace

TarBuilder& TarBuilder::header(std::string_view name, char type, std::uint64_t size,
                               std::string_view link) {
  std::string block(kBlock, '\0');
  put(block, 0, name, 100);
  put(block, 100, "0000600", 7);
  put(block, 108, "0000000", 7);
  put(block, 116, "0000000", 7);
  if (size < 1ULL << 33U) {
    put(block, 124, fmt::format("{:011o}", size), 11);
  } else {
    block[124] = '\x80';
    for (std::size_t at = 0; at < 8; ++at) {
      block[135 - at] = static_cast<char>(size >> (8 * at) & 0xFFU);
    }
  }
  put(block, 136, "14000000000", 11);
  put(block, 148, "        ", 8);
  block[156] = type;
  put(block, 157, link, 100);
  put(block, 257, std::string_view("ustar\00000", 8), 8);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(block, 148, fmt::format("{:06o}", sum), 6);
  block[154] = '\0';
  block[155] = ' ';
  bytes_ += block;
  return *this;
}

TarBuilder& TarBuilder::data(std::string_view content) {
  bytes_ += content;
  bytes_.append((kBlock - content.size() % kBlock) % kBlock, '\0');
  return *this;
}

TarBuilder& TarBuilder::raw(std::string_view bytes) {
  bytes_ += bytes;
  return *this;
}

TarBuilder& TarBuilder::file(std::string_view name, std::string_view content) {
  return header(name, '0', content.size()).data(content);
}
TarBuilder& TarBuilder::directory(std::string_view name) {
  return header(name, '5', 0);
}
TarBuilder& TarBuilder::symlink(std::string_view name, std::string_view target) {
  return header(name, '2', 0, target);
}
TarBuilder& TarBuilder::hard_link(std::string_view name, std::string_view target) {
  return header(name, '1', 0, target);
}

TarBuilder& TarBuilder::pax(const std::vector<std::pair<std::string, std::string>>& records) {
  std::string body;
  for (const auto& [key, value] : records) {
    const std::size_t rest = key.size() + value.size() + 3;
    std::size_t length = rest + 1;
    while (std::to_string(length).size() + rest != length) ++length;
    body += fmt::format("{} {}={}\n", length, key, value);
  }
  return header("././@PaxHeader", 'x', body.size()).data(body);
}

TarBuilder& TarBuilder::gnu_long(char type, std::string_view text) {
  const std::string body = std::string(text) + '\0';
  return header("././@LongLink", type, body.size()).data(body);
}

std::string TarBuilder::finish() const {
  constexpr std::size_t kRecord = 10240;
  std::string out = bytes_ + std::string(2 * kBlock, '\0');
  out.append((kRecord - out.size() % kRecord) % kRecord, '\0');
  return out;
}

TarStream::Pull pull_from(std::string bytes, std::size_t step) {
  auto shared = std::make_shared<std::string>(std::move(bytes));
  return [shared, step, at = std::size_t{0}]() mutable -> Result<std::span<const std::byte>> {
    const std::span<const std::byte> piece =
        bytes_of(*shared).subspan(at, std::min(step, shared->size() - at));
    at += piece.size();
    return piece;
  };
}

std::string lzop(std::string_view plain, const std::vector<std::string>& options) {
  std::vector<std::string> args = options;
  args.push_back("-c");
  return run("lzop", std::move(args), plain);
}

std::string noise(std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

std::string text_of(std::size_t size) {
  std::string out;
  for (std::size_t number = 0; out.size() < size; ++number) out += fmt::format("row {}\n", number);
  out.resize(size);
  return out;
}

Keyring::Keyring(bool import_key) : home_("/tmp/rk-" + random_hex()) {
  std::filesystem::create_directory(home_);
  std::filesystem::permissions(home_, std::filesystem::perms::owner_all);
  // Else the agent measures for seconds how much a passphrase may cost.
  std::ofstream(home_ / "gpg-agent.conf") << "s2k-count 65536\n";
  if (import_key) {
    gpg({"--import", std::string(RAD_SOURCE_DIR) + "/tests/data/wale-small/keys/secret-key.asc"});
  }
}

void Keyring::stop_agent() const {
  run("gpgconf", {"--homedir", home_.string(), "--kill", "gpg-agent"}, {});
}

Keyring::~Keyring() {
  stop_agent();
  // The agent removes its sockets meanwhile, which stops one removal in its middle.
  for (int attempt = 0; attempt < 10 && std::filesystem::exists(home_); ++attempt) {
    std::error_code ignored;
    std::filesystem::remove_all(home_, ignored);
  }
}

std::string Keyring::gpg(const std::vector<std::string>& args, std::string_view input) const {
  std::vector<std::string> all{"--homedir", home_.string(), "--batch", "--quiet", "--no-tty"};
  all.insert(all.end(), args.begin(), args.end());
  return run("gpg", std::move(all), input);
}

std::string Keyring::encrypt(std::string_view plain) const {
  return gpg(
      {"--trust-model", "always", "-z", "0", "--encrypt", "--recipient", std::string(kTestKeyId)},
      plain);
}

namespace {

class MemoryReader final : public object_store::ObjectReader {
 public:
  MemoryReader(std::string bytes, std::optional<Error> failure)
      : bytes_(std::move(bytes)), failure_(std::move(failure)) {}
  Result<std::size_t> read(std::span<std::byte> out) override {
    constexpr std::size_t kStep = 5000;
    if (cancelled_) return fail(Reason::cancelled, "reading was stopped");
    const std::size_t size = std::min({out.size(), kStep, bytes_.size() - done_});
    if (size == 0 && failure_) return *failure_;
    std::memcpy(out.data(), bytes_.data() + done_, size);
    done_ += size;
    return size;
  }
  void cancel() noexcept override { cancelled_ = true; }

 private:
  std::string bytes_;
  std::optional<Error> failure_;
  std::size_t done_ = 0;
  std::atomic<bool> cancelled_{false};
};

}  // namespace

Status MemoryStorage::visit(std::string_view prefix, const object_store::ObjectVisitor& visit,
                            std::stop_token /*stop*/) {
  for (const auto& [key, content] : objects) {
    if (!key.starts_with(prefix)) continue;
    RAD_CHECK(visit({.key = key, .size = content.size(), .modified = {}}));
  }
  return {};
}

Result<object_store::ObjectInfo> MemoryStorage::stat(std::string_view key) {
  const auto found = objects.find(key);
  if (found == objects.end()) return fail(Reason::missing_object, "no such object");
  return object_store::ObjectInfo{
      .key = std::string(key), .size = found->second.size(), .modified = {}};
}

Result<std::unique_ptr<object_store::ObjectReader>> MemoryStorage::open(
    std::string_view key, const object_store::OpenOptions& options) {
  const auto found = objects.find(key);
  if (found == objects.end()) return fail(Reason::missing_object, "no such object");
  return std::unique_ptr<object_store::ObjectReader>(std::make_unique<MemoryReader>(
      found->second.substr(options.offset, cut_transfer_at), fail_with));
}

}  // namespace rad::wal_e
