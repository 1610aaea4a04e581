#include "agent/config/yaml_document.h"

#include <chrono>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace rad {
namespace {

std::string first_error(std::string_view text, const YamlLimits& limits = {}) {
  const auto document = parse_yaml(text, "t.yaml", limits);
  if (document.errors.empty()) return "no error";
  const auto& error = document.errors.front();
  return fmt::format("{}:{}: {}", error.at.line, error.at.column, error.message);
}

TEST(YamlDocument, TreeWithPlaces) {
  const auto document = parse_yaml("a: 1\nb:\n  - x\n  - {c: 'y z'}\nd:\n", "t.yaml");
  ASSERT_TRUE(document.usable);
  EXPECT_TRUE(document.errors.empty());
  const auto* b = document.root.find("b");
  ASSERT_NE(b, nullptr);
  ASSERT_EQ(b->items.size(), 2U);
  EXPECT_EQ(b->items[0].text, "x");
  EXPECT_EQ(b->items[0].line, 3);
  EXPECT_EQ(b->items[0].column, 5);
  const auto* c = b->items[1].find("c");
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->text, "y z");
  EXPECT_TRUE(c->quoted);
  EXPECT_FALSE(document.root.find("a")->quoted);
  EXPECT_EQ(document.root.find("d")->kind, YamlNode::Kind::null);
  EXPECT_EQ(document.root.find("e"), nullptr);
}

TEST(YamlDocument, EmptyFilesAreNull) {
  for (const auto* text : {"", "\n\n", "# nothing\n", "---\n"}) {
    const auto document = parse_yaml(text, "t.yaml");
    EXPECT_TRUE(document.usable) << text;
    EXPECT_EQ(document.root.kind, YamlNode::Kind::null) << text;
  }
}

TEST(YamlDocument, DuplicateKeysAreToldAndTheFirstCounts) {
  const auto document = parse_yaml("a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n", "t.yaml");
  ASSERT_TRUE(document.usable);
  ASSERT_EQ(document.errors.size(), 2U);
  EXPECT_EQ(document.errors[0].at.line, 3);
  EXPECT_EQ(document.errors[0].message, "the key is here twice, first in line 1");
  EXPECT_EQ(document.errors[1].at.line, 4);
  EXPECT_EQ(document.errors[1].key, "c.d");
  EXPECT_EQ(document.root.find("a")->text, "1");
}

TEST(YamlDocument, AliasesAreCopies) {
  const auto document = parse_yaml("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n", "t.yaml");
  ASSERT_TRUE(document.usable);
  EXPECT_EQ(document.root.find("c")->find("b")->text, "1");
  EXPECT_EQ(document.root.find("d")->items[1].find("b")->text, "1");
}

TEST(YamlDocument, BombsOfAliasesAreRefusedQuickly) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'm'; ++c) {
    const char before = static_cast<char>(c - 1);
    bomb += fmt::format("{0}: &{0} [*{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}]\n", c,
                        before);
  }
  EXPECT_NE(first_error(bomb).find("more than 100000 values"), std::string::npos)
      << first_error(bomb);

  // Few nodes, but a long text many times over.
  std::string fat = "a: &a " + std::string(200'000, 'x') + "\nb: [";
  for (int i = 0; i < 1000; ++i) fat += "*a, ";
  fat += "1]\n";
  EXPECT_NE(first_error(fat).find("more than"), std::string::npos) << first_error(fat);
}

TEST(YamlDocument, DepthIsBounded) {
  const std::string deep(100'000, '[');
  EXPECT_NE(first_error(deep).find("nested more than 32 levels deep"), std::string::npos);
  std::string through_aliases = "a0: &a0 [1]\n";
  for (int i = 1; i < 40; ++i) {
    through_aliases += fmt::format("a{}: &a{} [*a{}]\n", i, i, i - 1);
  }
  EXPECT_NE(first_error(through_aliases).find("nested more than 32"), std::string::npos);
}

TEST(YamlDocument, WhatCannotBeUsed) {
  EXPECT_EQ(first_error("a: 1\n---\nb: 2\n"), "2:1: found a second document ('---'), expected one");
  EXPECT_EQ(first_error("a: &a [*a]\n"), "1:8: an alias stands inside what it stands for");
  EXPECT_EQ(first_error("a: !!binary aGk=\n"),
            "1:4: found tag 'tag:yaml.org,2002:binary', expected none");
  EXPECT_EQ(first_error("? [1, 2]\n: x\n"), "1:3: found a list as a key, expected a word");
  EXPECT_NE(first_error("a: *nowhere\n").find("not valid YAML"), std::string::npos);
}

TEST(YamlDocument, SyntaxErrorsHaveAPlace) {
  const auto document = parse_yaml("a:\n  - b\n c: d\n", "t.yaml");
  EXPECT_FALSE(document.usable);
  ASSERT_EQ(document.errors.size(), 1U);
  EXPECT_EQ(document.errors[0].at.line, 3);
  EXPECT_EQ(document.errors[0].message.rfind("not valid YAML: ", 0), 0U);
  // A quote that is never closed must not swallow the rest of the file in silence.
  for (const auto* text : {"a: \"x\nb: 1\n", "a: 'x\nb: 1\n", "a: \"x", "a: \"x\n\n# y\n"}) {
    EXPECT_NE(first_error(text).find("a quote that was opened is not closed"), std::string::npos)
        << text << first_error(text);
  }
  EXPECT_TRUE(parse_yaml("a: |\n  x\n...\n", "t.yaml").usable);
  EXPECT_FALSE(parse_yaml("a: [1, 2\n", "t.yaml").usable);
  EXPECT_FALSE(parse_yaml("\tb: 1\n", "t.yaml").usable);
}

TEST(YamlDocument, ManyKeysTakeNoSquareTime) {
  std::string text;
  for (int i = 0; i < 49'000; ++i) text += fmt::format("k{}: 1\n", i);
  const auto begun = std::chrono::steady_clock::now();
  const auto document = parse_yaml(text, "t.yaml");
  EXPECT_TRUE(document.usable);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
}

}  // namespace
}  // namespace rad
