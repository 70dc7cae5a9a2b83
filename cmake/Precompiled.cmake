# What most files include is read once for each target that has enough of them.
#
# Builds for development only: without it, as in the release build, each file must include what it
# needs by itself.
option(PGCHRONICLE_PRECOMPILED "Precompile the headers that most files include" OFF)

set(pgchronicle_precompiled
  <algorithm> <array> <chrono> <cstddef> <cstdint> <functional> <map> <memory> <optional> <span>
  <string> <string_view> <utility> <variant> <vector> <fmt/format.h>)
set(pgchronicle_precompiled_in_tests <catch2/catch.hpp> <random> <sstream>)
# One costs as much as it saves in about three files.
set(pgchronicle_precompiled_from 6)

# For the targets of a folder and of those below.
function(pgchronicle_precompile folder)
  get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(below ${folders})
    pgchronicle_precompile(${below})
  endforeach()
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(NOT type MATCHES "^(STATIC_LIBRARY|EXECUTABLE)$")
      continue()
    endif()
    get_target_property(sources ${target} SOURCES)
    list(LENGTH sources count)
    if(count LESS pgchronicle_precompiled_from)
      continue()
    endif()
    get_target_property(libraries ${target} LINK_LIBRARIES)
    set(headers ${pgchronicle_precompiled})
    if("pgchronicle_test_main" IN_LIST libraries)
      list(APPEND headers ${pgchronicle_precompiled_in_tests})
    endif()
    target_precompile_headers(${target} PRIVATE ${headers})
    # For ccache, which has to see what was precompiled.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
    # g++ 12 then warns of bounds that are kept; the release build looks for those that are not.
    foreach(warning array-bounds restrict stringop-overflow)
      target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-${warning}>)
    endforeach()
  endforeach()
endfunction()
