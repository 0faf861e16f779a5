// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/format.h"

namespace meshd::cli {

enum class Align { Left, Right };

struct Column {
    std::string_view title;
    Align align = Align::Left;
};

struct Cell {
    Cell(std::string cell_text, Tone cell_tone = Tone::Plain)
        : text(std::move(cell_text)), tone(cell_tone) {}
    std::string text;
    Tone tone;
};

/// Aligned columns under a line of titles. Where the terminal is too narrow the widest columns are
/// cut, never a line broken.
class Table {
  public:
    /// Without any title there is no line of titles.
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    /// As many cells as columns.
    void add_row(std::vector<Cell> cells);
    std::string print(const Style& style) const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

/// Two columns without titles: names and values.
class Listing {
  public:
    void add(std::string name, std::string value, Tone tone = Tone::Plain);
    std::string print(const Style& style) const;

  private:
    Table table_{{{""}, {""}}};
};

}  // namespace meshd::cli
