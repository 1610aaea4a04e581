// Amazon S3 and what speaks like it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/s3_settings.h"
#include "plugins/object_store/storage.h"

namespace rad::object_store {

/// The answers of S3 in reasons. Pure. \param region  the one that requests are signed for.
Error judge_s3(const HttpResponse& response, std::string_view region, TimePoint now);

/// Needs s3:GetObject and s3:ListBucket: without the latter S3 says "denied" of what is missing.
/// stat() asks a listing, so that nothing on the way can make an object seem missing.
class S3Storage final : public Storage {
 public:
  S3Storage(S3Settings settings, std::shared_ptr<HttpTransport> transport);
  ~S3Storage() override;

  Status visit(std::string_view prefix, const ObjectVisitor& visit, std::stop_token stop) override;
  Result<ObjectInfo> stat(std::string_view key) override;
  /// The reader must not outlive this.
  Result<std::unique_ptr<ObjectReader>> open(std::string_view key,
                                             const OpenOptions& options) override;
  std::string describe() const override;

 private:
  class Service;

  std::string whole_key(std::string_view key) const;

  S3Settings settings_;
  std::shared_ptr<HttpTransport> transport_;
  std::unique_ptr<Service> service_;
};

/// \param url  s3://bucket/prefix
Result<OpenedStorage> open_s3_storage(std::string_view url, const Variables& variables,
                                      const TransportOptions& options);

}  // namespace rad::object_store
