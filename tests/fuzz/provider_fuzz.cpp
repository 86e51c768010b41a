// Answers that claim to be a provider's, and markup in them: results or an Error. The first byte chooses the reader.
#include <kindling/core/error.hpp>

#include "core/csv.hpp"
#include "core/portable_name.hpp"
#include "vision/provider_answers.hpp"

#include <cstddef>
#include <cstdint>

namespace {

void read(int kind, std::string_view text) {
  using namespace kindling;
  switch (kind % 4) {
    case 0:
      detail::openverse_page(text, 1);
      break;
    case 1:
      detail::wikimedia_page(text, 1280);
      break;
    case 2: {
      // What is written is read back as it was.
      for (const auto& record : detail::parse_csv(text, "fuzz")) {
        const auto again = detail::parse_csv("head\n" + detail::csv_line(record.fields), "fuzz");
        if (again.size() != 2 || again[1].fields != record.fields) __builtin_trap();
      }
      break;
    }
    default: {
      const std::string name = detail::portable_name(detail::plain_text(text));
      if (name.empty() || name.size() > 90 || name.find('/') != std::string::npos || name[0] == '.') __builtin_trap();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    read(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const kindling::Error&) {
    // What a hostile answer deserves.
  }
  return 0;
}
