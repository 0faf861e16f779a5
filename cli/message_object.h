// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace meshd::cli {

/// JSON text of the object that an argument means, as an alert or a note: an object as it is, any
/// other text, and with `is_text` every one, as {"message": text}; "-" is what stands on standard
/// input. `what` names it in the error, a sentence without full stop: "alert".
tl::expected<std::string, std::string> message_object(std::string_view argument,
                                                      std::string_view what, bool is_text = false);

}  // namespace meshd::cli
