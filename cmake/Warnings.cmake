# The warning set of this project; g++ 12 takes all of it.
add_library(pgchronicle_warnings INTERFACE)
target_compile_options(pgchronicle_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual -Wswitch-enum)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # -Wnull-dereference is left out: with optimisation it warns inside of CLI11 and Boost.Asio.
  target_compile_options(pgchronicle_warnings INTERFACE
    -Wduplicated-cond -Wduplicated-branches -Wlogical-op)
  if(PGCHRONICLE_SANITIZE)
    # The sanitizers' checks make g++ 12 see uninitialised parts of variants that are not there.
    target_compile_options(pgchronicle_warnings INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
if(PGCHRONICLE_WERROR)
  target_compile_options(pgchronicle_warnings INTERFACE -Werror)
endif()

# pgchronicle_library(name [DEPENDS targets...]): a static library of the folder's *.cpp.
function(pgchronicle_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;SOURCES" ${ARGN})
  if(NOT ARG_SOURCES)
    file(GLOB ARG_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  endif()
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS} PRIVATE pgchronicle_warnings)
endfunction()
