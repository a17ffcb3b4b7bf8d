# Every public header compiles alone, twice in a row, with our warnings: one file per header, unoptimised because nothing
# in it is instantiated. Parsing Eigen and oneTBB would be nearly all of the time, so headers whose includes, followed
# through our own, reach the same outside libraries share a precompiled header of just these. It can hide no missing
# include: each of those headers includes all that is in it.

# The outside libraries that a header reaches, as a sorted list of include names.
function(mts_outside_includes header result)
  get_property(found GLOBAL PROPERTY mts_outside_${header} SET)
  if(NOT found)
    set(outside "")
    file(STRINGS ${PROJECT_SOURCE_DIR}/include/${header} lines REGEX "^#include [<\"]")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include [<\"]([^>\"]+)[>\"].*" "\\1" name "${line}")
      if(name MATCHES "^mts/")
        mts_outside_includes(${name} more)
        list(APPEND outside ${more})
      elseif(name MATCHES "^(Eigen|oneapi|tbb|xtensor)/")
        list(APPEND outside ${name})
      endif()
    endforeach()
    list(REMOVE_DUPLICATES outside)
    list(SORT outside)
    set_property(GLOBAL PROPERTY mts_outside_${header} "${outside}")
  endif()
  get_property(outside GLOBAL PROPERTY mts_outside_${header})
  set(${result} "${outside}" PARENT_SCOPE)
endfunction()

# The one that is CUDA is compiled where there is a compiler for it.
list(FILTER mts_cuda_headers EXCLUDE REGEX "/cuda/device\\.hpp$")
foreach(header IN LISTS mts_headers mts_data_headers mts_cuda_headers)
  cmake_path(RELATIVE_PATH header BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/include OUTPUT_VARIABLE name)
  string(REPLACE "/" "." source ${name})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/headers_alone/${source}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include <${name}>\n#include <${name}>\n")

  mts_outside_includes(${name} outside)
  string(MD5 group "${outside}")
  string(SUBSTRING ${group} 0 8 group)
  set(target mts_headers_alone_${group})
  if(NOT TARGET ${target})
    add_library(${target} OBJECT)
    target_link_libraries(${target} PRIVATE mts_data)
    target_compile_options(${target} PRIVATE ${mts_warnings} -O0)
    list(TRANSFORM outside REPLACE "(.+)" "<\\1>")
    target_precompile_headers(${target} PRIVATE ${outside})
  endif()
  target_sources(${target} PRIVATE ${source})
endforeach()
