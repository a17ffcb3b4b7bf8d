# mts::cuda, the backend for NVIDIA GPUs. Sources that include mts/cuda/device.hpp are compiled as CUDA; all other headers of the
# room are plain C++.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  if(EXISTS /dev/nvidia0)
    set(CMAKE_CUDA_ARCHITECTURES native)
  else()
    set(CMAKE_CUDA_ARCHITECTURES 80)  # and its PTX, which newer devices compile for themselves
  endif()
endif()
include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER AND EXISTS /usr/local/cuda/bin/nvcc)
  set(CMAKE_CUDA_COMPILER /usr/local/cuda/bin/nvcc)
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "MTS_CUDA is ON, but there is no CUDA compiler: expected nvcc 12 or newer in PATH, or its path in "
                      "CMAKE_CUDA_COMPILER. Without -D MTS_CUDA=ON the rest of mts is built as ever.")
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER_ID STREQUAL "NVIDIA" OR CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "MTS_CUDA needs C++20 in CUDA code: expected nvcc 12 or newer, found ${CMAKE_CUDA_COMPILER_ID} "
                      "${CMAKE_CUDA_COMPILER_VERSION} (${CMAKE_CUDA_COMPILER})")
endif()
find_package(CUDAToolkit 12 REQUIRED GLOBAL)

add_library(mts_cuda INTERFACE)
add_library(mts::cuda ALIAS mts_cuda)
set_target_properties(mts_cuda PROPERTIES EXPORT_NAME cuda)
target_sources(mts_cuda INTERFACE FILE_SET HEADERS BASE_DIRS include FILES ${mts_cuda_headers})
# Not cuda_std_20: CMake 3.25 does not know that nvcc has it.
target_compile_options(mts_cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)
target_link_libraries(mts_cuda INTERFACE mts CUDA::cudart CUDA::cublas)

# All of our own that is compiled as CUDA, and what tests it.
if(PROJECT_IS_TOP_LEVEL)
  add_custom_target(cuda)
endif()
