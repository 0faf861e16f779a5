// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>
#include <numeric>

#include "proto/base/assert.h"

namespace meshd::cli {
namespace {

constexpr std::size_t kGap = 2;
/// Narrower than this no cell says anything.
constexpr std::size_t kColumnWidthMin = 6;

void shrink(std::vector<std::size_t>& widths, std::size_t width) {
    const std::size_t gaps = kGap * (widths.size() - 1);
    while (std::accumulate(widths.begin(), widths.end(), gaps) > width) {
        const auto widest = std::max_element(widths.begin(), widths.end());
        if (*widest <= kColumnWidthMin) {
            return;
        }
        --*widest;
    }
}

}  // namespace

void Table::add_row(std::vector<Cell> cells) {
    MESHD_ASSERT(cells.size() == columns_.size());
    for (Cell& cell : cells) {
        cell.text = printable(cell.text);
    }
    rows_.push_back(std::move(cells));
}

std::string Table::print(const Style& style) const {
    std::vector<std::size_t> widths;
    bool has_titles = false;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t width = columns_[i].title.size();
        has_titles = has_titles || width > 0;
        for (const auto& row : rows_) {
            width = std::max(width, width_of(row[i].text));
        }
        widths.push_back(width);
    }
    if (style.width > 0) {
        shrink(widths, style.width);
    }

    std::string out;
    const auto put_row = [&](const std::vector<Cell>& row) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string text = cut(row[i].text, widths[i]);
            const std::string padding(widths[i] - std::min(widths[i], width_of(text)), ' ');
            const std::string painted = style.paint(text, row[i].tone);
            line.append(i == 0 ? 0 : kGap, ' ');
            line.append(columns_[i].align == Align::Right ? padding + painted : painted + padding);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out.append(line).append("\n");
    };
    if (has_titles) {
        std::vector<Cell> titles;
        for (const Column& column : columns_) {
            titles.emplace_back(std::string(column.title), Tone::Dim);
        }
        put_row(titles);
    }
    for (const auto& row : rows_) {
        put_row(row);
    }
    return out;
}

void Listing::add(std::string name, std::string value, Tone tone) {
    table_.add_row({{std::move(name), Tone::Dim}, {std::move(value), tone}});
}

std::string Listing::print(const Style& style) const {
    return table_.print(style);
}

}  // namespace meshd::cli
