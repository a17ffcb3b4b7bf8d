# Header-only proof: projects outside this one use mts in every way that docs/building.md shows. Unoptimised, and without
# sanitizers: that they build, link and run is all.
list(JOIN mts_warnings "|" consumer_flags)

# mts_add_consumer(name WAY way [PROJECT dir] [PROGRAMS...] [EXTRA cmake options...]); the way is how the project gets mts:
# installed, from the build_tree, or from the sources.
function(mts_add_consumer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "WAY;PROJECT" "PROGRAMS;EXTRA")
  if(NOT arg_PROJECT)
    set(arg_PROJECT ${CMAKE_CURRENT_SOURCE_DIR}/consumers/${name})
  endif()
  list(JOIN arg_PROGRAMS "|" programs)
  list(JOIN arg_EXTRA "|" extra)
  add_test(NAME consumer.${name}
    COMMAND ${CMAKE_COMMAND}
      -D NAME=${name}
      -D WAY=${arg_WAY}
      -D CONSUMER=${arg_PROJECT}
      -D PROGRAMS=${programs}
      -D EXTRA=${extra}
      -D MTS_SOURCE=${PROJECT_SOURCE_DIR}
      -D MTS_BUILD=${PROJECT_BINARY_DIR}
      -D MTS_VERSION=${PROJECT_VERSION}
      -D COMPILER=${CMAKE_CXX_COMPILER}
      -D "FLAGS=-O0|${consumer_flags}"
      -D WORK=${CMAKE_CURRENT_BINARY_DIR}/consumers/${name}
      -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/consumer.cmake)
  set_tests_properties(consumer.${name} PROPERTIES LABELS consumer TIMEOUT 600)
endfunction()

mts_add_consumer(installed WAY installed PROGRAMS my_program my_reader)
if(MTS_SANITIZE)
  return()
endif()
mts_add_consumer(without_zlib WAY installed PROGRAMS my_program EXTRA -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON)
mts_add_consumer(build_tree WAY build_tree PROGRAMS my_program my_reader)
mts_add_consumer(add_subdirectory WAY sources PROGRAMS my_program my_reader)
mts_add_consumer(fetch_content WAY sources PROGRAMS my_program my_reader)
mts_add_consumer(versions WAY installed)

# The example for LibTorch is such a project itself.
if(MTS_LIBTORCH_FOUND)
  mts_add_consumer(libtorch WAY installed PROJECT ${PROJECT_SOURCE_DIR}/examples/libtorch PROGRAMS train_torch_module)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_test(NAME consumer.libtorch COMMAND ${CMAKE_COMMAND} -E echo "LibTorch was not found")
  set_tests_properties(consumer.libtorch PROPERTIES SKIP_REGULAR_EXPRESSION "was not found")
endif()

if(MTS_CUDA)
  mts_add_consumer(cuda WAY installed PROGRAMS my_gpu_program EXTRA -DCMAKE_CUDA_COMPILER=${CMAKE_CUDA_COMPILER})
  set_tests_properties(consumer.cuda PROPERTIES LABELS "consumer;cuda")
endif()
