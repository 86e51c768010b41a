# Finds every library that kindling builds on. docs/internals/dependencies.md says why each is here.
# kindlingConfig.cmake includes this file too, so that a user's project finds the same ones.

# LibTorch: Torch_DIR where the user gives one, else the wheel that scripts/setup put into .deps/.
if(NOT Torch_DIR AND NOT DEFINED ENV{Torch_DIR})
  file(GLOB kindling_torch_wheel ${CMAKE_CURRENT_LIST_DIR}/../.deps/venv/lib/python3*/site-packages/torch)
  list(APPEND CMAKE_PREFIX_PATH ${kindling_torch_wheel})
endif()
# Global, so that they are seen where a user's project adds kindling as a sub-directory.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
find_package(Torch 2.13 REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(LibArchive REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(GIF REQUIRED)
find_package(TIFF REQUIRED)
find_package(HWY QUIET)
pkg_check_modules(turbojpeg REQUIRED IMPORTED_TARGET GLOBAL libturbojpeg)
pkg_check_modules(webp REQUIRED IMPORTED_TARGET GLOBAL libwebp)
pkg_check_modules(cairo REQUIRED IMPORTED_TARGET GLOBAL pangocairo)
pkg_check_modules(chafa REQUIRED IMPORTED_TARGET GLOBAL chafa)
if(NOT TARGET LibArchive::LibArchive)
  add_library(LibArchive::LibArchive INTERFACE IMPORTED GLOBAL)
  target_link_libraries(LibArchive::LibArchive INTERFACE ${LibArchive_LIBRARIES})
endif()
if(NOT TARGET hwy::hwy)
  pkg_check_modules(hwy REQUIRED IMPORTED_TARGET GLOBAL libhwy)
  add_library(hwy::hwy ALIAS PkgConfig::hwy)
endif()

# The OpenMP that torch itself runs on: at::parallel_for is serial in a unit that is not compiled with -fopenmp, and a second
# OpenMP beside torch's would have threads of its own.
if(NOT TARGET kindling_openmp)
  add_library(kindling_openmp INTERFACE IMPORTED GLOBAL)
  find_library(kindling_torch_gomp NAMES libgomp.so.1 PATHS ${TORCH_INSTALL_PREFIX}/lib NO_DEFAULT_PATH)
  if(kindling_torch_gomp)
    target_link_libraries(kindling_openmp INTERFACE ${kindling_torch_gomp})
  endif()
endif()

# fmt comes header-only out of torch's own include folder, so that one version is in a program.
if(NOT TARGET kindling_fmt)
  add_library(kindling_fmt INTERFACE)
  target_compile_definitions(kindling_fmt INTERFACE FMT_HEADER_ONLY)
  target_include_directories(kindling_fmt SYSTEM INTERFACE $<BUILD_INTERFACE:${TORCH_INSTALL_PREFIX}/include>)
endif()
