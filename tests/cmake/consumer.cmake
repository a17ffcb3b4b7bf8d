# Configures, builds and runs one consumer project, and says what each took; see consumer_tests.cmake for the arguments.
cmake_minimum_required(VERSION 3.25)

# consume(WHAT COMMAND...): runs a command that must succeed; prints its CPU seconds, those of all that it starts included.
function(consume what)
  execute_process(COMMAND bash -c "TIMEFORMAT='mts-consumer: ${NAME}: ${what}: %U s + %S s of CPU'; time \"$@\"" bash ${ARGN}
                  COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
string(REPLACE "|" " " flags "${FLAGS}")
set(arguments -D CMAKE_CXX_COMPILER=${COMPILER} -D "CMAKE_CXX_FLAGS=${flags}" -D MTS_VERSION=${MTS_VERSION}
              -D CMAKE_FIND_USE_PACKAGE_REGISTRY=OFF --no-warn-unused-cli)
if(WAY STREQUAL "installed")  # and then moved
  consume(install ${CMAKE_COMMAND} --install ${MTS_BUILD} --prefix ${WORK}/installed)
  file(RENAME ${WORK}/installed ${WORK}/moved)
  list(APPEND arguments -D CMAKE_PREFIX_PATH=${WORK}/moved)
elseif(WAY STREQUAL "build_tree")
  list(APPEND arguments -D mts_DIR=${MTS_BUILD})
elseif(WAY STREQUAL "sources")
  list(APPEND arguments -D MTS_SOURCE=${MTS_SOURCE} -D FETCHCONTENT_FULLY_DISCONNECTED=ON)
endif()
string(REPLACE "|" ";" extra "${EXTRA}")
consume(configure ${CMAKE_COMMAND} -G Ninja -S ${CONSUMER} -B ${WORK}/build ${arguments} ${extra})
consume(build ${CMAKE_COMMAND} --build ${WORK}/build -j 1)
string(REPLACE "|" ";" programs "${PROGRAMS}")
foreach(program IN LISTS programs)
  consume("run ${program}" ${WORK}/build/${program})
endforeach()
