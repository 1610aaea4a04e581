// Texts that are compared with a file in tests/golden.
#pragma once

#include <string>
#include <string_view>

namespace rad::test {

/// Fails the test unless `text` equals tests/golden/<name>. With RAD_ACCEPT=1 in the environment
/// the file is written instead: accepting is a commit of its own, read like code.
void expect_golden(const std::string& name, std::string_view text);

}  // namespace rad::test
