#include "tests/unit/wal_e/wal_e_support.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/base/child_process.h"
#include "agent/base/files.h"

namespace rad::wal_e::test_support {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxObject = std::size_t{64} << 20U;

std::string run(const std::string& program, const std::vector<std::string>& args,
                std::string_view input = {}) {
  ChildSpec spec;
  spec.program = program;
  spec.args = args;
  auto output = run_tool(spec, input, std::chrono::minutes(1), kMaxObject);
  if (!output || !output->status.ok()) {
    ADD_FAILURE() << program << ": " << (output ? output->err : output.error().message);
    return {};
  }
  return output->out;
}

}  // namespace

fs::path plain_store() {
  return fs::path(RAD_SOURCE_DIR) / "tests/data/wale-small/plain";
}
fs::path encrypted_store() {
  return fs::path(RAD_SOURCE_DIR) / "tests/data/wale-small/encrypted";
}

std::unique_ptr<object_store::Storage> storage_of(const fs::path& store) {
  return object_store::open_storage("file://" + store.string()).value();
}

std::string decoded(const fs::path& store, const std::string& key) {
  const auto storage = storage_of(store);
  const auto info = storage->stat(key).value();
  std::string content;
  const auto result =
      decode_object(*storage, info, {}, [&](std::span<const std::byte> piece) -> Status {
        content.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        return {};
      });
  EXPECT_TRUE(result) << key;
  return content;
}

std::string lzop(std::string_view content) {
  return run("lzop", {"-c"}, content);
}

StoreCopy::StoreCopy(const fs::path& original) : path_(dir_ / "store") {
  fs::copy(original, path_, fs::copy_options::recursive);
  // A plugin that gives up root has to get through.
  ::chmod(dir_.path().c_str(), 0755);
}

std::string StoreCopy::read(const std::string& key) const {
  return read_file(path_ / key, kMaxObject).value();
}

void StoreCopy::write(const std::string& key, std::string_view bytes) const {
  EXPECT_TRUE(write_file_atomic(path_ / key, bytes));
}

void StoreCopy::remove(const std::string& key) const {
  EXPECT_TRUE(fs::remove(path_ / key)) << key;
}

void StoreCopy::write_segment(const std::string& name, std::string_view content) const {
  write("wal_005/" + name + ".lzo", lzop(content));
}

void make_key_home(const fs::path& home, bool with_key) {
  fs::create_directories(home);
  ::chmod(home.c_str(), 0700);
  if (!with_key) return;
  const auto key = fs::path(RAD_SOURCE_DIR) / "tests/data/wale-small/keys/secret-key.asc";
  run("gpg", {"--batch", "-q", "--homedir", home.string(), "--import", key.string()});
  run("gpgconf", {"--homedir", home.string(), "--kill", "all"});
}

}  // namespace rad::wal_e::test_support
