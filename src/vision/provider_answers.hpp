#pragma once
/// What the providers' readers share: foreign JSON and markup, read without trust.

#include <kindling/core/json.hpp>
#include <kindling/vision/collect.hpp>

#include <string>
#include <string_view>

namespace kindling::detail {

/// One page out of a provider's answer; the fuzzer's doors. Throw `bad_data` for what is no such answer, and
/// `network` for an answer that is the provider's refusal.
ImagePage openverse_page(std::string_view answer, int page);
ImagePage wikimedia_page(std::string_view answer, int width);

/// A text member; empty where it is missing or something else. At most 2,000 bytes, control characters as blanks.
std::string text_at(const Json& object, std::string_view key);
/// A number of pixels; 0 where it is missing, no whole number or out of range.
int pixels_at(const Json& object, std::string_view key);
/// The member, or null.
const Json& member(const Json& object, std::string_view key);

/// The text of HTML: without tags, entities resolved, blanks run together.
std::string plain_text(std::string_view html);

/// The answer of an address as text, within the request's bounds; the address' own host may lie anywhere.
std::string ask(const std::string& url, const FetchOptions& options);

/// JSON whose errors say which provider gave it.
Json parse_answer(std::string_view answer, const std::string& provider);

}  // namespace kindling::detail
