# Finds every library that kindling builds on. docs/internals/dependencies.md says why each is here.
# kindlingConfig.cmake includes this file too, so that a user's project finds the same ones.

# LibTorch: Torch_DIR where the user gives one, else the wheel that scripts/setup put into .deps/.
if(NOT Torch_DIR AND DEFINED ENV{Torch_DIR})
  set(Torch_DIR $ENV{Torch_DIR})
endif()
if(Torch_DIR AND EXISTS "${Torch_DIR}")
  get_filename_component(kindling_torch_root ${Torch_DIR}/../../.. ABSOLUTE)
else()
  file(GLOB kindling_torch_root ${CMAKE_CURRENT_LIST_DIR}/../.deps/venv/lib/python3*/site-packages/torch)
  list(APPEND CMAKE_PREFIX_PATH ${kindling_torch_root})
endif()
# Global, so that they are seen where a user's project adds kindling as a sub-directory.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
if(EXISTS "${kindling_torch_root}/lib/libtorch_cuda.so")
  # The CMake files of a LibTorch with CUDA ask for the whole CUDA toolkit. Nothing here is compiled by it: the libraries will do,
  # and libtorch_cuda must be loaded although no symbol of it is used.
  set(TORCH_INSTALL_PREFIX ${kindling_torch_root})
  set(Torch_DIR ${kindling_torch_root}/share/cmake/Torch)
  set(PACKAGE_FIND_VERSION 2.11)
  include(${Torch_DIR}/TorchConfigVersion.cmake)
  if(NOT PACKAGE_VERSION_COMPATIBLE)
    message(FATAL_ERROR "LibTorch ${PACKAGE_VERSION} in ${kindling_torch_root} is too old: 2.11 or newer is needed")
  endif()
  if(NOT TARGET torch)
    add_library(torch INTERFACE IMPORTED GLOBAL)
    target_include_directories(torch SYSTEM INTERFACE ${TORCH_INSTALL_PREFIX}/include
                               ${TORCH_INSTALL_PREFIX}/include/torch/csrc/api/include)
    set(kindling_torch_lib ${TORCH_INSTALL_PREFIX}/lib)
    target_link_libraries(torch INTERFACE
                          -Wl,--push-state,--no-as-needed,${kindling_torch_lib}/libtorch_cuda.so,--pop-state
                          ${kindling_torch_lib}/libtorch.so ${kindling_torch_lib}/libtorch_cpu.so
                          ${kindling_torch_lib}/libc10_cuda.so ${kindling_torch_lib}/libc10.so)
    target_link_options(torch INTERFACE -Wl,--allow-shlib-undefined)
  endif()
else()
  find_package(Torch 2.13 REQUIRED)
endif()
# LibTorch's libraries export their own copies of std::filesystem, of which remove_all in one with CUDA calls a null pointer:
# libstdc++ is to be looked into first.
target_link_options(torch INTERFACE "SHELL:-Wl,--push-state,--no-as-needed -lstdc++ -Wl,--pop-state")
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(LibArchive REQUIRED)
find_package(ZLIB REQUIRED)
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

# fmt's headers come out of torch's own include folder, so that one version is in a program; src/core/fmt.cpp holds its functions.
if(NOT TARGET kindling_fmt)
  add_library(kindling_fmt INTERFACE)
  target_include_directories(kindling_fmt SYSTEM INTERFACE $<BUILD_INTERFACE:${TORCH_INSTALL_PREFIX}/include>)
endif()

# Apache Arrow for tables: headers and libraries in the wheel of pyarrow, built for the same C++ ABI as torch's. It lies
# beside torch's wheel; KINDLING_ARROW_DIR names another folder that holds include/ and the libraries.
if(NOT TARGET kindling_arrow)
  if(NOT KINDLING_ARROW_DIR)
    file(GLOB kindling_arrow_wheels ${TORCH_INSTALL_PREFIX}/../pyarrow
         ${CMAKE_CURRENT_LIST_DIR}/../.deps/venv/lib/python3*/site-packages/pyarrow)
    list(APPEND kindling_arrow_wheels pyarrow-is-missing)
    list(GET kindling_arrow_wheels 0 KINDLING_ARROW_DIR)
    get_filename_component(KINDLING_ARROW_DIR "${KINDLING_ARROW_DIR}" ABSOLUTE)
  endif()
  foreach(kindling_library arrow parquet)
    file(GLOB kindling_file ${KINDLING_ARROW_DIR}/lib${kindling_library}.so.[0-9]*
         ${KINDLING_ARROW_DIR}/lib${kindling_library}.so ${KINDLING_ARROW_DIR}/lib/lib${kindling_library}.so)
    if(NOT kindling_file)
      message(FATAL_ERROR "Apache Arrow is missing: run scripts/setup, or name its folder with -DKINDLING_ARROW_DIR")
    endif()
    list(GET kindling_file 0 kindling_file)
    add_library(kindling_${kindling_library} SHARED IMPORTED GLOBAL)
    set_target_properties(kindling_${kindling_library} PROPERTIES IMPORTED_LOCATION ${kindling_file}
                          INTERFACE_INCLUDE_DIRECTORIES ${KINDLING_ARROW_DIR}/include)
  endforeach()
endif()
