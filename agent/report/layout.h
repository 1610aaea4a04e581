// Columns of text on a terminal, for agent/report and agent/cli.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rad {

/// Columns that printable UTF-8 takes, one per code point: good enough for names and numbers.
std::size_t columns(std::string_view text) noexcept;
/// At most `width` columns; what is cut ends in "…".
std::string cut_columns(std::string_view text, std::size_t width);

/// Rows of cells as aligned columns with two spaces between and `indent` before each line. The
/// widest columns give way until a line fits into `width`; every cell is cut to its column. The
/// last column is not padded. One string a row, without newline. Cells must be printable.
std::vector<std::string> layout_table(const std::vector<std::vector<std::string>>& rows,
                                      std::size_t width, std::size_t indent = 2);

/// "<label>  <text>" with the text broken at spaces to `width` and its further lines indented under
/// its first; words that are too long are not broken, so that they can be copied.
std::string labelled(std::string_view label, std::string_view text, std::size_t label_columns,
                     std::size_t width, std::size_t indent = 2);

}  // namespace rad
