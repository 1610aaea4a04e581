#include "agent/control/routes.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/control/refusals.h"

namespace rad::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

TEST(Routes, AreFoundByMethodAndPath) {
  const auto log = find_route("GET", "/v1/runs/20261120T1-a/log");
  ASSERT_NE(log.route, nullptr);
  EXPECT_EQ(log.route->operation, "getRunLog");
  EXPECT_THAT(log.names, ElementsAre("20261120T1-a"));
  EXPECT_EQ(find_route("HEAD", "/v1/status").route->operation, "getStatus");
  EXPECT_EQ(find_route("POST", "/v1/runs").route->operation, "startRun");
  EXPECT_THAT(find_route("GET", "/v1/targets/a%20b%2Fc").names, ElementsAre("a b/c"));
}

TEST(Routes, OtherMethodsAreNamed) {
  const auto found = find_route("DELETE", "/v1/runs");
  EXPECT_EQ(found.route, nullptr);
  EXPECT_EQ(found.allowed, "GET, POST");
}

TEST(Routes, OtherPathsAreNone) {
  for (const char* path : {"", "/", "v1/status", "/v1", "/v1/", "/v1/status/", "//v1/status",
                           "/v1/runs/", "/v1/runs//log", "/v1/runs/x/log/y", "/v1/runs/%zz",
                           "/V1/status", "*", "/v1/status?x", "/v1/../v1/status"}) {
    const auto found = find_route("GET", path);
    EXPECT_EQ(found.route, nullptr) << path;
    EXPECT_EQ(found.allowed, "") << path;
  }
}

TEST(Routes, WhatActsIsForOperators) {
  std::set<std::string_view> operations;
  for (const Route& route : all_routes()) {
    EXPECT_TRUE(operations.insert(route.operation).second) << route.operation;
    if (route.method != "GET") {
      EXPECT_EQ(route.needed, Access::manager) << route.operation;
    }
    EXPECT_NE(route.needed, Access::none) << route.operation;
    EXPECT_FALSE(route.action.empty());
  }
}

TEST(RefusalLimit, WritesTheFirstAndCountsTheRest) {
  RefusalLimit limit;
  SteadyPoint now(1h);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(limit.admit(1, now), 0U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(limit.admit(1, now), std::nullopt);
  EXPECT_EQ(limit.admit(2, now), 0U) << "another user has his own";
  now += 10s;
  EXPECT_EQ(limit.admit(1, now), 1000U);
  EXPECT_EQ(limit.admit(1, now), std::nullopt);
}

TEST(RefusalLimit, ManyUsersTogetherAreBoundedToo) {
  RefusalLimit limit;
  int written = 0;
  for (std::uint32_t uid = 0; uid < 5000; ++uid) {
    if (limit.admit(uid, SteadyPoint(1h))) ++written;
  }
  EXPECT_EQ(written, 100);
}

}  // namespace
}  // namespace rad::test
