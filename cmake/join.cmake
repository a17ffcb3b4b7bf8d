# Sources that are translation units of their own, and nothing else, compiled several at a time: most of what a test costs is
# instantiating the templates that its neighbours instantiate too. A unit has the text of each file in a namespace of its own
# from the last include on; what the compiler and doctest say names the file and the line there. Included, this file defines
# mts_join; as a script (-D OUT -D FILES) it writes a unit.
if(CMAKE_SCRIPT_MODE_FILE)
  string(REPLACE "|" ";" files "${FILES}")
  set(unit "")
  foreach(file IN LISTS files)
    cmake_path(GET file STEM stem)
    file(READ ${file} text)
    string(FIND "${text}" "\n#include " last REVERSE)
    math(EXPR last "${last} + 1")  # 0 where it is the first line, or there is none
    string(SUBSTRING "${text}" ${last} -1 rest)
    string(FIND "${rest}" "\n" length)
    math(EXPR length "${last} + ${length}")
    string(SUBSTRING "${text}" 0 ${length} head)
    string(SUBSTRING "${text}" ${length} -1 body)
    string(REGEX REPLACE "[^\n]" "" lines "${head}")
    string(LENGTH "${lines}" line)
    math(EXPR line "${line} + 2")
    string(APPEND unit "#line 1 \"${file}\"\n${head}\nnamespace unit_${stem} {\n#line ${line} \"${file}\"${body}\n}  // namespace\n")
  endforeach()
  file(WRITE ${OUT} "${unit}")
  return()
endif()

option(MTS_JOIN "Compile several test files, or laws, as one: up to half the time for all, more for one that changed" ON)

# mts_join(RESULT name [FILES...]): the files as units of six at most, or as they are without MTS_JOIN.
function(mts_join result name)
  if(NOT MTS_JOIN OR NOT ARGN)
    set(${result} ${ARGN} PARENT_SCOPE)
    return()
  endif()
  list(LENGTH ARGN count)
  math(EXPR units "(${count} + 5) / 6")
  set(k 0)
  foreach(file IN LISTS ARGN)
    math(EXPR unit "${k} % ${units}")
    list(APPEND files_${unit} ${file})
    math(EXPR k "${k} + 1")
  endforeach()
  set(out "")
  foreach(unit RANGE 1 ${units})
    math(EXPR u "${unit} - 1")
    set(source ${CMAKE_CURRENT_BINARY_DIR}/joined/${name}_${unit}.cpp)
    list(JOIN files_${u} "|" files)
    add_custom_command(OUTPUT ${source}
      COMMAND ${CMAKE_COMMAND} -D OUT=${source} -D "FILES=${files}" -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
      DEPENDS ${files_${u}} ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
      VERBATIM)
    list(APPEND out ${source})
  endforeach()
  set(${result} ${out} PARENT_SCOPE)
endfunction()
