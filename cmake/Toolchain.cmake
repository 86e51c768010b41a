# Compiler launchers, linker, warnings and sanitizers, for all of kindling's own targets.
find_program(KINDLING_CCACHE ccache)
if(KINDLING_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # ccache caches a unit that uses a precompiled header only with this sloppiness.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${KINDLING_CCACHE})
endif()
find_program(KINDLING_MOLD mold)

add_library(kindling_build INTERFACE)
# -pthread for all, since some dependencies ask for it and a precompiled header serves only units with the same macros.
target_compile_options(kindling_build INTERFACE -Wall -Wextra -Wno-unused-parameter -pthread)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # -fpch-preprocess lets ccache see through the precompiled header.
  target_compile_options(kindling_build INTERFACE -fpch-preprocess -Winvalid-pch -Wno-missing-field-initializers)
else()
  target_compile_options(kindling_build INTERFACE -Wno-missing-field-initializers -Wno-missing-designated-field-initializers
                                                  -Wno-unknown-warning-option -Xclang -fno-pch-timestamp)
endif()
if(KINDLING_MOLD)
  target_link_options(kindling_build INTERFACE -fuse-ld=mold)
endif()
if(KINDLING_SANITIZE)
  # vptr checks need type information that torch's libraries do not export.
  target_compile_options(kindling_build INTERFACE -fsanitize=${KINDLING_SANITIZE} -fno-sanitize=vptr
                                                  -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(kindling_build INTERFACE -fsanitize=${KINDLING_SANITIZE} -fno-sanitize=vptr)
endif()
