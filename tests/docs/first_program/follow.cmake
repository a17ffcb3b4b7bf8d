# docs/start.md, 5: the two files and this CMakeLists.txt in a folder beside a clone called mts, then the page's three commands.
#   cmake -D MTS_SOURCE=... -D COMPILER=... -D WORK=... -P follow.cmake
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK}/first_program)
file(CREATE_LINK ${MTS_SOURCE} ${WORK}/mts SYMBOLIC)
file(COPY ${MTS_SOURCE}/examples/train_with_selection.cpp ${MTS_SOURCE}/examples/made_up_pool.hpp
          ${CMAKE_CURRENT_LIST_DIR}/CMakeLists.txt
     DESTINATION ${WORK}/first_program)
set(ENV{CXX} ${COMPILER})
foreach(command "${CMAKE_COMMAND} -G Ninja -B build" "${CMAKE_COMMAND} --build build" "build/first_program")
  separate_arguments(words UNIX_COMMAND "${command}")
  execute_process(COMMAND ${words} WORKING_DIRECTORY ${WORK}/first_program COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endforeach()
