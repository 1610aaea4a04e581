#include "agent/store/store.h"

#include <fmt/format.h>

#include "agent/store/schema.h"
#include "agent/store/store_impl.h"

namespace rad {

Error store::unknown_word(std::string_view table, std::string_view word) {
  return fail(Reason::host_unfit,
              fmt::format("table {} of the store holds the unknown word '{}'", table, word),
              "a newer agent has written it: run that one");
}

Store StoreAccess::make(store::Database database, bool durable) {
  return Store(std::make_unique<Store::Impl>(Store::Impl{std::move(database), durable, {}}));
}

store::Database& StoreAccess::database(Store& store) {
  return store.impl_->database;
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::filesystem::path& path, StoreOptions options,
                          StoreTrouble* trouble) {
  RAD_TRY(auto database, store::Database::open(path, options, trouble));
  const Status migrated = store::migrate(database);
  if (trouble != nullptr) *trouble = database.trouble();
  if (!migrated) return migrated.error();
  store::make_incremental(database);
  return StoreAccess::make(std::move(database), true);
}

StoreTrouble Store::trouble() const noexcept {
  return impl_->database.trouble();
}

bool Store::in_place() noexcept {
  return impl_->database.check_not_moved().has_value();
}

bool Store::durable() const noexcept {
  return impl_->durable;
}

}  // namespace rad
