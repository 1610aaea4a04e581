#include "tests/unit/store/power_cut_witness.h"

#include <algorithm>

#include <sqlite3.h>

namespace rad::test {
namespace {

/// The rows of a query, a line each.
std::string rows(sqlite3* connection, const std::string& sql, std::string& damage) {
  std::string text;
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(connection, sql.c_str(), -1, &statement, nullptr);
  while (code == SQLITE_OK || code == SQLITE_ROW) {
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW) break;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const auto* value = sqlite3_column_text(statement, i);
      if (i > 0) text += '|';
      text += value == nullptr ? "NULL" : reinterpret_cast<const char*>(value);
    }
    text += '\n';
  }
  if (code != SQLITE_DONE) damage += sql + ": " + sqlite3_errmsg(connection) + "\n";
  sqlite3_finalize(statement);
  return text;
}

}  // namespace

std::string dump(const DiskImage& image, std::string& damage) {
  if (image.count(kPowerCutFile) == 0) return "nothing";
  const PowerCutDisk disk(image);
  sqlite3* connection = nullptr;
  std::string text = "nothing";
  if (sqlite3_open_v2(kPowerCutFile, &connection, SQLITE_OPEN_READWRITE, disk.name().c_str()) !=
      SQLITE_OK) {
    damage += sqlite3_errmsg(connection);
  } else {
    const std::string check = rows(connection, "PRAGMA integrity_check", damage);
    if (check != "ok\n") damage += check;
    const std::string tables = rows(
        connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", damage);
    if (!tables.empty()) {
      text = "version " + rows(connection, "PRAGMA user_version", damage);
      for (std::size_t at = 0; at < tables.size();) {
        const std::size_t end = tables.find('\n', at);
        const std::string name = tables.substr(at, end - at);
        text += name + ":\n" + rows(connection, "SELECT * FROM " + name, damage);
        at = end + 1;
      }
    }
  }
  sqlite3_close(connection);
  return text;
}

PowerCutWitness::PowerCutWitness(const DiskImage& image, unsigned torn, unsigned again,
                                 std::uint64_t seed)
    : disk_(image), torn_(torn), again_(again), random_(seed) {
  std::string damage;
  states_.push_back(dump(image, damage));
  if (!damage.empty()) problem("the disk was damaged before: " + damage);
  disk_.on_change([this] { changed(); });
}

void PowerCutWitness::step(const std::string& what, const std::function<Status()>& call,
                           std::size_t most) {
  step_ = what;
  const std::size_t before = states_.size();
  if (const Status status = call(); !status) problem("failed: " + status.error().message);
  note_state();
  if (states_.size() - before > most) {
    problem("went through " + std::to_string(states_.size() - before) + " states");
  }
  acknowledged_ = states_.size() - 1;
}

void PowerCutWitness::note_state() {
  std::string damage;
  std::string state = dump(disk_.cut(Survival::all, random_), damage);
  if (!damage.empty()) problem("damaged by a kill: " + damage);
  if (state != states_.back()) states_.push_back(std::move(state));
}

void PowerCutWitness::changed() {
  note_state();
  look_at(disk_.cut(Survival::none, random_), "all that was not synced lost");
  for (unsigned i = 0; i < torn_; ++i) {
    const DiskImage image = disk_.cut(Survival::some, random_);
    look_at(image, "torn");
    if (again_ != 0 && i == 0 && disk_.changes() % again_ == 0) cut_again(image);
  }
}

bool PowerCutWitness::is_allowed(const std::string& state) const {
  const auto from = states_.begin() + static_cast<std::ptrdiff_t>(acknowledged_);
  return std::find(from, states_.end(), state) != states_.end();
}

void PowerCutWitness::look_at(const DiskImage& image, const std::string& how) {
  ++images_;
  std::string damage;
  const std::string state = dump(image, damage);
  if (!damage.empty()) return problem(how + ": damaged: " + damage);
  if (!is_allowed(state)) {
    const auto old = std::find(states_.begin(), states_.end(), state);
    return problem(how + (old == states_.end() ? ": a state that never was" : ": too old a state"));
  }
  const PowerCutDisk disk(image);
  const auto store = Store::open(kPowerCutFile, {.vfs = disk.name()});
  if (!store) problem(how + ": cannot be opened: " + store.error().message);
}

void PowerCutWitness::cut_again(const DiskImage& image) {
  PowerCutDisk disk(image);
  disk.on_change([&] {
    ++images_;
    std::string damage;
    const std::string state = dump(disk.cut(Survival::some, random_), damage);
    // Opening a file that was not finished finishes it: that is the next state, or the one after.
    const bool finishing = states_[acknowledged_].rfind("version 2", 0) != 0;
    if (!damage.empty()) problem("cut in its recovery: damaged: " + damage);
    if (!finishing && !is_allowed(state)) problem("cut in its recovery: another state");
  });
  (void)Store::open(kPowerCutFile, {.vfs = disk.name()});
}

void PowerCutWitness::problem(const std::string& text) {
  if (problems_.size() >= 20) return;
  problems_.push_back("change " + std::to_string(disk_.changes()) + ", " + step_ + ": " + text);
}

}  // namespace rad::test
