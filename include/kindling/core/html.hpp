#pragma once
/// Text and data that came from anywhere, made safe to stand in a page.

#include <kindling/core/json.hpp>

#include <string>
#include <string_view>

namespace kindling {

/// `text` as the content of an element or of a quoted attribute: & < > " ' become entities.
std::string html_escape(std::string_view text);

/// JSON that may stand inside a <script> element: ASCII alone, and < > & as \u escapes, so that neither
/// "</script>" nor U+2028 in a string can end it. Bytes that are no UTF-8 become U+FFFD.
std::string json_in_html(const Json& json);

}  // namespace kindling
