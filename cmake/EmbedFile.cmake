# kindling_embed_file(TARGET FILE NAMESPACE NAME)
# Compiles a text file into a target as `extern const std::string_view NAME` of the given namespace.
function(kindling_embed_file target file namespace name)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  set(output ${PROJECT_BINARY_DIR}/generated/${name}.cpp)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"#include <string_view>
namespace @namespace@ {
extern const std::string_view @name@;
const std::string_view @name@ = R\"kindling_text(@text@)kindling_text\";
}  // namespace @namespace@
")
  target_sources(${target} PRIVATE ${output})
endfunction()
